//! Accepting and settling in the model.

use std::sync::Arc;

use whisperer_domain::access::Note;
use whisperer_domain::attempt::Attempt;
use whisperer_domain::catalog::Revision;
use whisperer_domain::delivery::{CancelCause, Delivery, DeliveryState, Ready};
use whisperer_domain::event::{Event, IdempotencyKey, NewEvent};
use whisperer_domain::health::Health;
use whisperer_domain::id::{EventKey, HookId, Sequence};
use whisperer_domain::news::News;
use whisperer_domain::port::{AcceptError, Accepted, FeedItem, HookEffect, Settled, Settlement};
use whisperer_domain::time::Timestamp;

use super::{Kept, Model, Used};
use crate::{catalog_edit, delivery_uuid, directing, follow};

impl Model {
    pub(super) fn accept(
        &mut self,
        new: NewEvent,
        recipients: &[HookId],
        revision: Revision,
        now: Timestamp,
    ) -> Result<Accepted, AcceptError> {
        let accept_at = now.max(self.accepted_at);
        if let Some(answer) = self.known(&new, accept_at) {
            return answer;
        }
        if revision != self.catalog.revision || !directing::all_accept(recipients, &self.catalog) {
            return Err(AcceptError::Stale);
        }
        Ok(self.add_event(new, recipients, now))
    }

    /// An event that was judged.
    pub(super) fn add_event(
        &mut self,
        new: NewEvent,
        recipients: &[HookId],
        now: Timestamp,
    ) -> Accepted {
        let accept_at = now.max(self.accepted_at);
        self.accepted_at = accept_at;
        let key = EventKey(self.next_event);
        self.next_event += 1;
        let used = Used {
            at: accept_at,
            fingerprint: new.fingerprint,
            id: new.id.clone(),
            deliveries: recipients.len() as u64,
        };
        if let Some(idempotency) = new.idempotency {
            self.idempotency
                .insert((idempotency.owner, idempotency.key), used.clone());
        }
        self.event_ids.insert(new.id.clone(), used);
        let event = Arc::new(Event {
            key,
            id: new.id.clone(),
            event_type: new.event_type,
            occurred_at: new.occurred_at.unwrap_or(accept_at),
            accepted_at: accept_at,
            object_id: new.object_id,
            content_type: new.content_type,
            cloud: new.cloud,
            payload: new.payload,
        });
        self.events.insert(key, Arc::clone(&event));
        if let Some(filter) = new.config_filter {
            self.config_filters.insert(key, filter);
        }
        for hook in recipients {
            self.add_delivery(*hook, &event, now);
        }
        Accepted {
            id: new.id,
            deliveries: recipients.len() as u64,
            replayed: false,
        }
    }

    fn known(&self, new: &NewEvent, now: Timestamp) -> Option<Result<Accepted, AcceptError>> {
        let by_key = new.idempotency.as_ref().and_then(|idempotency| {
            let key = (idempotency.owner.clone(), idempotency.key.clone());
            self.idempotency
                .get(&key)
                .filter(|used| !IdempotencyKey::has_expired(used.at, now))
                .map(|used| (used, AcceptError::KeyReused))
        });
        let by_id = || {
            let used = self.event_ids.get(&new.id)?;
            Some((used, AcceptError::IdTaken))
        };
        let (used, conflict) = by_key.or_else(by_id)?;
        if used.fingerprint != new.fingerprint {
            return Some(Err(conflict));
        }
        Some(Ok(Accepted {
            id: used.id.clone(),
            deliveries: used.deliveries,
            replayed: true,
        }))
    }

    /// Made when the latest event was accepted, or now: never before a delivery that is there.
    pub(super) fn add_delivery(&mut self, hook: HookId, event: &Arc<Event>, now: Timestamp) {
        let made_at = self.accepted_at;
        let sequence = Sequence(self.next_sequence);
        self.next_sequence += 1;
        let [a, b, c, d, e, f, g, h] = sequence.0.to_be_bytes();
        let delivery = Delivery {
            sequence,
            uuid: delivery_uuid::made(made_at, &[0, 0, a, b, c, d, e, f, g, h]),
            hook,
            event: event.key,
            event_type: event.event_type.clone(),
            created_at: made_at,
            modified_at: made_at,
            attempts: 0,
            state: DeliveryState::Pending {
                due: now,
                waiting_for: None,
            },
            last_status: None,
            revival: None,
        };
        self.tell(FeedItem::Fresh {
            lease: self.lease(hook),
            ready: Ready {
                delivery: delivery.clone(),
                event: Arc::clone(event),
                pin: None,
            },
        });
        let place = self.is_ordered(hook).then_some(sequence.0);
        let kept = Kept {
            delivery,
            place,
            attempts: Vec::new(),
            pin: None,
        };
        self.pending.extend(kept.lane_key());
        self.deliveries.insert(sequence, kept);
    }

    pub(super) fn settle(&mut self, item: Settlement, now: Timestamp) -> Settled {
        let hook = item.lease.hook;
        if item.lease.fence != self.fence(hook) {
            return Settled::Fenced;
        }
        let Some(kept) = self.deliveries.get_mut(&item.sequence) else {
            return Settled::Cancelled;
        };
        if kept.delivery.hook != hook {
            return Settled::Fenced;
        }
        if let Some(attempt) = &item.attempt
            && kept.attempts.iter().any(|known| known.id == attempt.id)
        {
            return Settled::Applied {
                due: kept.delivery.state.due(),
            };
        }
        let stood = kept.lane_key();
        kept.delivery.modified_at = now.max(kept.delivery.created_at);
        if stood.is_some() {
            kept.delivery.state = item.verdict.state(now);
        }
        let began_at = item.attempt.as_ref().map(|attempt| attempt.started_at);
        if let Some(attempt) = item.attempt {
            kept.add_attempt(attempt);
            self.attempts_settled += 1;
        }
        if kept.pin.is_none() {
            kept.pin = item.pin.map(Arc::new);
        }
        let due = kept.delivery.state.due();
        self.rewritten.push(item.sequence);
        self.move_row(item.sequence, stood);
        if let Some(health) = item.health
            && follow::is_of_now(&self.catalog, hook, began_at)
        {
            self.keep_health(hook, health);
        }
        let disabled = item
            .effect
            .and_then(|effect| self.take_effect(hook, began_at, effect, now));
        if stood.is_some() {
            self.tell_if_dead(item.sequence, now);
        }
        if let Some(news) = item.news {
            self.tell_news(hook, &News::Hook(news), now);
        }
        if let Some(reason) = &disabled {
            self.tell_news(hook, &News::Disabled { reason }, now);
        }
        match stood {
            Some(_) => Settled::Applied { due },
            None => Settled::Cancelled,
        }
    }

    /// A clean one is not kept.
    fn keep_health(&mut self, hook: HookId, health: Health) {
        if health.is_default() {
            self.health.remove(&hook);
        } else {
            self.health.insert(hook, health);
        }
    }

    /// Answers why the hook was disabled, if it was.
    fn take_effect(
        &mut self,
        hook: HookId,
        began_at: Option<Timestamp>,
        effect: HookEffect,
        now: Timestamp,
    ) -> Option<String> {
        if !follow::may_disable(&self.catalog, hook, began_at) {
            return None;
        }
        let (HookEffect::Gone { reason } | HookEffect::Disable { reason }) = &effect;
        let reason = reason.clone();
        catalog_edit::disable(&mut self.catalog, hook, reason.clone(), now)?;
        self.health.remove(&hook);
        let note = Note::of_disabling(&reason);
        self.note(Some(note), catalog_edit::hook_object(hook), now);
        match effect {
            HookEffect::Gone { .. } => self.cancel_lane(hook, &CancelCause::Gone, now),
            HookEffect::Disable { .. } => {}
        }
        self.tell(FeedItem::Catalog(self.catalog.revision));
        Some(reason)
    }
}

impl Kept {
    fn add_attempt(&mut self, mut attempt: Attempt) {
        follow::count(&mut self.delivery, &attempt);
        attempt.number = self.delivery.attempts;
        self.attempts.push(attempt);
    }
}

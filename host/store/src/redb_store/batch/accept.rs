//! Accepting an event: the event, its deliveries and its names, as part of one transaction.

use std::sync::Arc;

use redb::ReadableTable;
use whisperer_domain::catalog::Revision;
use whisperer_domain::delivery::{Delivery, DeliveryState, Ready};
use whisperer_domain::event::{Event, IdempotencyKey, NewEvent};
use whisperer_domain::id::{EventId, EventKey, HookId, Sequence};
use whisperer_domain::port::{AcceptError, Accepted, FeedItem};
use whisperer_domain::time::Timestamp;

use super::{Batch, lease};
use crate::delivery_uuid::{self, CHANCE_BYTES};
use crate::directing;
use crate::redb_store::fault::Fault;
use crate::redb_store::frame;
use crate::redb_store::record::{self, EventFilterRecord, EventIdRecord, IdempotencyRecord, Row};
use crate::redb_store::rows;

/// Old idempotency keys that one accept takes away: more than it can add, so that they end.
const FORGOTTEN_MAX: usize = 4;

enum Judgement {
    New,
    Known(Accepted),
    Refused(AcceptError),
}

impl Batch<'_, '_> {
    /// The outer error spoils the transaction unless it is damage, which was met before
    /// anything was written.
    pub(in crate::redb_store) fn accept(
        &mut self,
        event: NewEvent,
        recipients: &[HookId],
        revision: Revision,
    ) -> Result<Result<Accepted, AcceptError>, Fault> {
        match self.judge(&event, recipients, revision)? {
            Judgement::New => self.write_event(event, recipients).map(Ok),
            Judgement::Known(accepted) => Ok(Ok(accepted)),
            Judgement::Refused(error) => Ok(Err(error)),
        }
    }

    /// What is known already is answered first: a repetition stays one, whatever became of the
    /// catalog since.
    fn judge(
        &self,
        event: &NewEvent,
        recipients: &[HookId],
        revision: Revision,
    ) -> Result<Judgement, Fault> {
        if let Some(used) = self.used_key(event)? {
            return Ok(known(
                used.fingerprint == event.fingerprint,
                used.id,
                used.deliveries,
                AcceptError::KeyReused,
            ));
        }
        if let Some(taken) = rows::event_id(&self.tables.event_ids, &event.id)? {
            return Ok(known(
                taken.fingerprint == event.fingerprint,
                event.id.clone(),
                taken.deliveries,
                AcceptError::IdTaken,
            ));
        }
        let catalog = &self.state.catalog;
        // At one revision the recipients are what the catalog says; the look at each keeps a
        // caller's slip from making deliveries that nobody owns.
        if revision != catalog.revision || !directing::all_accept(recipients, catalog) {
            return Ok(Judgement::Refused(AcceptError::Stale));
        }
        Ok(Judgement::New)
    }

    /// What the event's idempotency key was used for, within its life.
    fn used_key(&self, event: &NewEvent) -> Result<Option<IdempotencyRecord>, Fault> {
        let Some(key) = &event.idempotency else {
            return Ok(None);
        };
        let place = (key.owner.as_str(), key.key.as_str());
        let Some(bytes) = self.tables.idempotency.get(place)? else {
            return Ok(None);
        };
        let used: IdempotencyRecord = frame::decode(
            "idempotency",
            &format_args!("{}, {}", place.0, place.1),
            bytes.value(),
        )?;
        Ok((!IdempotencyKey::has_expired(used.used_at, self.accept_at)).then_some(used))
    }

    pub(super) fn write_event(
        &mut self,
        new: NewEvent,
        recipients: &[HookId],
    ) -> Result<Accepted, Fault> {
        self.wrote = true;
        let counters = &mut self.state.counters;
        let key = EventKey(counters.event);
        counters.event += 1;
        counters.events_accepted += 1;
        counters.accepted_at = self.accept_at;
        let accepted = Accepted {
            id: new.id.clone(),
            deliveries: recipients.len() as u64,
            replayed: false,
        };
        self.write_names(key, &new, accepted.deliveries)?;
        let event = Arc::new(Event {
            key,
            id: new.id,
            event_type: new.event_type,
            occurred_at: new.occurred_at.unwrap_or(self.accept_at),
            accepted_at: self.accept_at,
            object_id: new.object_id,
            content_type: new.content_type,
            cloud: new.cloud,
            payload: new.payload,
        });
        self.put_event(key, &record::encode_event(&event))?;
        self.state.oldest_event_at.get_or_insert(self.accept_at);
        self.write_deliveries(&event, recipients)?;
        Ok(accepted)
    }

    fn write_names(&mut self, key: EventKey, new: &NewEvent, deliveries: u64) -> Result<(), Fault> {
        let taken = EventIdRecord {
            event: key,
            fingerprint: new.fingerprint,
            deliveries,
            first: Some(Sequence(self.state.counters.sequence)),
        };
        self.tables
            .event_ids
            .insert(new.id.as_str(), &*record::encode_event_id(&taken))?;
        if let Some(config_filter) = new.config_filter.clone() {
            let filter = EventFilterRecord { config_filter };
            self.tables
                .event_filters
                .insert(key.0, &*frame::encode(&filter))?;
        }
        let Some(idempotency) = &new.idempotency else {
            return Ok(());
        };
        self.forget_old_keys()?;
        let used = IdempotencyRecord {
            used_at: self.accept_at,
            fingerprint: new.fingerprint,
            id: new.id.clone(),
            deliveries,
        };
        let (owner, key) = (idempotency.owner.as_str(), idempotency.key.as_str());
        self.tables
            .idempotency
            .insert((owner, key), &*frame::encode(&used))?;
        self.tables
            .idempotency_age
            .insert((self.accept_at.0, owner, key), ())?;
        Ok(())
    }

    fn forget_old_keys(&mut self) -> Result<(), Fault> {
        for _ in 0..FORGOTTEN_MAX {
            let (used_at, owner, key) = {
                let Some(oldest) = self.tables.idempotency_age.first()? else {
                    return Ok(());
                };
                let (used_at, owner, key) = oldest.0.value();
                (Timestamp(used_at), owner.to_owned(), key.to_owned())
            };
            if !IdempotencyKey::has_expired(used_at, self.accept_at) {
                return Ok(());
            }
            let (owner, key) = (owner.as_str(), key.as_str());
            self.tables
                .idempotency_age
                .remove((used_at.0, owner, key))?;
            self.tables.idempotency.remove((owner, key))?;
        }
        Ok(())
    }

    pub(super) fn write_deliveries(
        &mut self,
        event: &Arc<Event>,
        recipients: &[HookId],
    ) -> Result<(), Fault> {
        let mut chance = vec![0; CHANCE_BYTES * recipients.len()];
        getrandom::fill(&mut chance).map_err(Fault::Random)?;
        let (chances, _) = chance.as_chunks::<CHANCE_BYTES>();
        for (hook, chance) in recipients.iter().zip(chances) {
            let sequence = Sequence(self.state.counters.sequence);
            self.state.counters.sequence += 1;
            let delivery = Delivery {
                sequence,
                uuid: delivery_uuid::made(self.accept_at, chance),
                hook: *hook,
                event: event.key,
                event_type: event.event_type.clone(),
                created_at: self.accept_at,
                modified_at: self.accept_at,
                attempts: 0,
                // By the clock as it is: after it was set back, new deliveries are due at once
                // all the same.
                state: DeliveryState::Pending {
                    due: self.now,
                    waiting_for: None,
                },
                last_status: None,
                revival: None,
            };
            let place = self.is_ordered(*hook).then_some(sequence.0);
            let row = Row::fresh(delivery, place);
            self.put_delivery(&row)?;
            if let Some(key) = row.lane_key() {
                self.tables.pending.insert(key, ())?;
            }
            self.tables.history.insert((hook.0, sequence.0), ())?;
            self.feed.push(FeedItem::Fresh {
                lease: lease(*hook),
                ready: Ready {
                    delivery: row.delivery,
                    event: Arc::clone(event),
                    pin: None,
                },
            });
        }
        Ok(())
    }
}

fn known(same: bool, id: EventId, deliveries: u64, conflict: AcceptError) -> Judgement {
    if same {
        Judgement::Known(Accepted {
            id,
            deliveries,
            replayed: true,
        })
    } else {
        Judgement::Refused(conflict)
    }
}

//! Finding, listing and counting in the model.

use std::sync::Arc;

use whisperer_domain::id::{EventId, EventKey, HookId, Sequence};
use whisperer_domain::port::{
    Attempted, DeliveryQuery, DeliveryView, EventFound, EventPage, EventQuery, LaneView, Page,
    Scope,
};

use super::{Kept, Model};
use crate::admit::{PAGE_ROWS_MAX, admits, admits_event};
use crate::follow;

impl Model {
    pub(super) fn find(&self, sequence: Sequence, scope: &Scope) -> Option<Attempted> {
        let kept = self.deliveries.get(&sequence)?;
        if !self.is_visible(kept.delivery.hook, scope) {
            return None;
        }
        Some(Attempted {
            view: self.view(kept)?,
            attempts: kept.attempts.clone(),
            pin: kept.pin.clone(),
        })
    }

    pub(super) fn page(&self, query: &DeliveryQuery) -> Page {
        let rows_max = query.limit.clamp(1, PAGE_ROWS_MAX);
        let mut page = Page::default();
        let mut last = None;
        let to = query.before.unwrap_or(Sequence(u64::MAX));
        for kept in self.deliveries.range(..to).rev().map(|(_, kept)| kept) {
            let is_meant =
                admits(query, &kept.delivery) && self.is_visible(kept.delivery.hook, &query.scope);
            let Some(view) = self.view(kept).filter(|_| is_meant) else {
                continue;
            };
            let other_event = query.event.as_ref().is_some_and(|id| *id != view.event.id);
            let other_object = query.object_id.is_some() && query.object_id != view.event.object_id;
            if other_event || other_object {
                continue;
            }
            // Only here is it known that something is left.
            if page.items.len() == rows_max {
                page.next = last;
                break;
            }
            last = Some(kept.delivery.sequence);
            page.examined += 1;
            page.items.push(view);
        }
        page
    }

    pub(super) fn find_event(&self, id: &EventId) -> Option<EventFound> {
        let event = self.events.values().find(|event| event.id == *id)?;
        Some(EventFound {
            event: Arc::clone(event),
            config_filter: self.config_filters.get(&event.key).cloned(),
        })
    }

    pub(super) fn events(&self, query: &EventQuery) -> EventPage {
        let rows_max = query.limit.clamp(1, PAGE_ROWS_MAX);
        let mut page = EventPage::default();
        let to = query.before.unwrap_or(EventKey(u64::MAX));
        let events = self.events.range(..to).rev().map(|(_, event)| event);
        for event in events.filter(|event| admits_event(query, event)) {
            if page.items.len() == rows_max {
                page.next = page.items.last().map(|last| last.key);
                break;
            }
            page.examined += 1;
            page.items.push(Arc::clone(event));
        }
        page
    }

    /// Looks at every delivery: what the redb store finds among some is held against this.
    pub(super) fn lane(&self, hook: HookId, pending_max: usize) -> LaneView {
        let all = self.lane_rows(hook).count();
        let tried = self.deliveries.values().filter_map(|kept| {
            let attempt = kept.attempts.last()?;
            let sequence = kept.delivery.sequence;
            (kept.delivery.hook == hook).then_some((attempt.started_at, sequence, attempt))
        });
        LaneView {
            hook,
            pending: all.min(pending_max),
            more_pending: all > pending_max,
            next_due: self
                .lane_kept(hook)
                .next()
                .and_then(|head| head.delivery.state.due()),
            last_attempt: tried
                .max_by_key(|(started_at, sequence, _)| (*started_at, *sequence))
                .map(|(_, sequence, attempt)| follow::shown(sequence, attempt)),
            health: self.health.get(&hook).cloned().unwrap_or_default(),
        }
    }

    fn view(&self, kept: &Kept) -> Option<DeliveryView> {
        Some(DeliveryView {
            delivery: kept.delivery.clone(),
            event: Arc::clone(self.events.get(&kept.delivery.event)?),
            last_attempt: kept.attempts.last().cloned(),
            attempted_at: kept
                .attempts
                .iter()
                .map(|attempt| attempt.started_at)
                .collect(),
            hook: self.tombstones.get(&kept.delivery.hook).cloned(),
        })
    }

    fn is_visible(&self, hook: HookId, scope: &Scope) -> bool {
        let owner = match scope {
            Scope::All => return true,
            Scope::Of(owner) => owner,
        };
        let known = self.catalog.hooks.get(&hook);
        let known = known.or_else(|| self.tombstones.get(&hook));
        known.is_some_and(|hook| hook.owner == *owner)
    }
}

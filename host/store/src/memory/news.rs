//! Operational events in the model: their ids count up instead of being chance.

use std::sync::Arc;

use whisperer_domain::delivery::DeliveryState;
use whisperer_domain::hook::Hook;
use whisperer_domain::id::{EventId, HookId, Sequence};
use whisperer_domain::news::{News, may_tell_of};
use whisperer_domain::time::Timestamp;

use super::Model;
use crate::{delivery_uuid, follow};

impl Model {
    /// Of a delivery that was just settled.
    pub(super) fn tell_if_dead(&mut self, sequence: Sequence, now: Timestamp) {
        let Some(kept) = self.deliveries.get(&sequence) else {
            return;
        };
        let DeliveryState::Dead(cause) = &kept.delivery.state else {
            return;
        };
        let (delivery, cause) = (kept.delivery.clone(), cause.clone());
        let Some(event) = self.events.get(&delivery.event).map(Arc::clone) else {
            return;
        };
        let news = News::Dead {
            delivery: &delivery,
            event: &event,
            cause: &cause,
        };
        self.tell_news(delivery.hook, &news, now);
    }

    pub(super) fn tell_news(&mut self, hook: HookId, news: &News<'_>, now: Timestamp) {
        let Some(about) = self.told_of(hook) else {
            return;
        };
        let recipients = self.catalog.listeners(&news.event_type());
        if recipients.is_empty() {
            return;
        }
        let Some(id) = self.free_id() else { return };
        let event = news.event(id, &about);
        let recipients = follow::that_want(&self.catalog, &recipients, &event);
        if !recipients.is_empty() {
            self.add_event(event, &recipients, now);
        }
    }

    fn told_of(&self, hook: HookId) -> Option<Arc<Hook>> {
        let hook = self.catalog.hooks.get(&hook);
        hook.filter(|hook| may_tell_of(&hook.subscription)).cloned()
    }

    /// Posters may have taken some; never all.
    fn free_id(&self) -> Option<EventId> {
        (self.next_event..)
            .map(|number| {
                let [a, b, c, d, e, f, g, h] = number.to_be_bytes();
                delivery_uuid::made(self.accepted_at, &[1, 0, a, b, c, d, e, f, g, h])
            })
            .filter_map(|uuid| EventId::parse(&uuid.to_string()).ok())
            .find(|id| !self.event_ids.contains_key(id))
    }
}

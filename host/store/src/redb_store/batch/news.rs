//! Operational events, in the transaction of what they tell. They are accepted like any other
//! event; nothing is written, nor even read, while nobody listens.

use std::sync::Arc;

use whisperer_domain::delivery::DeliveryState;
use whisperer_domain::event_type::EventType;
use whisperer_domain::hook::Hook;
use whisperer_domain::id::{EventId, HookId};
use whisperer_domain::news::{DELIVERY_DEAD, News, may_tell_of};

use super::Batch;
use crate::delivery_uuid::{self, CHANCE_BYTES};
use crate::follow;
use crate::redb_store::fault::Fault;
use crate::redb_store::record::Row;
use crate::redb_store::rows;

/// Ids are chance, so a second one is taken only if a poster copied the first.
const DRAWS_MAX: usize = 3;

impl Batch<'_, '_> {
    /// Of a delivery that was just written.
    pub(super) fn tell_if_dead(&mut self, row: &Row) -> Result<(), Fault> {
        let delivery = &row.delivery;
        let cause = match &delivery.state {
            DeliveryState::Dead(cause) => cause,
            DeliveryState::Pending { .. }
            | DeliveryState::Delivered
            | DeliveryState::Discarded { .. }
            | DeliveryState::Cancelled(_) => return Ok(()),
        };
        if self.told_of(delivery.hook).is_none() || self.listeners(DELIVERY_DEAD).is_empty() {
            return Ok(());
        }
        let event = match rows::event(&self.tables.events, delivery.event) {
            // The delivery is written: its end stays, though nobody hears of it.
            Err(fault @ Fault::Damaged { .. }) => {
                tracing::error!(%fault, "the end of a delivery cannot be told");
                return Ok(());
            }
            read => read?,
        };
        let news = News::Dead {
            delivery,
            event: &event,
            cause,
        };
        self.tell(delivery.hook, &news)
    }

    pub(super) fn tell(&mut self, hook: HookId, news: &News<'_>) -> Result<(), Fault> {
        let Some(about) = self.told_of(hook) else {
            return Ok(());
        };
        let recipients = self.listeners(news.event_type().as_str());
        if recipients.is_empty() {
            return Ok(());
        }
        let Some(id) = self.free_id()? else {
            tracing::error!(hook = hook.0, "no id was free for an operational event");
            return Ok(());
        };
        let event = news.event(id, &about);
        let recipients = follow::that_want(&self.state.catalog, &recipients, &event);
        if !recipients.is_empty() {
            self.write_event(event, &recipients)?;
        }
        Ok(())
    }

    fn told_of(&self, hook: HookId) -> Option<Arc<Hook>> {
        let hook = self.state.catalog.hooks.get(&hook);
        hook.filter(|hook| may_tell_of(&hook.subscription)).cloned()
    }

    /// Asked of the catalog once a transaction, as long as it does not change: of a million deaths
    /// that nobody hears of, each is to cost next to nothing.
    fn listeners(&mut self, news: &str) -> Arc<[HookId]> {
        if let Some(known) = self.listeners.get(news) {
            return Arc::clone(known);
        }
        let found = EventType::parse(news).map(|news| self.state.catalog.listeners(&news));
        let found: Arc<[HookId]> = found.unwrap_or_default().into();
        self.listeners.insert(news.to_owned(), Arc::clone(&found));
        found
    }

    fn free_id(&self) -> Result<Option<EventId>, Fault> {
        for _ in 0..DRAWS_MAX {
            let mut chance = [0; CHANCE_BYTES];
            getrandom::fill(&mut chance).map_err(Fault::Random)?;
            let uuid = delivery_uuid::made(self.accept_at, &chance);
            let Ok(id) = EventId::parse(&uuid.to_string()) else {
                continue;
            };
            if rows::event_id(&self.tables.event_ids, &id)?.is_none() {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }
}

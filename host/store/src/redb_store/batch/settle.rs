//! Settling what attempts came to, as part of one transaction.

use redb::ReadableTable;
use whisperer_domain::attempt::Attempt;
use whisperer_domain::delivery::{DeliveryState, Pin};
use whisperer_domain::id::{HookId, Sequence};
use whisperer_domain::news::News;
use whisperer_domain::port::{Settled, Settlement};

use super::{Batch, FENCE};
use crate::follow;
use crate::redb_store::fault::Fault;
use crate::redb_store::record::{self, Row};
use crate::redb_store::rows;

impl Batch<'_, '_> {
    /// One answer per item. A delivery whose record is damaged is out of reach for good: it is
    /// reported, and answered as one that nothing can be done about, so that its neighbours in
    /// the call are settled.
    pub(in crate::redb_store) fn settle(
        &mut self,
        items: &[Settlement],
    ) -> Result<Vec<Settled>, Fault> {
        items
            .iter()
            .map(|item| match self.settle_one(item) {
                Err(fault @ Fault::Damaged { .. }) => {
                    tracing::error!(%fault, "a delivery cannot be settled");
                    Ok(Settled::Cancelled)
                }
                settled => settled,
            })
            .collect()
    }

    fn settle_one(&mut self, item: &Settlement) -> Result<Settled, Fault> {
        let hook = item.lease.hook;
        if item.lease.fence != FENCE {
            return Ok(Settled::Fenced);
        }
        let Some(mut row) = rows::delivery(&self.tables.deliveries, item.sequence)? else {
            return Ok(Settled::Cancelled);
        };
        if row.delivery.hook != hook {
            return Ok(Settled::Fenced);
        }
        if let Some(attempt) = &item.attempt
            && row.has_try(attempt.id)
        {
            return Ok(Settled::Applied {
                due: row.delivery.state.due(),
            });
        }
        let stood = row.lane_key();
        let cancelled = self.cancellation_of(hook, item.sequence, &row);
        let applies = stood.is_some() && cancelled.is_none();
        row.delivery.modified_at = self.now.max(row.delivery.created_at);
        if let Some(state) = cancelled {
            row.delivery.state = state;
        } else if applies {
            row.delivery.state = item.verdict.clone().state(self.now);
        }
        let began_at = item.attempt.as_ref().map(|attempt| attempt.started_at);
        if let Some(attempt) = &item.attempt {
            self.write_attempt(&mut row, attempt)?;
        }
        if let Some(pin) = &item.pin {
            self.write_pin(item.sequence, pin)?;
        }
        self.move_row(&mut row, stood)?;
        if let Some(health) = &item.health
            && follow::is_of_now(&self.state.catalog, hook, began_at)
        {
            self.write_health(hook, health)?;
        }
        let disabled = match &item.effect {
            Some(effect) => self.take_effect(hook, began_at, effect)?,
            None => None,
        };
        // Told by the catalog as it is after the effect.
        if applies {
            self.tell_if_dead(&row)?;
        }
        if let Some(news) = &item.news {
            self.tell(hook, &News::Hook(*news))?;
        }
        if let Some(reason) = &disabled {
            self.tell(hook, &News::Disabled { reason })?;
        }
        if !applies {
            return Ok(Settled::Cancelled);
        }
        Ok(Settled::Applied {
            due: row.delivery.state.due(),
        })
    }

    /// The state of a pending delivery that a cancellation at work covers but did not reach.
    fn cancellation_of(
        &self,
        hook: HookId,
        sequence: Sequence,
        row: &Row,
    ) -> Option<DeliveryState> {
        row.delivery.state.due()?;
        let cancellation = self.state.cancellation(hook, sequence)?;
        Some(DeliveryState::Cancelled(cancellation.cause.clone()))
    }

    /// Numbered by the order of settling: two tries at once, which both happened, are told apart
    /// whatever number each thought it had.
    fn write_attempt(&mut self, row: &mut Row, attempt: &Attempt) -> Result<(), Fault> {
        follow::count(&mut row.delivery, attempt);
        let (sequence, number) = (row.delivery.sequence, row.delivery.attempts);
        self.put_attempt(sequence, number, &record::encode_attempt(attempt, number))?;
        row.add_try(attempt.id, attempt.started_at);
        self.state.counters.attempts_settled += 1;
        Ok(())
    }

    /// The first pin holds for good.
    fn write_pin(&mut self, sequence: Sequence, pin: &Pin) -> Result<(), Fault> {
        if self.tables.pins.get(sequence.0)?.is_none() {
            let pin = record::encode_pin(sequence, pin.clone(), self.seal)?;
            self.put_pin(sequence, &pin)?;
        }
        Ok(())
    }

    /// Writes the delivery and puts it where it now stands in its lane. What was pending keeps its
    /// place in an ordered lane; what is brought back stands behind all that is there.
    pub(super) fn move_row(
        &mut self,
        row: &mut Row,
        stood: Option<(u64, u64, u64)>,
    ) -> Result<(), Fault> {
        self.wrote = true;
        self.rewritten.push(row.delivery.sequence);
        if row.delivery.state.due().is_none() {
            row.place = None;
        } else if stood.is_none() && self.is_ordered(row.delivery.hook) {
            row.place = Some(self.state.counters.sequence);
            self.state.counters.sequence += 1;
        }
        self.put_delivery(row)?;
        let stands = row.lane_key();
        if stood == stands {
            return Ok(());
        }
        if let Some(key) = stood {
            self.tables.pending.remove(key)?;
        }
        if let Some(key) = stands {
            self.tables.pending.insert(key, ())?;
        }
        Ok(())
    }
}

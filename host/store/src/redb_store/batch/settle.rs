//! Settling what attempts came to, as part of one transaction.

use std::sync::Arc;

use redb::ReadableTable;
use whisperer_domain::attempt::Attempt;
use whisperer_domain::delivery::{CancelCause, DeliveryState, Pin};
use whisperer_domain::id::{HookId, Sequence};
use whisperer_domain::port::{FeedItem, HookEffect, Settled, Settlement};

use super::{Batch, FENCE};
use crate::catalog_edit;
use crate::follow;
use crate::redb_store::fault::Fault;
use crate::redb_store::frame;
use crate::redb_store::record::{self, HookRecord, Row};
use crate::redb_store::rows;

impl Batch<'_, '_> {
    /// One answer per item. A delivery whose record is damaged is out of reach for good: it is
    /// reported, and answered as one that nothing can be done about, so that its neighbours in
    /// the call are settled.
    pub(in crate::redb_store) fn settle(
        &mut self,
        items: Vec<Settlement>,
    ) -> Result<Vec<Settled>, Fault> {
        items
            .into_iter()
            .map(|item| match self.settle_one(item) {
                Err(fault @ Fault::Damaged { .. }) => {
                    tracing::error!(%fault, "a delivery cannot be settled");
                    Ok(Settled::Cancelled)
                }
                settled => settled,
            })
            .collect()
    }

    fn settle_one(&mut self, item: Settlement) -> Result<Settled, Fault> {
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
        let was_due = row.delivery.state.due();
        let cancelled = self.cancellation_of(hook, item.sequence, &row);
        let stays = was_due.is_none();
        row.delivery.modified_at = self.now.max(row.delivery.created_at);
        if let Some(state) = &cancelled {
            row.delivery.state = state.clone();
        } else if !stays {
            row.delivery.state = item.verdict.state(self.now);
        }
        if let Some(attempt) = item.attempt {
            self.write_attempt(&mut row, attempt)?;
        }
        if let Some(pin) = item.pin {
            self.write_pin(item.sequence, pin)?;
        }
        self.move_row(&row, was_due.map(|due| due.0))?;
        if let Some(HookEffect::Gone { reason }) = item.effect {
            self.gone(hook, reason)?;
        }
        if stays || cancelled.is_some() {
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
    fn write_attempt(&mut self, row: &mut Row, mut attempt: Attempt) -> Result<(), Fault> {
        follow::count(&mut row.delivery, &attempt);
        attempt.number = row.delivery.attempts;
        self.tables.attempts.insert(
            (row.delivery.sequence.0, attempt.number),
            &*frame::encode(&attempt),
        )?;
        row.add_try(attempt.id, attempt.started_at);
        self.state.counters.attempts_settled += 1;
        Ok(())
    }

    /// The first pin holds for good.
    fn write_pin(&mut self, sequence: Sequence, pin: Pin) -> Result<(), Fault> {
        if self.tables.pins.get(sequence.0)?.is_none() {
            self.tables
                .pins
                .insert(sequence.0, &*record::encode_pin(pin))?;
        }
        Ok(())
    }

    /// Writes the delivery and puts it where it now stands in its lane.
    pub(super) fn move_row(&mut self, row: &Row, was_due: Option<u64>) -> Result<(), Fault> {
        self.wrote = true;
        self.rewritten.push(row.delivery.sequence);
        let (hook, sequence) = (row.delivery.hook.0, row.delivery.sequence.0);
        self.tables.deliveries.insert(sequence, &*row.encode())?;
        if let Some(due) = was_due {
            self.tables.pending.remove((hook, due, sequence))?;
        }
        if let Some(due) = row.delivery.state.due() {
            self.tables.pending.insert((hook, due.0, sequence), ())?;
        }
        Ok(())
    }

    /// The receiver said 410: the hook is disabled and what it was owed is cancelled.
    fn gone(&mut self, id: HookId, reason: String) -> Result<(), Fault> {
        let old = match self.tables.hooks.get(id.0)? {
            Some(bytes) => HookRecord::decode("hooks", id, bytes.value()).ok(),
            None => None,
        };
        let catalog = Arc::make_mut(&mut self.state.catalog);
        let Some(hook) = catalog_edit::disable(catalog, id, reason, self.now) else {
            return Ok(());
        };
        self.catalog_changed = true;
        let revision = catalog.revision;
        self.write_hook(&hook, old)?;
        self.cancel_lane(id, CancelCause::Gone)?;
        self.feed.push(FeedItem::Catalog(revision));
        Ok(())
    }
}

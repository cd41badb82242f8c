//! What of a lane is due.

use std::collections::HashSet;
use std::sync::Arc;

use whisperer_domain::delivery::Ready;
use whisperer_domain::id::{HookId, Sequence};
use whisperer_domain::port::{Budget, Taken};
use whisperer_domain::time::Timestamp;

use super::Reading;
use crate::redb_store::fault::Fault;
use crate::redb_store::rows;

/// Rows passed over in one call, beside those that are held: cancelled and damaged ones.
const PASSED_MAX: usize = 5000;

impl Reading<'_> {
    /// A damaged row is passed over while others can go; when it is all there is, the call says
    /// so: a lane is not stopped by one of its rows, nor is the row hushed up.
    pub(in crate::redb_store) fn take(
        &mut self,
        hook: HookId,
        horizon: Timestamp,
        held: &HashSet<Sequence>,
        budget: Budget,
    ) -> Result<Taken, Fault> {
        let cancelled_below = self.cancelled_below(hook)?;
        let mut taken = Taken::default();
        let mut bytes = 0;
        let mut damage = None;
        let due = self
            .views
            .pending
            .range((hook.0, 0, 0)..=(hook.0, horizon.0, u64::MAX))?;
        let rows_max = budget.rows.max(1);
        for (examined, row) in due.enumerate() {
            let (_, _, sequence) = row?.0.value();
            let sequence = Sequence(sequence);
            if examined > held.len() + rows_max + PASSED_MAX {
                taken.more = true;
                break;
            }
            if sequence < cancelled_below || held.contains(&sequence) {
                continue;
            }
            if taken.ready.len() >= rows_max {
                taken.more = true;
                break;
            }
            match self.ready(sequence) {
                Ok(ready) => {
                    if !taken.ready.is_empty() && bytes + ready.bytes() > budget.bytes {
                        taken.more = true;
                        break;
                    }
                    bytes += ready.bytes();
                    taken.ready.push(ready);
                }
                Err(fault @ Fault::Damaged { .. }) => damage = Some(fault),
                Err(fault @ (Fault::Database(_) | Fault::Random(_) | Fault::Absent)) => {
                    return Err(fault);
                }
            }
        }
        if let Some(fault) = damage {
            if taken.ready.is_empty() {
                return Err(fault);
            }
            tracing::error!(%fault, hook = hook.0, "a pending delivery cannot be read");
        }
        taken.next_due = self.next_due(hook, horizon, cancelled_below, held)?;
        Ok(taken)
    }

    /// Everything pending below it is cancelled, whether or not its row says so yet.
    pub(super) fn cancelled_below(&self, hook: HookId) -> Result<Sequence, Fault> {
        let mut at_work = self
            .views
            .cancellations
            .range((hook.0, 0)..=(hook.0, u64::MAX))?;
        let last = at_work.next_back().transpose()?;
        Ok(Sequence(last.map_or(0, |(key, _)| key.value().1)))
    }

    fn ready(&mut self, sequence: Sequence) -> Result<Ready, Fault> {
        let row = rows::delivery(&self.views.deliveries, sequence)?.ok_or_else(|| {
            crate::redb_store::frame::damaged("deliveries", &sequence.0, "is missing")
        })?;
        let pin = rows::pin(&self.views.pins, sequence)?.map(Arc::new);
        Ok(Ready {
            event: self.event(row.delivery.event)?,
            delivery: row.delivery,
            pin,
        })
    }

    fn next_due(
        &self,
        hook: HookId,
        horizon: Timestamp,
        cancelled_below: Sequence,
        held: &HashSet<Sequence>,
    ) -> Result<Option<Timestamp>, Fault> {
        let Some(after) = horizon.0.checked_add(1) else {
            return Ok(None);
        };
        let later = self
            .views
            .pending
            .range((hook.0, after, 0)..=(hook.0, u64::MAX, u64::MAX))?;
        for row in later.take(held.len() + PASSED_MAX) {
            let (_, due, sequence) = row?.0.value();
            let sequence = Sequence(sequence);
            if sequence >= cancelled_below && !held.contains(&sequence) {
                return Ok(Some(Timestamp(due)));
            }
        }
        Ok(None)
    }
}

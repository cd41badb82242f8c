//! What of a lane is due.

mod in_turn;

use std::collections::HashSet;
use std::sync::Arc;

use whisperer_domain::delivery::Ready;
use whisperer_domain::hook::Ordered;
use whisperer_domain::id::{HookId, Sequence};
use whisperer_domain::port::{Budget, Taken};
use whisperer_domain::time::Timestamp;

use super::Reading;
use crate::in_order::PASSED_MAX;
use crate::redb_store::fault::Fault;
use crate::redb_store::record::Row;
use crate::redb_store::{frame, rows};

/// What is asked of a lane.
pub(in crate::redb_store) struct Asked {
    pub(in crate::redb_store) hook: HookId,
    pub(in crate::redb_store) horizon: Timestamp,
    pub(in crate::redb_store) held: HashSet<Sequence>,
    pub(in crate::redb_store) budget: Budget,
}

impl Asked {
    /// Rows that are examined at most: what is held, what may come, and some that are passed over.
    fn examined_max(&self) -> usize {
        self.held.len() + self.budget.rows.max(1) + PASSED_MAX
    }
}

impl Reading {
    /// A damaged row is passed over while others can go; when it is all there is, the call says
    /// so: a lane is not stopped by one of its rows, nor is the row hushed up.
    pub(in crate::redb_store) fn take(
        &mut self,
        asked: &Asked,
        ordered: Ordered,
    ) -> Result<Taken, Fault> {
        match ordered {
            Ordered::No => self.take_by_due(asked),
            Ordered::Hook | Ordered::Object => self.take_in_turn(asked, ordered),
        }
    }

    fn take_by_due(&mut self, asked: &Asked) -> Result<Taken, Fault> {
        let (hook, horizon) = (asked.hook, asked.horizon);
        let cancelled_below = self.cancelled_below(hook)?;
        let mut basket = Basket::new(asked.budget);
        let due = self
            .views
            .pending
            .range((hook.0, 0, 0)..=(hook.0, horizon.0, u64::MAX))?;
        for (examined, row) in due.enumerate() {
            let (_, _, sequence) = row?.0.value();
            let sequence = Sequence(sequence);
            if examined > asked.examined_max() {
                basket.taken.more = true;
                break;
            }
            if sequence < cancelled_below || asked.held.contains(&sequence) {
                continue;
            }
            if basket.is_full() {
                basket.taken.more = true;
                break;
            }
            let row = self.pending_row(hook, sequence);
            if let Ok(row) = &row
                && row.place.is_some()
            {
                return Ok(stands_otherwise());
            }
            if !basket.put(row.and_then(|row| self.ready(row)))? {
                break;
            }
        }
        basket.taken.next_due = self.next_due(asked, cancelled_below)?;
        basket.brought(hook, false)
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

    /// A delivery that the lane's index names. The index has no checksums: what of another hook
    /// stands in it must not be sent to this one.
    fn pending_row(&self, hook: HookId, sequence: Sequence) -> Result<Row, Fault> {
        let row = rows::delivery(&self.views.deliveries, sequence)?
            .ok_or_else(|| frame::damaged("deliveries", &sequence.0, "is missing"))?;
        if row.delivery.hook != hook {
            let what = format!("stands in the lane of hook {}", hook.0);
            return Err(frame::damaged("deliveries", &sequence.0, &what));
        }
        Ok(row)
    }

    fn ready(&mut self, row: Row) -> Result<Ready, Fault> {
        let pin = rows::pin(&self.views.pins, row.delivery.sequence, &self.seal)?.map(Arc::new);
        Ok(Ready {
            event: self.event(row.delivery.event)?,
            delivery: row.delivery,
            pin,
        })
    }

    fn next_due(
        &self,
        asked: &Asked,
        cancelled_below: Sequence,
    ) -> Result<Option<Timestamp>, Fault> {
        let Some(after) = asked.horizon.0.checked_add(1) else {
            return Ok(None);
        };
        let hook = asked.hook;
        let later = self
            .views
            .pending
            .range((hook.0, after, 0)..=(hook.0, u64::MAX, u64::MAX))?;
        for row in later.take(asked.held.len() + PASSED_MAX) {
            let (_, due, sequence) = row?.0.value();
            let sequence = Sequence(sequence);
            if sequence >= cancelled_below && !asked.held.contains(&sequence) {
                return Ok(Some(Timestamp(due)));
            }
        }
        Ok(None)
    }
}

/// The hook was changed since the lane last heard of it.
fn stands_otherwise() -> Taken {
    Taken {
        more: true,
        ..Taken::default()
    }
}

/// What was found, within the budget.
struct Basket {
    taken: Taken,
    bytes: usize,
    budget: Budget,
    damage: Option<Fault>,
}

impl Basket {
    fn new(budget: Budget) -> Self {
        Self {
            taken: Taken::default(),
            bytes: 0,
            budget,
            damage: None,
        }
    }

    fn is_full(&self) -> bool {
        self.taken.ready.len() >= self.budget.rows.max(1)
    }

    /// False: there are more than the budget lets through. One always fits.
    fn put(&mut self, read: Result<Ready, Fault>) -> Result<bool, Fault> {
        let ready = match read {
            Ok(ready) => ready,
            Err(fault) => return self.pass_over(fault).map(|()| true),
        };
        let bytes = self.bytes + ready.bytes();
        if !self.taken.ready.is_empty() && bytes > self.budget.bytes {
            self.taken.more = true;
            return Ok(false);
        }
        self.bytes = bytes;
        self.taken.ready.push(ready);
        Ok(true)
    }

    /// Damage is the row's own matter, any other fault the transaction's.
    fn pass_over(&mut self, fault: Fault) -> Result<(), Fault> {
        match fault {
            Fault::Damaged { .. } => self.damage = Some(fault),
            Fault::Database(_) | Fault::Random(_) | Fault::Absent => return Err(fault),
        }
        Ok(())
    }

    /// With `waits` the lane knows what to wait for, damage or not.
    fn brought(self, hook: HookId, waits: bool) -> Result<Taken, Fault> {
        if let Some(fault) = self.damage {
            if self.taken.ready.is_empty() && !waits {
                return Err(fault);
            }
            tracing::error!(%fault, hook = hook.0, "a pending delivery cannot be read");
        }
        Ok(self.taken)
    }
}

//! How a lane stands: what is pending, what its last attempt came to, and its health as it was saved.
//!
//! Neither of the first two is written anywhere, so both are looked for, in a bounded number of rows: what waits
//! is counted in the index, and the last attempt is found by when the latest try of each of some
//! deliveries began.

use whisperer_domain::id::{HookId, Sequence};
use whisperer_domain::port::{LaneView, LastAttempt};
use whisperer_domain::time::Timestamp;

use super::{Reading, unless_damaged};
use crate::follow;
use crate::redb_store::fault::Fault;
use crate::redb_store::rows;

/// Rows of a cancellation at work that a count passes over.
const PASSED_MAX: usize = 1000;
/// Deliveries that are looked at in each place where the last attempt may be.
const CANDIDATES_MAX: usize = 50;

/// The first of what is pending.
struct Head {
    sequence: Sequence,
    due: Timestamp,
    /// Its lane is ordered.
    is_placed: bool,
}

impl Reading {
    pub(in crate::redb_store) fn lane(
        &self,
        hook: HookId,
        pending_max: usize,
    ) -> Result<LaneView, Fault> {
        let cancelled_below = self.cancelled_below(hook)?;
        let mut pending = 0;
        let mut more_pending = false;
        let mut head = None;
        let lane = (hook.0, 0, 0)..=(hook.0, u64::MAX, u64::MAX);
        for (examined, row) in self.views.pending.range(lane)?.enumerate() {
            let (_, stands, sequence) = row?.0.value();
            let is_cancelled = Sequence(sequence) < cancelled_below;
            if !is_cancelled {
                head.get_or_insert((stands, Sequence(sequence)));
            }
            let is_beyond = pending == pending_max && !is_cancelled;
            if is_beyond || examined >= pending_max.saturating_add(PASSED_MAX) {
                more_pending = true;
                break;
            }
            pending += usize::from(!is_cancelled);
        }
        let head = head.map(|(stands, sequence)| self.head(stands, sequence));
        let head = head.transpose()?;
        Ok(LaneView {
            hook,
            pending,
            more_pending,
            next_due: head.as_ref().map(|head| head.due),
            last_attempt: self.last_attempt_of(hook, head.as_ref())?,
            health: rows::health(&self.views.lanes, hook)?,
        })
    }

    fn head(&self, stands: u64, sequence: Sequence) -> Result<Head, Fault> {
        let row = rows::delivery(&self.views.deliveries, sequence);
        let row = unless_damaged(row, "the first delivery of a lane cannot be read")?;
        let due = row.as_ref().and_then(|row| row.delivery.state.due());
        Ok(Head {
            sequence,
            due: due.unwrap_or(Timestamp(stands)),
            is_placed: row.is_some_and(|row| row.place.is_some()),
        })
    }

    fn last_attempt_of(
        &self,
        hook: HookId,
        head: Option<&Head>,
    ) -> Result<Option<LastAttempt>, Fault> {
        let mut candidates = self.newest_below(hook, Sequence(u64::MAX))?;
        if let Some(head) = head
            && candidates.len() == CANDIDATES_MAX
        {
            // The newest of a long lane are not tried yet. What was tried lies just below its
            // head if it ended. If it failed it is at the lane's end, due after all that is fresh;
            // in an ordered lane it keeps its place at the front.
            candidates.extend(self.newest_below(hook, head.sequence)?);
            candidates.extend(if head.is_placed {
                self.foremost(hook)?
            } else {
                self.due_last(hook)?
            });
        }
        let mut last = None;
        for sequence in candidates {
            last = last.max(self.tried(sequence)?);
        }
        let Some((_, sequence)) = last else {
            return Ok(None);
        };
        let attempt = self.newest_attempt(sequence);
        let attempt = unless_damaged(attempt, "the last attempt of a lane cannot be read")?;
        Ok(attempt.map(|attempt| follow::shown(sequence, &attempt)))
    }

    /// When a delivery's last attempt began. In this order, so that the latest is the greatest.
    fn tried(&self, sequence: Sequence) -> Result<Option<(Timestamp, Sequence)>, Fault> {
        let row = rows::delivery(&self.views.deliveries, sequence);
        let row = unless_damaged(row, "a delivery of a lane cannot be read")?;
        Ok(row
            .and_then(|row| row.last_attempted_at())
            .map(|began_at| (began_at, sequence)))
    }

    fn newest_below(&self, hook: HookId, below: Sequence) -> Result<Vec<Sequence>, Fault> {
        let rows = self.views.history.range((hook.0, 0)..(hook.0, below.0))?;
        rows.rev()
            .take(CANDIDATES_MAX)
            .map(|row| Ok(Sequence(row?.0.value().1)))
            .collect()
    }

    fn foremost(&self, hook: HookId) -> Result<Vec<Sequence>, Fault> {
        let lane = (hook.0, 0, 0)..=(hook.0, u64::MAX, u64::MAX);
        let rows = self.views.pending.range(lane)?;
        rows.take(CANDIDATES_MAX)
            .map(|row| Ok(Sequence(row?.0.value().2)))
            .collect()
    }

    fn due_last(&self, hook: HookId) -> Result<Vec<Sequence>, Fault> {
        let lane = (hook.0, 0, 0)..=(hook.0, u64::MAX, u64::MAX);
        let rows = self.views.pending.range(lane)?;
        rows.rev()
            .take(CANDIDATES_MAX)
            .map(|row| Ok(Sequence(row?.0.value().2)))
            .collect()
    }
}

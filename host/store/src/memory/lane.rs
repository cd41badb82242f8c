//! Lanes in the model: where deliveries stand, and what may go.

use whisperer_domain::catalog::CatalogChange;
use whisperer_domain::delivery::{CancelCause, DeliveryState, Ready};
use whisperer_domain::hook::Ordered;
use whisperer_domain::id::{HookId, Sequence};
use whisperer_domain::port::{Acquired, Budget, CatalogError, Lease, Taken};
use whisperer_domain::time::Timestamp;

use super::{Kept, Model};
use crate::in_order::{self, MOVED_MAX, Met, PASSED_MAX, Walk};

/// A row of the lanes' index.
pub(super) type LaneKey = (HookId, u64, Sequence);

/// A lane that is to stand otherwise.
pub(super) struct Moving {
    hook: HookId,
    to: Ordered,
}

impl Kept {
    /// Its row in the lanes' index; none once it has ended.
    pub(super) fn lane_key(&self) -> Option<LaneKey> {
        let due = self.delivery.state.due()?;
        let stands = self.place.unwrap_or(due.0);
        Some((self.delivery.hook, stands, self.delivery.sequence))
    }

    fn due(&self) -> Timestamp {
        self.delivery.state.due().unwrap_or_default()
    }
}

impl Model {
    pub(super) fn is_ordered(&self, hook: HookId) -> bool {
        let hook = self.catalog.hooks.get(&hook);
        hook.is_some_and(|hook| hook.ordered != Ordered::No)
    }

    pub(super) fn acquire(&self, after: Option<HookId>, want: usize) -> Vec<Acquired> {
        let mut hooks: Vec<HookId> = self.pending.iter().map(|(hook, _, _)| *hook).collect();
        hooks.extend(self.health.keys());
        hooks.sort_unstable();
        hooks.dedup();
        hooks
            .into_iter()
            .filter(|hook| after.is_none_or(|after| *hook > after))
            .filter(|hook| self.catalog.hooks.contains_key(hook))
            .take(want)
            .map(|hook| Acquired {
                lease: self.lease(hook),
                health: self.health.get(&hook).cloned().unwrap_or_default(),
            })
            .collect()
    }

    pub(super) fn lane_rows(&self, hook: HookId) -> impl DoubleEndedIterator<Item = &LaneKey> {
        self.pending
            .range((hook, 0, Sequence(0))..=(hook, u64::MAX, Sequence(u64::MAX)))
    }

    /// What is pending of a lane, from its front.
    pub(super) fn lane_kept(&self, hook: HookId) -> impl Iterator<Item = &Kept> {
        self.lane_rows(hook)
            .filter_map(|(_, _, sequence)| self.deliveries.get(sequence))
    }

    pub(super) fn take(
        &self,
        lease: Lease,
        horizon: Timestamp,
        held: &[Sequence],
        budget: Budget,
        ordered: Ordered,
    ) -> Taken {
        let mut taken = Taken::default();
        if lease.fence != self.fence(lease.hook) {
            return taken;
        }
        let is_seen = |sequence| self.unseen_from.is_none_or(|from| sequence < from);
        let left: Vec<&Kept> = self
            .lane_kept(lease.hook)
            .filter(|kept| is_seen(kept.delivery.sequence))
            .filter(|kept| !held.contains(&kept.delivery.sequence))
            .collect();
        let stands_by_place = left.first().is_some_and(|kept| kept.place.is_some());
        if !left.is_empty() && stands_by_place != (ordered != Ordered::No) {
            taken.more = true;
            return taken;
        }
        match ordered {
            Ordered::No => self.take_by_due(&left, horizon, budget, &mut taken),
            Ordered::Hook | Ordered::Object => {
                self.take_in_turn(&left, Walk::new(ordered, horizon), budget, &mut taken);
            }
        }
        taken
    }

    fn take_by_due(&self, left: &[&Kept], horizon: Timestamp, budget: Budget, taken: &mut Taken) {
        let mut bytes = 0;
        for kept in left {
            if kept.due() > horizon {
                taken.next_due = Some(kept.due());
                return;
            }
            if let Some(ready) = self.ready_of(kept) {
                put(taken, &mut bytes, ready, budget);
            }
        }
    }

    fn take_in_turn(&self, left: &[&Kept], mut walk: Walk, budget: Budget, taken: &mut Taken) {
        let mut bytes = 0;
        for (examined, kept) in left.iter().enumerate() {
            if examined > budget.rows.max(1) + PASSED_MAX {
                walk.stop(taken);
                break;
            }
            let Some(ready) = self.ready_of(kept) else {
                continue;
            };
            let met = walk.meet(kept.due(), ready.event.object_id.clone());
            let goes = match met {
                Met::Passed => true,
                Met::Ends => false,
                Met::Goes => put(taken, &mut bytes, ready, budget),
            };
            if !goes {
                break;
            }
        }
        walk.end(taken);
    }

    pub(super) fn ready(&self, sequence: Sequence) -> Option<Ready> {
        self.ready_of(self.deliveries.get(&sequence)?)
    }

    fn ready_of(&self, kept: &Kept) -> Option<Ready> {
        Some(Ready {
            delivery: kept.delivery.clone(),
            event: self.events.get(&kept.delivery.event)?.clone(),
            pin: kept.pin.clone(),
        })
    }

    pub(super) fn cancel_lane(&mut self, hook: HookId, cause: &CancelCause, now: Timestamp) {
        let lane: Vec<_> = self.lane_rows(hook).copied().collect();
        for row in lane {
            self.pending.remove(&row);
            self.rewritten.push(row.2);
            if let Some(kept) = self.deliveries.get_mut(&row.2) {
                kept.delivery.state = DeliveryState::Cancelled(cause.clone());
                kept.delivery.modified_at = now.max(kept.delivery.created_at);
                kept.place = None;
            }
        }
    }

    /// Puts a delivery where it now stands in its lane. What was pending keeps its place in an
    /// ordered lane; what is brought back stands behind all that is there.
    pub(super) fn move_row(&mut self, sequence: Sequence, stood: Option<LaneKey>) {
        let Some(kept) = self.deliveries.get(&sequence) else {
            return;
        };
        let is_pending = kept.delivery.state.due().is_some();
        let comes_back = is_pending && stood.is_none() && self.is_ordered(kept.delivery.hook);
        let drawn = comes_back.then_some(self.next_sequence);
        self.next_sequence += u64::from(comes_back);
        if let Some(key) = stood {
            self.pending.remove(&key);
        }
        if let Some(kept) = self.deliveries.get_mut(&sequence) {
            kept.place = kept.place.filter(|_| is_pending).or(drawn);
            self.pending.extend(kept.lane_key());
        }
    }

    /// What a change means for the rows of its lane.
    pub(super) fn moving(&self, change: &CatalogChange) -> Result<Option<Moving>, CatalogError> {
        let Some((hook, to)) = in_order::turn(&self.catalog, change) else {
            return Ok(None);
        };
        if self.lane_rows(hook).count() > MOVED_MAX {
            return Err(CatalogError::TooManyPending { most: MOVED_MAX });
        }
        Ok(Some(Moving { hook, to }))
    }

    pub(super) fn put_in_order(&mut self, moving: Moving) {
        let lane: Vec<_> = self.lane_rows(moving.hook).copied().collect();
        for key in lane {
            self.pending.remove(&key);
            if let Some(kept) = self.deliveries.get_mut(&key.2) {
                kept.place = (moving.to != Ordered::No).then_some(key.2.0);
                self.pending.extend(kept.lane_key());
            }
        }
    }
}

/// Whether there is room for more. One always fits.
fn put(taken: &mut Taken, bytes: &mut usize, ready: Ready, budget: Budget) -> bool {
    let is_first = taken.ready.is_empty();
    let is_full = taken.ready.len() >= budget.rows.max(1) || *bytes + ready.bytes() > budget.bytes;
    taken.more |= is_full && !is_first;
    if !taken.more {
        *bytes += ready.bytes();
        taken.ready.push(ready);
    }
    !taken.more
}

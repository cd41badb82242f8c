//! The world as a store: rows in a map, and a commit that sometimes fails after it was made.

use std::sync::Arc;

use whisperer_domain::health::Health;
use whisperer_domain::hook::{HookStatus, Ordered};
use whisperer_domain::id::{HookId, Sequence};
use whisperer_domain::news::HookNews;
use whisperer_domain::port::{
    Acquired, BoxFuture, Budget, Clock, FeedSink, HookEffect, Lanes, Lease, Settled, Settlement,
    StoreDown, Taken,
};
use whisperer_domain::time::Timestamp;

use super::{State, World};

impl World {
    /// What was saved of a lane.
    pub(crate) fn saved_health(&self, hook: u64) -> Option<Health> {
        self.state().healths.get(&HookId(hook)).cloned()
    }

    pub(crate) fn save_health(&self, hook: u64, health: Health) {
        self.state().healths.insert(HookId(hook), health);
    }

    pub(crate) fn news(&self) -> Vec<(HookId, HookNews)> {
        self.state().news.clone()
    }

    fn apply(&self, settlement: Settlement) -> Settled {
        let now = self.now();
        if settlement.lease != self.lease(settlement.lease.hook) {
            return Settled::Fenced;
        }
        let mut guard = self.state();
        let state = &mut *guard;
        let row = state.rows.get_mut(&settlement.sequence).unwrap();
        let known = settlement
            .attempt
            .as_ref()
            .is_some_and(|attempt| row.attempts.iter().any(|other| other.id == attempt.id));
        if known {
            return Settled::Applied { due: row.due() };
        }
        if let Some(attempt) = settlement.attempt {
            row.ready.delivery.attempts += 1;
            row.attempts.push(attempt);
        }
        if row.due().is_none() {
            return Settled::Cancelled;
        }
        row.settled.push(settlement.verdict.clone());
        if let Some(pin) = settlement.pin {
            row.ready.pin = Some(Arc::new(pin));
        }
        row.ready.delivery.state = settlement.verdict.state(now);
        let due = row.due();
        let hook = settlement.lease.hook;
        if let Some(health) = settlement.health {
            state.healths.insert(hook, health);
        }
        state.news.extend(settlement.news.map(|news| (hook, news)));
        if let Some(HookEffect::Disable { reason }) = settlement.effect {
            drop(guard);
            self.change_hook(hook.0, |hook| {
                hook.status = HookStatus::Disabled { reason, since: now };
            });
        } else if let Some(HookEffect::Gone { reason }) = settlement.effect {
            let cancelled = row.state().clone();
            for other in state.rows.values_mut() {
                if other.ready.delivery.hook == settlement.lease.hook && other.due().is_some() {
                    other.ready.delivery.state = cancelled.clone();
                }
            }
            drop(guard);
            self.change_hook(settlement.lease.hook.0, |hook| {
                hook.status = HookStatus::Disabled { reason, since: now };
            });
        }
        Settled::Applied { due }
    }
}

/// A lane's rows in order, up to what is not due; of objects, all that wait for nothing.
fn in_order(
    state: &State,
    hook: HookId,
    horizon: Timestamp,
    held: &[Sequence],
    ordered: Ordered,
) -> Taken {
    let mut taken = Taken::default();
    for (sequence, row) in &state.rows {
        let Some(due) = row.due().filter(|_| row.ready.delivery.hook == hook) else {
            continue;
        };
        let object = row.ready.event.object_id.clone();
        let is_blocked = taken
            .blocked
            .iter()
            .any(|(blocked, _)| Some(blocked) == object.as_ref());
        if held.contains(sequence) || (ordered == Ordered::Object && is_blocked) {
            continue;
        }
        if due <= horizon {
            taken.ready.push(row.ready.clone());
            continue;
        }
        taken.next_due = Some(taken.next_due.map_or(due, |next| next.min(due)));
        if ordered == Ordered::Hook {
            taken.closed = true;
            break;
        }
        taken.blocked.extend(object.map(|object| (object, due)));
    }
    taken
}

impl Lanes for World {
    fn feed(&self, sink: Arc<dyn FeedSink>) {
        self.state().sink = Some(sink);
    }

    fn acquire(
        &self,
        after: Option<HookId>,
        want: usize,
    ) -> BoxFuture<'_, Result<Vec<Acquired>, StoreDown>> {
        let mut state = self.state();
        let pending = state.rows.values().filter(|row| row.due().is_some());
        let mut hooks: Vec<HookId> = pending.map(|row| row.ready.delivery.hook).collect();
        hooks.extend(state.healths.keys());
        hooks.sort_unstable();
        hooks.dedup();
        hooks.retain(|hook| after.is_none_or(|after| *hook > after));
        hooks.truncate(want);
        state.acquired = hooks.is_empty();
        self.changed.send_replace(());
        let saved = |hook: &HookId| state.healths.get(hook).cloned().unwrap_or_default();
        let healths: Vec<Health> = hooks.iter().map(saved).collect();
        let meanwhile = state.meanwhile.take();
        let takes = state.acquire_takes;
        drop(state);
        let acquired = hooks
            .into_iter()
            .zip(healths)
            .map(|(hook, health)| Acquired {
                lease: self.lease(hook),
                health,
            });
        let acquired: Vec<Acquired> = acquired.collect();
        if let Some(act) = meanwhile {
            act(self);
        }
        Box::pin(async move {
            if !takes.is_zero() {
                tokio::time::sleep(takes).await;
            }
            Ok(acquired)
        })
    }

    fn take(
        &self,
        lease: Lease,
        horizon: Timestamp,
        held: Vec<Sequence>,
        budget: Budget,
        ordered: Ordered,
    ) -> BoxFuture<'_, Result<Taken, StoreDown>> {
        let mut state = self.state();
        state.takes += 1;
        if ordered != Ordered::No {
            let taken = in_order(&state, lease.hook, horizon, &held, ordered);
            return Box::pin(async move {
                tokio::task::yield_now().await;
                Ok(taken)
            });
        }
        let mut rows: Vec<(Timestamp, Sequence)> = Vec::new();
        let mut damaged = None;
        for (sequence, row) in &state.rows {
            if let Some(due) = row.due()
                && row.ready.delivery.hook == lease.hook
                && !held.contains(sequence)
            {
                if state.unreadable.contains(sequence) {
                    damaged = Some(*sequence).filter(|_| due <= horizon);
                } else {
                    rows.push((due, *sequence));
                }
            }
        }
        rows.sort_unstable();
        let due_now = rows.partition_point(|(due, _)| *due <= horizon);
        let mut taken = Taken {
            next_due: rows.get(due_now).map(|(due, _)| *due),
            ..Taken::default()
        };
        let mut bytes = 0;
        for (_, sequence) in &rows[..due_now] {
            let ready = state.rows[sequence].ready.clone();
            bytes += ready.bytes();
            let full = taken.ready.len() >= budget.rows || bytes > budget.bytes;
            if full && !taken.ready.is_empty() {
                taken.more = true;
                break;
            }
            taken.ready.push(ready);
        }
        // As the store does it: passed over while others can go, and said when it is all there is.
        let answer = match damaged {
            Some(sequence) if taken.ready.is_empty() => {
                Err(StoreDown::Damaged(format!("deliveries[{}]", sequence.0)))
            }
            Some(_) | None => Ok(taken),
        };
        Box::pin(async move {
            // The snapshot was read; the answer takes its time, as on a blocking thread.
            tokio::task::yield_now().await;
            answer
        })
    }

    fn settle(
        &self,
        settlements: Arc<[Settlement]>,
    ) -> BoxFuture<'_, Result<Vec<Settled>, StoreDown>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            let failing = {
                let mut state = self.state();
                state.settle_calls += 1;
                let failing = state.settle_fails > 0;
                state.settle_fails = state.settle_fails.saturating_sub(1);
                failing
            };
            // Half of the failures reached the disk all the same: the caller cannot know.
            if failing && !self.settle_calls().is_multiple_of(2) {
                return Err(StoreDown::Reopening("no space left".to_owned()));
            }
            let answers = settlements
                .iter()
                .map(|settlement| self.apply(settlement.clone()));
            let answers: Vec<Settled> = answers.collect();
            self.revive_the_dead();
            self.changed.send_replace(());
            if failing {
                return Err(StoreDown::Unknown("the commit failed".to_owned()));
            }
            Ok(answers)
        })
    }
}

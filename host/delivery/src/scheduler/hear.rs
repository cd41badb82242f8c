//! What the scheduler makes of what it hears: commits and marks from the feed, reports of its
//! own tasks.

use std::sync::atomic::Ordering;
use std::time::Duration;

use whisperer_domain::delivery::{Ready, Waiting};
use whisperer_domain::health::{Answer, Heard, Patience};
use whisperer_domain::hook::Hook;
use whisperer_domain::id::HookId;
use whisperer_domain::port::{HookEffect, Settled, Taken, Verdict};
use whisperer_domain::time::Timestamp;

use super::{Begun, Report, Scheduler};
use crate::attempt::Ended;
use crate::config::doubling;
use crate::feed::{Fresh, Held, Marks, Saved};
use crate::lane::{Lane, Standing};
use crate::pause::{Cause, Pause};
use crate::reader::Read;
use crate::settler::{Done, Unsettled};
use crate::space::Reserved;

impl Scheduler {
    pub(super) fn hear(&mut self, now: Timestamp) {
        let mut reports = Vec::new();
        while let Ok(report) = self.reports.try_recv() {
            reports.push(report);
        }
        // No more than the queue holds: what comes meanwhile is later than the reports.
        for _ in 0..self.parts.config.feed_rows_max {
            match self.parts.fresh.try_recv() {
                Ok(fresh) => self.hear_fresh(fresh, now),
                Err(_) => break,
            }
        }
        let marks = self.parts.feed.take_marks();
        self.hear_marks(marks, now);
        for report in reports {
            match report {
                Report::Ended(begun, ended) => self.hear_ended(begun, *ended, now),
                Report::Read(read) => self.hear_read(read, now),
                Report::Settled(done) => self.hear_settled(done, now),
            }
        }
    }

    fn hear_fresh(&mut self, fresh: Fresh, now: Timestamp) {
        let Fresh {
            lease,
            held,
            urgent,
        } = fresh;
        let lane = self.lanes.entry(lease.hook).or_insert_with(|| {
            let mut lane = Lane::new(lease, self.proven.remove(&lease.hook), self.all_lanes);
            if !self.all_lanes {
                // The store may hold what stands before it.
                lane.fall_behind();
            }
            lane
        });
        lane.renew(lease);
        if urgent {
            lane.hasten(held);
        } else {
            lane.arrive(held, lane.rows_max(&self.parts.config));
        }
        self.consider(lease.hook, now);
    }

    fn hear_marks(&mut self, marks: Marks, now: Timestamp) {
        let catalog = self.parts.ports.catalog.snapshot();
        for (hook, mark) in marks.lanes {
            let lease = mark.lease;
            let lane = self
                .lanes
                .entry(hook)
                .or_insert_with(|| Lane::new(lease, self.proven.remove(&hook), self.all_lanes));
            lane.renew(lease);
            lane.is_known |= mark.saved.is_some();
            match catalog.hooks.get(&hook) {
                Some(hook) => {
                    heed(lane, hook, mark.saved, now);
                    if mark.recall {
                        lane.recall();
                    } else {
                        lane.look();
                    }
                }
                None => lane.abandon(),
            }
            self.consider(hook, now);
        }
        if marks.all_lanes {
            self.all_lanes = true;
            self.know_all(now);
        }
        if marks.plugins {
            self.plugin_changes += 1;
            self.end_pauses(now, |pause| pause.cause == Cause::Plugins);
        }
    }

    /// Of lanes that were not named nothing was saved.
    fn know_all(&mut self, now: Timestamp) {
        let unknown = self.lanes.iter_mut().filter(|(_, lane)| !lane.is_known);
        let unknown: Vec<HookId> = unknown
            .map(|(hook, lane)| {
                lane.is_known = true;
                *hook
            })
            .collect();
        for hook in unknown {
            self.consider(hook, now);
        }
    }

    fn end_pauses(&mut self, now: Timestamp, ends: impl Fn(&Pause) -> bool) {
        let mut ended = Vec::new();
        for (hook, lane) in &mut self.lanes {
            if let Some(pause) = lane.pause.as_mut().filter(|pause| ends(pause)) {
                pause.until = pause.until.min(now);
                ended.push(*hook);
            }
        }
        for hook in ended {
            self.consider(hook, now);
        }
    }

    fn hear_ended(&mut self, begun: Begun, mut ended: Ended, now: Timestamp) {
        self.places.give_back(begun.place);
        self.parts.counters.count(&ended.settlement);
        let hook = ended.settlement.lease.hook;
        let stale = begun.plugin_changes != self.plugin_changes;
        if let Some(lane) = self.lanes.get_mut(&hook) {
            learn(lane, &mut ended, now, &self.parts.config.patience);
            let attempt = ended.settlement.attempt.as_ref();
            if let Some(cause) = deferral(&ended.settlement.verdict) {
                let revision = ended.hook_revision;
                let config = &self.parts.config;
                let mut pause = Pause::after(lane.pause.as_ref(), cause, now, revision, config);
                if stale && cause == Cause::Plugins {
                    pause.until = pause.until.min(now);
                }
                lane.pause = Some(pause);
            } else if attempt.is_some_and(|attempt| !attempt.pinned) {
                lane.pause = None;
            }
            if ended.settlement.effect.is_some() {
                lane.standing = Standing::Gone;
                lane.forget_buffer();
            }
        }
        let unsettled = Unsettled::new(ended);
        self.unsettled += 1;
        self.unsettled_bytes += unsettled.bytes;
        // Never full: its bound is that of what may be unsettled.
        if self.parts.settle.try_send(unsettled).is_err() {
            tracing::error!(
                hook = hook.0,
                "a result is lost: nothing takes results any more"
            );
        }
        self.consider(hook, now);
    }

    fn hear_settled(&mut self, done: Done, now: Timestamp) {
        self.unsettled -= 1;
        self.unsettled_bytes -= done.bytes;
        let hook = done.lease.hook;
        let Some(lane) = self.lanes.get_mut(&hook) else {
            return;
        };
        if done.gone && lane.standing == Standing::Gone {
            lane.standing = Standing::Running;
            lane.fall_behind();
        }
        match done.settled {
            // It stays among what is held, and so is not read again.
            None => {}
            Some(Settled::Applied { due: None } | Settled::Cancelled) => {
                lane.let_go(done.sequence);
            }
            Some(Settled::Applied { due: Some(due) }) => {
                let back = done.deferred.filter(|_| lane.may_take_back(done.sequence));
                let back = back.and_then(|ready| {
                    let room = self.parts.space.reserve(ready.bytes())?;
                    Some(Held { ready, room })
                });
                if let Some(held) = back {
                    lane.take_back(held);
                } else {
                    lane.let_wait(done.sequence, due);
                }
            }
            Some(Settled::Fenced) => {
                lane.let_go(done.sequence);
                if done.lease.fence == lane.lease.fence {
                    lane.standing = Standing::Fenced;
                    lane.forget_buffer();
                } else {
                    // It is pending still, and in an ordered lane all that is buffered is behind it.
                    lane.look();
                }
            }
        }
        self.consider(hook, now);
    }

    fn hear_read(&mut self, read: Read, now: Timestamp) {
        self.reading -= 1;
        let hook = read.lease.hook;
        let Some(lane) = self.lanes.get_mut(&hook) else {
            return;
        };
        match read.result {
            Ok(_) if lane.lease != read.lease || lane.read_is_stale() => lane.end_read(true),
            Ok(taken) => self.keep_taken(hook, read.horizon, taken, now),
            Err(down) => {
                lane.read_failures += 1;
                let failures = lane.read_failures;
                let config = &self.parts.config;
                let wait = doubling(config.store_wait_min, config.store_wait_max, failures);
                lane.read_not_before = Some(now.after(wait));
                lane.end_read(true);
                self.parts
                    .counters
                    .store_failures
                    .fetch_add(1, Ordering::Relaxed);
                tracing::warn!(hook = hook.0, error = %down, failures, "a lane cannot be read");
            }
        }
        self.consider(hook, now);
    }

    fn keep_taken(&mut self, hook: HookId, horizon: Timestamp, taken: Taken, now: Timestamp) {
        let Taken {
            ready,
            mut more,
            next_due,
            blocked,
            closed,
        } = taken;
        if let Some(lane) = self.lanes.get_mut(&hook) {
            lane.order_read(blocked, closed);
        }
        // Nothing but a promise of more: its rows stand in another order than was asked for, and
        // the news of that is on its way.
        let nothing = ready.is_empty() && more;
        let mut crowded = false;
        let mut kept = 0;
        for ready in ready {
            let Some(room) = self.room_for(hook, &ready, now) else {
                more = true;
                crowded = true;
                break;
            };
            if let Some(lane) = self.lanes.get_mut(&hook) {
                lane.keep(Held { ready, room });
                kept += 1;
            }
        }
        let config = &self.parts.config;
        let Some(lane) = self.lanes.get_mut(&hook) else {
            return;
        };
        lane.read_failures = 0;
        // Room will come with the turns that are taken meanwhile: at once there is none.
        let wait = nothing || (crowded && kept == 0);
        lane.read_not_before = wait.then(|| now.after(config.store_wait_min));
        if let Some(due) = next_due {
            // The next millisecond at the earliest: what was due at the horizon came along.
            lane.due_at(due.max(horizon.after(Duration::from_millis(1))));
        }
        lane.end_read(more);
    }

    /// Room for a row that was read. A lane that has nothing takes it from the lane that has
    /// most, so that a few lanes cannot keep all others from their turns.
    fn room_for(&mut self, hook: HookId, ready: &Ready, now: Timestamp) -> Option<Reserved> {
        loop {
            if let Some(room) = self.parts.space.reserve(ready.bytes()) {
                return Some(room);
            }
            if self.lanes.get(&hook)?.buffer.len() > 0 {
                return None;
            }
            let richest = self
                .lanes
                .values_mut()
                .filter(|lane| lane.buffer.len() > usize::from(lane.pause.is_none()))
                .max_by_key(|lane| lane.buffer.bytes())?;
            for _ in 0..richest.buffer.len().div_ceil(2) {
                richest.forget_last();
            }
            let robbed = richest.lease.hook;
            self.consider(robbed, now);
        }
    }
}

/// The lane does what its hook says now, and remembers what was saved of it.
fn heed(lane: &mut Lane, hook: &Hook, saved: Option<Saved>, now: Timestamp) {
    if lane.standing == Standing::Parked && hook.delivers() {
        lane.unpark();
    }
    lane.follow(hook, now);
    if let Some(saved) = saved
        && saved.hook_revision == Some(hook.revision)
    {
        lane.remember(saved.health);
    }
}

/// The lane hears how an attempt went, and what it makes of that is settled with it.
fn learn(lane: &mut Lane, ended: &mut Ended, now: Timestamp, patience: &Patience) {
    let settlement = &mut ended.settlement;
    let Some(attempt) = &settlement.attempt else {
        lane.end_attempt(Answer::Nothing, Duration::ZERO);
        return;
    };
    let answer = Answer::of(&attempt.outcome);
    let took = attempt.timing.connect_us + attempt.timing.wait_us;
    lane.end_attempt(answer, Duration::from_micros(took));
    let heard = Heard {
        answer,
        delivery: settlement.sequence,
        began_at: attempt.started_at,
        rate: lane.begun_per_second(now),
    };
    let change = lane.learn(&heard, ended.hook_revision, now, patience);
    if change.is_lasting {
        settlement.health = Some(lane.health.clone());
    }
    settlement.news = change.news;
    if let Some(reason) = change.disable
        && settlement.effect.is_none()
    {
        settlement.effect = Some(HookEffect::Disable { reason });
    }
}

fn deferral(verdict: &Verdict) -> Option<Cause> {
    match verdict {
        Verdict::Defer { waiting_for, .. } => match waiting_for {
            Waiting::PluginMissing(_)
            | Waiting::PluginNotReady(_)
            | Waiting::PluginQuarantined(_)
            | Waiting::PluginConfigUnfit(_) => Some(Cause::Plugins),
            Waiting::SecretUnreadable => Some(Cause::Secrets),
        },
        Verdict::Delivered
        | Verdict::Discarded { .. }
        | Verdict::Dead(_)
        | Verdict::Cancelled(_)
        | Verdict::Retry { .. } => None,
    }
}

//! When a lane may begin an attempt, and what it learns from one that ended.
//!
//! Everything that can hold it up is asked in one place, [`Lane::choice`], so that a lane stands
//! in a ring only if its turn comes to something; and each has a time at which the lane is looked
//! at again, or an event that does it: the end of an attempt, a settling, a change of the hook.

use std::time::Duration;

use whisperer_domain::health::{Answer, Change, Health, Heard, Patience};
use whisperer_domain::hook::{Hook, Ordered};
use whisperer_domain::time::Timestamp;

use super::{Begin, Counted, Lane, Standing};
use crate::buffer::Choice;
use crate::config::DeliveryConfig;
use crate::line::Turned;
use crate::pause::Cause;

/// An attempt that takes as long makes its lane a slow one.
pub(crate) const SLOW_AFTER: Duration = Duration::from_secs(1);
/// Deliveries that a lane holds ready which gets nowhere: a slow one, or one whose receiver is left
/// alone or was asked too much. All buffers share one budget, and such a lane may rest for a day.
const ROWS_OF_A_SLOW_LANE: usize = 16;
/// Results that may wait for the disk of a lane that works off a backlog beside others. They ride in
/// the commits that fresh events wait for: more of them would make these longer, and all others late.
const UNSETTLED_OF_A_BACKLOG: usize = 16;

impl Lane {
    /// Does what the hook says from now on.
    pub(crate) fn follow(&mut self, hook: &Hook, now: Timestamp) {
        self.limits.in_flight = hook.max_in_flight;
        self.limits.rate = hook.rate_limit;
        if self.line.follow(hook.ordered, !self.out.is_empty()) == Turned::Yes {
            self.recall();
        }
        self.buffer.stand_in_order(hook.ordered != Ordered::No);
        let earlier = self.limits.revision.replace(hook.revision);
        if earlier.is_some_and(|earlier| earlier != hook.revision) {
            // Whoever changes a hook means to mend it.
            self.health = Health::default();
            if let Some(pause) = &mut self.pause {
                pause.until = pause.until.min(now);
            }
        }
    }

    pub(crate) fn ordered(&self) -> Ordered {
        self.line.ordered()
    }

    /// Its hook is active again: it begins with one attempt, not with all that it may.
    pub(crate) fn unpark(&mut self) {
        self.standing = Standing::Running;
        self.in_flight_limit = 1;
        self.is_proven = false;
    }

    /// What was saved of it. What it learned itself since is newer.
    pub(crate) fn remember(&mut self, health: Health) {
        if self.health.is_default() {
            self.health = health;
        }
    }

    /// Which of its deliveries may be tried now.
    pub(crate) fn choice(&mut self, now: Timestamp) -> Choice {
        let most = self.in_flight_limit.min(usize::from(self.limits.in_flight));
        if self.standing != Standing::Running
            || !self.is_known
            || self.in_flight >= most.max(1)
            || !self.line.is_open(self.out.len())
            || (self.gives_way() && self.out.len() - self.in_flight >= UNSETTLED_OF_A_BACKLOG)
            || self.gate.opens_at(now, self.rate()).is_some()
        {
            return Choice::None;
        }
        if self.is_resting(now) {
            return Choice::UrgentOnly;
        }
        match &self.pause {
            Some(pause) if pause.until > now || self.in_flight > 0 => match pause.cause {
                Cause::Plugins => Choice::PinnedOnly,
                Cause::Secrets => Choice::None,
            },
            Some(_) | None => Choice::Any,
        }
    }

    pub(crate) fn give_way(&mut self, has_fresh: bool) {
        self.has_fresh = has_fresh;
    }

    /// It works off a backlog, and there is more to do than that.
    pub(crate) fn gives_way(&self) -> bool {
        self.behind && self.has_fresh
    }

    pub(crate) fn may_begin(&mut self, now: Timestamp) -> bool {
        let choice = self.choice(now);
        self.buffer.has(choice, &self.line)
    }

    /// The receiver is left alone, or one attempt finds out how it is.
    fn is_resting(&mut self, now: Timestamp) -> bool {
        self.health.rests_until(now).is_some() || (self.health.is_probing() && self.in_flight > 0)
    }

    /// Takes the next delivery to try, if one may go.
    pub(crate) fn begin_attempt(&mut self, now: Timestamp) -> Option<Begin> {
        let choice = self.choice(now);
        let held = self.buffer.pop(choice, &self.line)?;
        self.out.insert(held.ready.delivery.sequence);
        self.line.begin(&held.ready);
        self.gate.take(now, self.rate());
        self.in_flight += 1;
        Some(Begin {
            bytes: held.room.bytes(),
            ready: held.ready,
        })
    }

    /// Halves what may be in flight after each time-out, down to a single probe; anything else
    /// gives one place back, and the first success all of them.
    pub(crate) fn end_attempt(&mut self, answer: Answer, took: Duration) {
        self.in_flight -= 1;
        let timed_out = answer == Answer::Badly { timed_out: true };
        self.is_slow = timed_out || took >= SLOW_AFTER;
        let limit = self.in_flight_limit.min(usize::from(self.limits.in_flight));
        let is_first_success = answer == Answer::Well && !self.is_proven;
        self.is_proven |= is_first_success;
        self.in_flight_limit = if timed_out {
            (limit / 2).max(1)
        } else if is_first_success {
            usize::MAX
        } else {
            limit.saturating_add(1)
        };
    }

    /// What an attempt says of the receiver, unless the hook was changed since it began.
    pub(crate) fn learn(
        &mut self,
        heard: &Heard,
        revision: u64,
        now: Timestamp,
        patience: &Patience,
    ) -> Change {
        if self.limits.revision != Some(revision) {
            return Change::default();
        }
        self.health.hear(heard, now, patience)
    }

    pub(crate) fn begun_per_second(&self, now: Timestamp) -> f64 {
        self.gate.rate(now)
    }

    /// Gives back what it should not hold: while it gets nowhere, others need the room.
    pub(crate) fn trim(&mut self, config: &DeliveryConfig) {
        let most = self.rows_max(config);
        while self.buffer.len() > most && self.forget_last() {}
    }

    /// Deliveries that it may hold ready.
    pub(crate) fn rows_max(&self, config: &DeliveryConfig) -> usize {
        if self.is_slow || self.health.is_probing() || self.health.pace.is_some() {
            config.lane_rows_max.min(ROWS_OF_A_SLOW_LANE)
        } else {
            config.lane_rows_max
        }
    }

    /// What stands in the scheduler's sums for it from now on.
    pub(crate) fn count(&mut self) -> (Counted, Counted) {
        let now = Counted {
            breaker_open: self.health.is_probing(),
            paced: self.health.pace.is_some(),
        };
        (std::mem::replace(&mut self.counted, now), now)
    }

    /// When there will be something to do without anything else happening.
    pub(crate) fn next_wake(&mut self, now: Timestamp) -> Option<Timestamp> {
        if self.standing != Standing::Running {
            return None;
        }
        if self.has_nothing_to_do() {
            let full = self.gate.full_at(now, self.rate());
            return full.filter(|_| self.health.is_default());
        }
        let waits = self.buffer.len() > 0;
        let rest = self.health.rests_until(now);
        let pause = self.pause.map(|pause| pause.until);
        let gate = self.gate.opens_at(now, self.rate());
        let due = self.behind || self.next_due.is_some_and(|due| due <= now);
        let read = self.read_not_before.filter(|_| due);
        let of_buffer = [rest, pause, gate].into_iter().flatten();
        of_buffer
            .filter(|_| waits)
            .chain(self.next_due)
            .chain(read)
            .filter(|at| *at > now)
            .min()
    }

    pub(super) fn gate_is_full(&self, now: Timestamp) -> bool {
        self.gate.full_at(now, self.rate()).is_none()
    }

    /// Attempts per second that hook and receiver allow.
    fn rate(&self) -> Option<f64> {
        let limit = self.limits.rate.map(f64::from);
        let pace = self.health.pace.map(|pace| pace.per_second);
        match (limit, pace) {
            (Some(limit), Some(pace)) => Some(limit.min(pace)),
            (limit, pace) => limit.or(pace),
        }
    }
}

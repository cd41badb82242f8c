//! When retention takes a step: little by little beside the load, and by a clock that is believed.
//!
//! A pass begins once a minute, or at once when the store holds more than it may. Between two steps
//! it waits several times as long as the last one took; longer, while others want to write. What
//! cannot go (something of it is pending) is looked at in bounded numbers a minute, and the next
//! minute goes on behind it.
//!
//! Nothing is given up on the word of a clock that has just jumped ahead: it must have stood so for
//! an hour in which the store ran. Someone who sees the warning has that long to set it right.

use std::time::{Duration, Instant};

use whisperer_domain::port::{Budget, Retention, Swept};
use whisperer_domain::time::Timestamp;

const PASS_EVERY: Duration = Duration::from_secs(60);
/// What a step may do at most. 10 ms of it leave most of 50 ms to what rides in the same commit.
const STEP: Budget = Budget {
    rows: 1000,
    bytes: 2 << 20,
};
const STEP_TIME_MAX: Duration = Duration::from_millis(10);
/// A step and its wait are 1 of so many parts of the writer's time, alone or beside others.
const SHARE_ALONE: u32 = 2;
const SHARE_BESIDE: u32 = 6;
const WAIT_MIN: Duration = Duration::from_millis(5);
/// A pass that left too much, because it is pending, is made again after a wait that bounds what is
/// looked at in vain to a twentieth of the time.
const STUCK_WAIT_MIN: Duration = Duration::from_secs(1);
const STUCK_SHARE: u32 = 20;
/// Events that may be looked at in vain between two passes.
const PASSED_MAX: u64 = 20_000;

/// How far ahead the clock may be without being doubted: steps of NTP, leap seconds.
const AHEAD_MAX: Duration = Duration::from_secs(60);
/// The same at a start: nobody knows how long the store was shut.
const SHUT_MAX: Duration = Duration::from_secs(86_400);
const DOUBTED_FOR: Duration = Duration::from_secs(3600);

pub(in crate::redb_store) struct Sweeper {
    retention: Retention,
    clock: Believed,
    /// No step before it.
    next: Instant,
    /// A pass is under way; else `next` is when one begins.
    passing: bool,
    passed: u64,
    /// What the steps of this pass took.
    spent: Duration,
    /// The last pass ended with more than may be held: what is left is pending.
    is_stuck: bool,
}

/// A step that is due.
#[derive(Clone, Copy, Debug)]
pub(in crate::redb_store) struct Step {
    pub(in crate::redb_store) retention: Retention,
    /// The time that retention goes by.
    pub(in crate::redb_store) now: Timestamp,
    pub(in crate::redb_store) budget: Budget,
    pub(in crate::redb_store) time_max: Duration,
}

/// How a step went.
pub(in crate::redb_store) struct Ended {
    pub(in crate::redb_store) swept: Swept,
    pub(in crate::redb_store) took: Duration,
    /// Others wrote in the same commit, or wait for the next.
    pub(in crate::redb_store) is_busy: bool,
    pub(in crate::redb_store) live_bytes: u64,
}

impl Sweeper {
    /// `accepted_at`: when the store last took something.
    pub(in crate::redb_store) fn new(
        retention: Retention,
        now: Instant,
        accepted_at: Timestamp,
    ) -> Self {
        // Of a store that never took anything there is nothing to go by, nor to lose.
        let is_new = accepted_at == Timestamp::default();
        Self {
            retention,
            clock: Believed {
                at: now,
                wall: (!is_new).then(|| accepted_at.after(SHUT_MAX)),
                doubted_since: None,
            },
            next: now,
            passing: false,
            passed: 0,
            spent: Duration::ZERO,
            is_stuck: false,
        }
    }

    /// How long there is nothing to do; none: for ever.
    pub(in crate::redb_store) fn rest(&self, now: Instant, live_bytes: u64) -> Option<Duration> {
        if self.retention.is_for_ever() {
            return None;
        }
        if !self.passing && !self.is_stuck && self.holds_too_much(live_bytes) {
            return Some(Duration::ZERO);
        }
        Some(self.next.saturating_duration_since(now))
    }

    pub(in crate::redb_store) fn step(
        &mut self,
        now: Instant,
        wall: Timestamp,
        live_bytes: u64,
    ) -> Option<Step> {
        if self.rest(now, live_bytes)? > Duration::ZERO {
            return None;
        }
        if !self.passing {
            self.passing = true;
            self.passed = 0;
            self.spent = Duration::ZERO;
        }
        Some(Step {
            retention: self.retention,
            now: self.clock.believe(now, wall),
            budget: STEP,
            time_max: STEP_TIME_MAX,
        })
    }

    pub(in crate::redb_store) fn ended(&mut self, now: Instant, ended: &Ended) {
        self.passed += ended.swept.passed;
        self.spent += ended.took;
        let is_through = !ended.swept.more;
        if is_through || self.passed >= PASSED_MAX {
            self.passing = false;
            self.is_stuck = self.holds_too_much(ended.live_bytes);
            let wait = (self.spent * STUCK_SHARE).max(STUCK_WAIT_MIN);
            self.next = now
                + if self.is_stuck {
                    wait.min(PASS_EVERY)
                } else {
                    PASS_EVERY
                };
            return;
        }
        let share = if ended.is_busy {
            SHARE_BESIDE
        } else {
            SHARE_ALONE
        };
        self.next = now + (ended.took * (share - 1)).max(WAIT_MIN);
    }

    fn holds_too_much(&self, live_bytes: u64) -> bool {
        self.retention.bytes.is_some_and(|most| live_bytes > most)
    }
}

/// What the clock says, as far as it is believed.
struct Believed {
    at: Instant,
    /// None: it was never asked.
    wall: Option<Timestamp>,
    doubted_since: Option<Instant>,
}

impl Believed {
    fn believe(&mut self, now: Instant, wall: Timestamp) -> Timestamp {
        let Some(last) = self.wall else {
            return self.take(now, wall);
        };
        let expected = last.after(now.saturating_duration_since(self.at));
        if wall <= expected.after(AHEAD_MAX) {
            return self.take(now, wall);
        }
        let since = *self.doubted_since.get_or_insert_with(|| {
            let ahead_secs = wall.0.saturating_sub(expected.0) / 1000;
            tracing::warn!(
                ahead_secs,
                "the clock is ahead of what is expected, or the store was shut for long: \
                 retention believes it in an hour; set it right if it is wrong"
            );
            now
        });
        if now.saturating_duration_since(since) >= DOUBTED_FOR {
            return self.take(now, wall);
        }
        expected
    }

    fn take(&mut self, now: Instant, wall: Timestamp) -> Timestamp {
        *self = Self {
            at: now,
            wall: Some(wall),
            doubted_since: None,
        };
        wall
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use whisperer_domain::port::{Retention, Swept};
    use whisperer_domain::time::Timestamp;

    use super::{Ended, PASS_EVERY, PASSED_MAX, STUCK_WAIT_MIN, Sweeper};

    const DAY: Duration = Duration::from_secs(86_400);
    const HOUR: Duration = Duration::from_secs(3600);
    const START: Timestamp = Timestamp(1_764_000_000_000);

    fn sweeper(bytes: Option<u64>, start: Instant) -> Sweeper {
        let age = Some(30 * DAY);
        Sweeper::new(Retention { age, bytes }, start, START)
    }

    fn ended(more: bool, passed: u64, is_busy: bool, live_bytes: u64) -> Ended {
        Ended {
            swept: Swept {
                more,
                passed,
                ..Swept::default()
            },
            took: Duration::from_millis(10),
            is_busy,
            live_bytes,
        }
    }

    #[test]
    fn steps_follow_each_other_until_the_pass_ends_and_give_way_to_others() {
        let start = Instant::now();
        let mut sweeper = sweeper(None, start);
        assert!(sweeper.step(start, START, 0).is_some(), "at once");
        sweeper.ended(start, &ended(true, 0, false, 0));
        assert_eq!(sweeper.rest(start, 0), Some(Duration::from_millis(10)));
        assert!(sweeper.step(start, START, 0).is_none());
        sweeper.ended(start, &ended(true, 0, true, 0));
        assert_eq!(sweeper.rest(start, 0), Some(Duration::from_millis(50)));
        sweeper.ended(start, &ended(false, 0, false, 0));
        assert_eq!(sweeper.rest(start, 0), Some(PASS_EVERY));
        assert!(sweeper.step(start + PASS_EVERY, START, 0).is_some());
    }

    #[test]
    fn what_cannot_go_is_looked_at_in_bounded_numbers() {
        let start = Instant::now();
        let mut sweeper = sweeper(None, start);
        sweeper.step(start, START, 0).unwrap();
        sweeper.ended(start, &ended(true, PASSED_MAX - 1, false, 0));
        assert!(sweeper.rest(start, 0).unwrap() < PASS_EVERY);
        sweeper.ended(start, &ended(true, 1, false, 0));
        assert_eq!(sweeper.rest(start, 0), Some(PASS_EVERY));
    }

    #[test]
    fn too_many_bytes_call_for_a_pass_at_once_unless_nothing_can_go() {
        let start = Instant::now();
        let mut sweeper = sweeper(Some(100), start);
        sweeper.step(start, START, 0).unwrap();
        sweeper.ended(start, &ended(false, 0, false, 100));
        assert_eq!(sweeper.rest(start, 100), Some(PASS_EVERY));
        assert_eq!(sweeper.rest(start, 101), Some(Duration::ZERO));
        sweeper.step(start, START, 101).unwrap();
        sweeper.ended(start, &ended(false, 5, false, 101));
        assert_eq!(sweeper.rest(start, 101), Some(STUCK_WAIT_MIN));
        let later = start + STUCK_WAIT_MIN;
        sweeper.step(later, START, 101).unwrap();
        let long = Ended {
            took: Duration::from_secs(2),
            ..ended(false, 5, false, 101)
        };
        sweeper.ended(later, &long);
        assert_eq!(sweeper.rest(later, 101), Some(Duration::from_secs(40)));
    }

    #[test]
    fn without_bounds_there_is_nothing_to_do() {
        let start = Instant::now();
        let mut sweeper = Sweeper::new(Retention::default(), start, START);
        assert_eq!(sweeper.rest(start, u64::MAX), None);
        assert!(sweeper.step(start, START, u64::MAX).is_none());
    }

    #[test]
    fn a_clock_that_jumps_ahead_is_believed_after_an_hour_and_one_that_falls_back_at_once() {
        let start = Instant::now();
        let mut sweeper = sweeper(None, start);
        let mut believed = |after: Duration, wall: Timestamp| {
            let step = sweeper.step(start + after, wall, 0).unwrap();
            sweeper.passing = false;
            step.now
        };
        let minute = Duration::from_secs(60);
        assert_eq!(believed(Duration::ZERO, START), START);
        let year = START.after(365 * DAY);
        assert_eq!(believed(minute, year), START.after(minute));
        assert_eq!(believed(HOUR, year), START.after(HOUR), "59 minutes of it");
        assert_eq!(believed(HOUR + minute, year), year);
        let back = START.after(HOUR);
        assert_eq!(believed(HOUR + 2 * minute, back), back);
        // Set right in time: as if nothing had been.
        assert_eq!(believed(HOUR + 3 * minute, year), back.after(minute));
        let right = back.after(2 * minute);
        assert_eq!(believed(HOUR + 4 * minute, right), right);
        assert_eq!(believed(3 * HOUR, year), back.after(2 * HOUR - 2 * minute));
    }

    #[test]
    fn after_a_long_time_shut_the_clock_is_doubted_too() {
        let start = Instant::now();
        let mut shut = sweeper(None, start);
        let shortly = START.after(DAY);
        assert_eq!(shut.step(start, shortly, 0).unwrap().now, shortly);
        let mut new = Sweeper::new(sweeper(None, start).retention, start, Timestamp(0));
        assert_eq!(new.step(start, START, 0).unwrap().now, START, "it is new");
        let mut shut = sweeper(None, start);
        let long = START.after(40 * DAY);
        assert_eq!(shut.step(start, long, 0).unwrap().now, START.after(DAY));
    }
}

//! How a hook's receiver is doing: what a lane learns from its attempts and keeps over a restart.
//!
//! Pure, like [`crate::step`], which decides about the delivery; here it is decided about the
//! hook: whether its lane rests (breaker, `Retry-After`), at what pace it goes on, and whether it
//! failed for so long that somebody is told or that it is disabled.
//!
//! - The breaker opens after [`STRIKES_MAX`] failures in a row of different deliveries, a time-out
//!   counting twice. It stays open for a second, then twice as long each time, [`OPEN_MAX`] at
//!   most; then one attempt goes as a probe. A single delivery that fails again and again opens
//!   nothing: its schedule is its pace.
//! - 429 and 503 make the lane wait as long as they say, and halve the rate at which it goes on;
//!   each success gives some of it back.
//! - Waits are never longer than their bound, seen from now: a clock that was set back must not
//!   keep a lane shut.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::Sequence;
use crate::news::HookNews;
use crate::outcome::{Outcome, UnreachableCause};
use crate::step::RETRY_AFTER_MAX;
use crate::time::Timestamp;

/// Failures in a row that open the breaker.
pub const STRIKES_MAX: u32 = 10;
/// How long the breaker stays open at first, and at most.
pub const OPEN_MIN: Duration = Duration::from_secs(1);
pub const OPEN_MAX: Duration = Duration::from_secs(30);
/// No pace is slower than this, in attempts per second.
const PACE_MIN: f64 = 1.0;
/// What a success adds to the pace.
const PACE_STEP: f64 = 0.1;
/// A pace that grew to so many times what was too fast is given up,
const PACE_LIFTED: f64 = 4.0;
/// and so is one that was not cut for so long.
const PACE_AGE_MAX: Duration = Duration::from_secs(600);

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// Since when every attempt failed; none after a success.
    pub failing_since: Option<Timestamp>,
    /// That it is failing was told.
    pub told: bool,
    pub breaker: Breaker,
    /// Set while the receiver was asked too much of not long ago.
    pub pace: Option<Pace>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Breaker {
    /// So many failures in a row, the last of them this delivery's.
    Closed {
        strikes: u32,
        last: Option<Sequence>,
    },
    /// Nothing is tried before `until`, then one attempt at a time as a probe.
    Open { until: Timestamp, times: u32 },
}

impl Default for Breaker {
    fn default() -> Self {
        Self::Closed {
            strikes: 0,
            last: None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pace {
    /// Attempts per second.
    pub per_second: f64,
    /// Nothing is tried before: the receiver's `Retry-After`.
    pub not_before: Timestamp,
    cut_at: Timestamp,
    /// The pace is given up once it is above.
    lifted_above: f64,
}

/// What an attempt says about its receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Well,
    /// 429 or 503, with what it asked to wait.
    Later {
        wait: Option<Duration>,
        /// 503: it is also a failure.
        down: bool,
    },
    Badly {
        timed_out: bool,
    },
    /// Nothing was asked of it.
    Nothing,
}

impl Answer {
    #[must_use]
    pub fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Delivered { .. } => Self::Well,
            Outcome::Refused {
                status: status @ (429 | 503),
                retry_after_secs,
            } => Self::Later {
                wait: retry_after_secs.map(Duration::from_secs),
                down: *status == 503,
            },
            Outcome::Unreachable {
                cause: UnreachableCause::Proxy,
                ..
            } => Self::Nothing,
            Outcome::Refused { .. } | Outcome::Unreachable { .. } | Outcome::Blocked { .. } => {
                Self::Badly { timed_out: false }
            }
            Outcome::TimedOut { .. } => Self::Badly { timed_out: true },
            Outcome::PluginFailed { .. } | Outcome::Discarded { .. } | Outcome::Internal { .. } => {
                Self::Nothing
            }
        }
    }
}

/// An attempt that ended.
#[derive(Clone, Copy, Debug)]
pub struct Heard {
    pub answer: Answer,
    pub delivery: Sequence,
    pub began_at: Timestamp,
    /// Attempts per second of the lane at this time.
    pub rate: f64,
}

/// For how long a hook may fail.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// After it, somebody is told.
    pub told_after: Duration,
    /// After it, the hook is disabled; none: never.
    pub disabled_after: Option<Duration>,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            told_after: Duration::from_secs(3600),
            disabled_after: Some(Duration::from_secs(5 * 24 * 3600)),
        }
    }
}

/// What hearing of an attempt came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// A restart must know of it.
    pub is_lasting: bool,
    pub news: Option<HookNews>,
    /// Why the hook is to be disabled.
    pub disable: Option<String>,
}

impl Health {
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    pub fn hear(&mut self, heard: &Heard, now: Timestamp, patience: &Patience) -> Change {
        let mut change = Change::default();
        match heard.answer {
            Answer::Nothing => {}
            Answer::Well => self.succeed(now, &mut change),
            Answer::Later { wait, down } => {
                self.slow_down(heard, wait, now, &mut change);
                if down {
                    self.strike(heard, 1, now, &mut change);
                }
                self.fail(now, patience, &mut change);
            }
            Answer::Badly { timed_out } => {
                self.strike(heard, if timed_out { 2 } else { 1 }, now, &mut change);
                self.fail(now, patience, &mut change);
            }
        }
        change
    }

    /// Before when nothing is to be tried.
    pub fn rests_until(&mut self, now: Timestamp) -> Option<Timestamp> {
        if let Breaker::Open { until, .. } = &mut self.breaker {
            *until = (*until).min(now.after(OPEN_MAX));
        }
        if let Some(pace) = &mut self.pace {
            pace.not_before = pace.not_before.min(now.after(RETRY_AFTER_MAX));
        }
        let breaker = match self.breaker {
            Breaker::Open { until, .. } => Some(until),
            Breaker::Closed { .. } => None,
        };
        let pace = self.pace.map(|pace| pace.not_before);
        breaker.max(pace).filter(|until| *until > now)
    }

    /// The breaker is not closed: one attempt at a time.
    #[must_use]
    pub fn is_probing(&self) -> bool {
        matches!(self.breaker, Breaker::Open { .. })
    }

    fn succeed(&mut self, now: Timestamp, change: &mut Change) {
        if let Some(since) = self.failing_since.take() {
            change.is_lasting = true;
            change.news = self.told.then_some(HookNews::Recovered { since });
            self.told = false;
        }
        change.is_lasting |= self.is_probing();
        self.breaker = Breaker::default();
        if let Some(pace) = &mut self.pace {
            pace.per_second += PACE_STEP;
            let is_old = now.since(pace.cut_at) >= PACE_AGE_MAX;
            // A success may be a retry by hand: it does not take back what the receiver asked for.
            let waits = pace.not_before > now;
            if !waits && (is_old || pace.per_second > pace.lifted_above) {
                self.pace = None;
                change.is_lasting = true;
            }
        }
    }

    fn fail(&mut self, now: Timestamp, patience: &Patience, change: &mut Change) {
        let since = *self.failing_since.get_or_insert_with(|| {
            change.is_lasting = true;
            now
        });
        let failing = now.since(since);
        if !self.told && failing >= patience.told_after {
            self.told = true;
            change.is_lasting = true;
            change.news = Some(HookNews::Failing { since });
        }
        if patience.disabled_after.is_some_and(|most| failing >= most) {
            change.disable = Some(format!("every attempt failed since {}", since.rfc3339()));
        }
    }

    fn strike(&mut self, heard: &Heard, weight: u32, now: Timestamp, change: &mut Change) {
        match self.breaker {
            Breaker::Closed { strikes, last } => {
                let is_other = last != Some(heard.delivery);
                let strikes = strikes.saturating_add(if is_other { weight } else { 0 });
                let last = Some(heard.delivery);
                self.breaker = if strikes < STRIKES_MAX {
                    Breaker::Closed { strikes, last }
                } else {
                    change.is_lasting = true;
                    opened(now, 1)
                };
            }
            // Those that were under way when it opened say nothing new.
            Breaker::Open { until, .. } if heard.began_at < until => {}
            Breaker::Open { times, .. } => {
                change.is_lasting = true;
                self.breaker = opened(now, times.saturating_add(1));
            }
        }
    }

    /// Attempts that were under way together and all came too early count once.
    fn slow_down(
        &mut self,
        heard: &Heard,
        wait: Option<Duration>,
        now: Timestamp,
        change: &mut Change,
    ) {
        let wait = wait.unwrap_or_default().min(RETRY_AFTER_MAX);
        let is_late = self.pace.is_some_and(|pace| heard.began_at < pace.cut_at);
        let not_before = now.after(wait);
        change.is_lasting = true;
        match &mut self.pace {
            Some(pace) if is_late => pace.not_before = pace.not_before.max(not_before),
            earlier => {
                let was = earlier.map_or(heard.rate, |pace| pace.per_second.min(heard.rate));
                // What was asked for before still holds: this one went because somebody waits.
                let asked = earlier.map_or(not_before, |pace| pace.not_before);
                let not_before = not_before.max(asked);
                *earlier = Some(Pace {
                    per_second: (was / 2.0).max(PACE_MIN),
                    not_before,
                    cut_at: now,
                    lifted_above: (was * PACE_LIFTED).max(PACE_MIN * PACE_LIFTED),
                });
            }
        }
    }
}

fn opened(now: Timestamp, times: u32) -> Breaker {
    let wait = OPEN_MIN.saturating_mul(1 << times.saturating_sub(1).min(16));
    Breaker::Open {
        until: now.after(wait.min(OPEN_MAX)),
        times,
    }
}

#[cfg(test)]
mod tests;

//! How fast a hook may be sent to: its rate limit, the rest that its receiver asked for, and the
//! breaker. Told again from the rules, not from the code: it knows no more than a receiver that
//! keeps a log, and forgets at a restart, so that it never asks for more than was promised.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use whisperer_domain::hook::Hook;
use whisperer_domain::id::Sequence;
use whisperer_domain::outcome::Asks;
use whisperer_domain::time::Timestamp;

use super::Came;

const WINDOW: Duration = Duration::from_secs(1);
const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 3600);
const STRIKES_MAX: u32 = 10;
const OPEN_MAX: Duration = Duration::from_secs(30);

/// What is known of a hook since it was last changed, or delivery last started.
#[derive(Default)]
pub(super) struct Watch {
    revision: u64,
    /// Attempts of the last second.
    begun: VecDeque<Timestamp>,
    strikes: u32,
    struck_last: Option<Sequence>,
    /// What was saved before a restart is not known: until the next success, nor is the breaker.
    is_unknown: bool,
    open: Option<Opening>,
    rests_until: Timestamp,
    /// What begins at that instant may have been on its way.
    heard_at: Option<Timestamp>,
    failing_since: Option<Timestamp>,
    /// The same, as the store may have it: a success ends it there once it is written.
    saved_since: Option<Timestamp>,
    pub(super) answered_gone: bool,
    /// By object, or for all of them: where the last one stood that was delivered in order.
    pub(super) last_success: HashMap<Option<String>, u64>,
}

struct Opening {
    until: Timestamp,
    times: u32,
}

impl Watch {
    /// Whoever changes a hook means to mend it.
    pub(super) fn follow(&mut self, hook: &Hook) {
        if hook.revision > self.revision {
            self.revision = hook.revision;
            self.saved_since = None;
            self.forget();
            self.is_unknown = false;
        }
    }

    /// Delivery starts anew, with what the store has.
    pub(super) fn forget(&mut self) {
        self.failing_since = self.saved_since;
        self.begun.clear();
        self.strikes = 0;
        self.struck_last = None;
        self.is_unknown = true;
        self.open = None;
        self.rests_until = Timestamp(0);
    }

    /// An attempt begins while `running` others are under way.
    pub(super) fn begin(
        &mut self,
        hook: &Hook,
        running: usize,
        is_urgent: bool,
        now: Timestamp,
    ) -> Result<(), String> {
        self.begun.retain(|at| now.since(*at) < WINDOW);
        self.begun.push_back(now);
        if let Some(rate) = hook.rate_limit {
            let most = rate + (rate / 10).max(1);
            if self.begun.len() > most as usize {
                return Err(format!("it is one of {} within a second", self.begun.len()));
            }
        }
        if is_urgent || self.heard_at == Some(now) {
            return Ok(());
        }
        if self.rests_until > now {
            let left = self.rests_until.since(now);
            return Err(format!(
                "the receiver asked to be left alone for {left:?} more"
            ));
        }
        match &self.open {
            Some(opening) if opening.until > now => {
                let left = opening.until.since(now);
                Err(format!("the breaker is open for {left:?} more"))
            }
            Some(_) if running > 0 => {
                Err(format!("{running} are under way while the breaker is open"))
            }
            Some(_) | None => Ok(()),
        }
    }

    pub(super) fn hear(
        &mut self,
        sequence: Sequence,
        came: &Came,
        began_at: Timestamp,
        now: Timestamp,
    ) {
        self.heard_at = Some(now);
        match came {
            Came::Unsent(_) => {}
            Came::Nothing { timed_out } => {
                let weight = if *timed_out { 2 } else { 1 };
                self.strike(sequence, weight, began_at, now);
                self.fail(now);
            }
            Came::Answered {
                status: 200..=299, ..
            } => {
                self.strikes = 0;
                self.struck_last = None;
                self.is_unknown = false;
                self.open = None;
                self.failing_since = None;
            }
            Came::Answered {
                status: status @ (429 | 503),
                retry_after,
                ..
            } => {
                let wait = retry_after.unwrap_or_default().min(RETRY_AFTER_MAX);
                self.rests_until = self.rests_until.max(now.after(wait));
                if *status == 503 {
                    self.strike(sequence, 1, began_at, now);
                }
                self.fail(now);
            }
            Came::Answered { .. } => {
                self.strike(sequence, 1, began_at, now);
                self.fail(now);
            }
        }
    }

    fn strike(&mut self, sequence: Sequence, weight: u32, began_at: Timestamp, now: Timestamp) {
        let times = match &self.open {
            // It was under way when the breaker opened, and says nothing new.
            Some(opening) if began_at < opening.until => return,
            Some(opening) => opening.times + 1,
            None => {
                if self.struck_last.replace(sequence) != Some(sequence) {
                    self.strikes += weight;
                }
                if self.strikes < STRIKES_MAX || self.is_unknown {
                    return;
                }
                1
            }
        };
        let wait = Duration::from_secs(1 << (times - 1).min(5)).min(OPEN_MAX);
        self.open = Some(Opening {
            until: now.after(wait),
            times,
        });
    }

    fn fail(&mut self, now: Timestamp) {
        self.failing_since.get_or_insert(now);
        self.saved_since.get_or_insert(now);
    }

    /// A success of then was written.
    pub(super) fn recover(&mut self, at: Timestamp) {
        if self.saved_since.is_some_and(|since| since < at) {
            self.saved_since = self.failing_since;
        }
    }

    /// Whether the hook was changed since it was like this.
    pub(super) fn is_later(&self, hook: &Hook) -> bool {
        self.revision > hook.revision
    }

    /// Whether the hook may be disabled for what it did.
    pub(super) fn may_disable(
        &self,
        came: &Came,
        now: Timestamp,
        disabled_after: Duration,
    ) -> bool {
        let asked = matches!(
            came,
            Came::Answered {
                asks: Some(Asks::Disable),
                ..
            } | Came::Answered { status: 410, .. }
        );
        let since = self.failing_since;
        asked || since.is_some_and(|since| now.since(since) >= disabled_after)
    }
}

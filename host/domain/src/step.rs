//! The one decision about what follows an attempt.
//!
//! Pure, and the only place where it is made: no store, no clock, waits as durations. A delivery
//! that could only be due past its `max_age` is dead at once: waiting would change nothing but
//! the hour at which somebody learns it.

use std::time::Duration;

use crate::delivery::{CancelCause, DeadCause, Waiting};
use crate::hook::{Hook, OnPluginError};
use crate::outcome::{Asks, Outcome};
use crate::plugin::PluginFailure;
use crate::port::{HookEffect, Verdict};
use crate::schedule::RetryConfig;

/// A receiver may hold us off for this long and no longer.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 3600);

/// How far a delivery has come.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Of the attempt that just ended; 1 for the first.
    pub attempt_number: u32,
    /// Since the delivery was accepted.
    pub age: Duration,
}

/// What a hook says about failures.
#[derive(Clone, Copy, Debug)]
pub struct Policy<'a> {
    pub retry: &'a RetryConfig,
    pub max_attempts: u32,
    pub max_age: Duration,
    pub on_plugin_error: OnPluginError,
}

impl<'a> From<&'a Hook> for Policy<'a> {
    fn from(hook: &'a Hook) -> Self {
        Self {
            retry: &hook.retry,
            max_attempts: hook.max_attempts(),
            max_age: hook.max_age,
            on_plugin_error: hook.on_plugin_error,
        }
    }
}

/// What follows an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub verdict: Verdict,
    pub effect: Option<HookEffect>,
}

/// Decides what follows an attempt, whose answer may have come with a wish. Equal arguments give
/// equal answers.
#[must_use]
pub fn step(
    progress: &Progress,
    outcome: &Outcome,
    asks: Option<Asks>,
    policy: &Policy<'_>,
    seed: u64,
) -> Step {
    let mut effect = (asks == Some(Asks::Disable)).then(|| HookEffect::Disable {
        reason: "the receiver asked for it: webhook-delivery: disable".to_owned(),
    });
    let verdict = match outcome {
        Outcome::Delivered { .. } => Verdict::Delivered,
        Outcome::Discarded {
            plugin,
            code,
            message,
        } => Verdict::Discarded {
            plugin: plugin.clone(),
            code: code.clone(),
            message: message.clone(),
        },
        Outcome::Refused { status: 410, .. } => {
            effect = Some(HookEffect::Gone {
                reason: "the receiver answered 410 Gone".to_owned(),
            });
            Verdict::Cancelled(CancelCause::Gone)
        }
        Outcome::Refused {
            status: 429 | 503,
            retry_after_secs: Some(secs),
        } => {
            let not_before = Duration::from_secs(*secs).min(RETRY_AFTER_MAX);
            retry(progress, policy, seed, not_before)
        }
        Outcome::PluginFailed {
            plugin,
            kind,
            code,
            message,
        } if is_final(*kind, policy) => Verdict::Dead(DeadCause::Plugin {
            plugin: plugin.clone(),
            code: code.clone(),
            message: message.clone(),
        }),
        Outcome::Refused { .. }
        | Outcome::PluginFailed { .. }
        | Outcome::Unreachable { .. }
        | Outcome::TimedOut { .. }
        | Outcome::Blocked { .. }
        | Outcome::Internal { .. } => retry(progress, policy, seed, Duration::ZERO),
    };
    let verdict = match verdict {
        Verdict::Retry { .. } if asks == Some(Asks::Abort) => Verdict::Dead(DeadCause::Aborted),
        verdict => verdict,
    };
    Step { verdict, effect }
}

/// What becomes of a delivery that could not be tried: it uses up age, never attempts. The wait
/// ends no later than `max_age`, so that it expires on time.
#[must_use]
pub fn defer(
    progress: &Progress,
    policy: &Policy<'_>,
    after: Duration,
    waiting_for: Waiting,
) -> Verdict {
    let left = policy.max_age.saturating_sub(progress.age);
    if left.is_zero() {
        return Verdict::Dead(DeadCause::Expired);
    }
    Verdict::Defer {
        after: after.min(left),
        waiting_for,
    }
}

/// `retry` and `busy` are passing by their own word and follow the schedule even where a hook
/// wants failures to be final: the one is the plugin's wish, the other our machine's fault.
fn is_final(kind: PluginFailure, policy: &Policy<'_>) -> bool {
    match kind {
        PluginFailure::Reject => true,
        PluginFailure::Retry | PluginFailure::Busy => false,
        PluginFailure::Timeout
        | PluginFailure::Memory
        | PluginFailure::Stack
        | PluginFailure::Panic
        | PluginFailure::Trap
        | PluginFailure::Exit
        | PluginFailure::OutputTooLarge
        | PluginFailure::InvalidOutput
        | PluginFailure::Failed => policy.on_plugin_error == OnPluginError::Dead,
    }
}

fn retry(progress: &Progress, policy: &Policy<'_>, seed: u64, not_before: Duration) -> Verdict {
    if progress.attempt_number >= policy.max_attempts {
        return Verdict::Dead(DeadCause::Exhausted);
    }
    let n = progress.attempt_number.saturating_sub(1);
    let after = policy.retry.delay(n, seed).max(not_before);
    if progress.age.saturating_add(after) >= policy.max_age {
        return Verdict::Dead(DeadCause::Expired);
    }
    Verdict::Retry { after }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Policy, Progress, defer, step};
    use crate::delivery::{CancelCause, DeadCause, Waiting};
    use crate::hook::OnPluginError;
    use crate::outcome::{Asks, Outcome, UnreachableCause};
    use crate::plugin::{PluginFailure, PluginName};
    use crate::port::{HookEffect, Verdict};
    use crate::schedule::RetryConfig;

    const RETRY: RetryConfig = RetryConfig::Linear {
        base: 10,
        limit: None,
    };

    fn policy(on_plugin_error: OnPluginError) -> Policy<'static> {
        Policy {
            retry: &RETRY,
            max_attempts: 5,
            max_age: Duration::from_secs(100_000),
            on_plugin_error,
        }
    }

    fn verdict(attempt_number: u32, age_secs: u64, outcome: &Outcome) -> Verdict {
        let progress = Progress {
            attempt_number,
            age: Duration::from_secs(age_secs),
        };
        step(&progress, outcome, None, &policy(OnPluginError::Retry), 1).verdict
    }

    fn retry(secs: u64) -> Verdict {
        Verdict::Retry {
            after: Duration::from_secs(secs),
        }
    }

    fn refused(status: u16, retry_after_secs: Option<u64>) -> Outcome {
        Outcome::Refused {
            status,
            retry_after_secs,
        }
    }

    fn plugin() -> PluginName {
        PluginName::parse("p").unwrap()
    }

    fn plugin_failed(kind: PluginFailure) -> Outcome {
        Outcome::PluginFailed {
            plugin: plugin(),
            kind,
            code: "c".to_owned(),
            message: "m".to_owned(),
        }
    }

    #[test]
    fn failures_of_any_kind_follow_the_schedule() {
        let text = String::new;
        for outcome in [
            refused(301, None),
            refused(400, None),
            refused(500, None),
            Outcome::Unreachable {
                cause: UnreachableCause::Dns,
                message: text(),
            },
            Outcome::TimedOut {
                while_doing: text(),
            },
            Outcome::Blocked { message: text() },
            Outcome::Internal { message: text() },
            plugin_failed(PluginFailure::Trap),
            plugin_failed(PluginFailure::Retry),
        ] {
            let verdicts: Vec<Verdict> = (1..=5).map(|n| verdict(n, 0, &outcome)).collect();
            let exhausted = Verdict::Dead(DeadCause::Exhausted);
            let expected = [retry(0), retry(10), retry(20), retry(30), exhausted];
            assert_eq!(verdicts, expected, "{outcome:?}");
        }
    }

    #[test]
    fn a_success_counts_at_any_age_and_number() {
        let delivered = Outcome::Delivered { status: 204 };
        assert_eq!(verdict(99, 1_000_000, &delivered), Verdict::Delivered);
    }

    #[test]
    fn retry_after_delays_but_never_hastens_and_ends_at_a_day() {
        let day = 24 * 3600;
        for (outcome, expected) in [
            (refused(429, Some(60)), retry(60)),
            (refused(503, Some(60)), retry(60)),
            (refused(429, Some(1)), retry(10)),
            (refused(429, None), retry(10)),
            (refused(429, Some(u64::MAX)), retry(day)),
            (refused(500, Some(60)), retry(10)),
        ] {
            assert_eq!(verdict(2, 0, &outcome), expected, "{outcome:?}");
        }
    }

    #[test]
    fn what_would_be_due_past_max_age_is_dead_now() {
        let expired = Verdict::Dead(DeadCause::Expired);
        assert_eq!(verdict(2, 99_989, &refused(500, None)), retry(10));
        assert_eq!(verdict(2, 99_990, &refused(500, None)), expired);
        assert_eq!(verdict(1, 200_000, &refused(500, None)), expired);
        assert_eq!(verdict(2, 50_000, &refused(429, Some(60_000))), expired);
    }

    #[test]
    fn gone_cancels_and_disables_the_hook() {
        let progress = Progress {
            attempt_number: 5,
            age: Duration::ZERO,
        };
        let got = step(
            &progress,
            &refused(410, None),
            None,
            &policy(OnPluginError::Retry),
            1,
        );
        assert_eq!(got.verdict, Verdict::Cancelled(CancelCause::Gone));
        assert!(matches!(got.effect, Some(HookEffect::Gone { .. })));
    }

    #[test]
    fn a_receiver_may_ask_for_less() {
        let asked = |outcome: &Outcome, asks| {
            let progress = Progress {
                attempt_number: 2,
                age: Duration::ZERO,
            };
            step(
                &progress,
                outcome,
                Some(asks),
                &policy(OnPluginError::Retry),
                1,
            )
        };
        let (refused, delivered) = (refused(400, None), Outcome::Delivered { status: 200 });
        let aborted = asked(&refused, Asks::Abort);
        assert_eq!(aborted.verdict, Verdict::Dead(DeadCause::Aborted));
        assert_eq!(aborted.effect, None);
        assert_eq!(asked(&delivered, Asks::Abort).verdict, Verdict::Delivered);
        for (outcome, verdict) in [(&refused, retry(10)), (&delivered, Verdict::Delivered)] {
            let disabled = asked(outcome, Asks::Disable);
            assert_eq!(disabled.verdict, verdict);
            assert!(matches!(disabled.effect, Some(HookEffect::Disable { .. })));
        }
    }

    #[test]
    fn plugin_failures_follow_on_plugin_error() {
        let dead = Verdict::Dead(DeadCause::Plugin {
            plugin: plugin(),
            code: "c".to_owned(),
            message: "m".to_owned(),
        });
        let progress = Progress {
            attempt_number: 2,
            age: Duration::ZERO,
        };
        for (kind, on_plugin_error, expected) in [
            (PluginFailure::Reject, OnPluginError::Retry, &dead),
            (PluginFailure::Reject, OnPluginError::Dead, &dead),
            (PluginFailure::Trap, OnPluginError::Retry, &retry(10)),
            (PluginFailure::Trap, OnPluginError::Dead, &dead),
            (PluginFailure::Timeout, OnPluginError::Dead, &dead),
            (PluginFailure::Retry, OnPluginError::Dead, &retry(10)),
            (PluginFailure::Busy, OnPluginError::Dead, &retry(10)),
        ] {
            let got = step(
                &progress,
                &plugin_failed(kind),
                None,
                &policy(on_plugin_error),
                1,
            );
            assert_eq!(&got.verdict, expected, "{kind:?} under {on_plugin_error:?}");
        }
        let discarded = Outcome::Discarded {
            plugin: plugin(),
            code: "c".to_owned(),
            message: "m".to_owned(),
        };
        assert!(matches!(
            verdict(1, 0, &discarded),
            Verdict::Discarded { .. }
        ));
    }

    #[test]
    fn a_deferral_uses_up_age_alone_and_ends_with_it() {
        let policy = policy(OnPluginError::Retry);
        let minute = Duration::from_secs(60);
        let at = |age_secs| {
            let progress = Progress {
                attempt_number: 99,
                age: Duration::from_secs(age_secs),
            };
            defer(&progress, &policy, minute, Waiting::SecretUnreadable)
        };
        let wait = |secs| Verdict::Defer {
            after: Duration::from_secs(secs),
            waiting_for: Waiting::SecretUnreadable,
        };
        assert_eq!(at(0), wait(60));
        assert_eq!(at(99_990), wait(10));
        assert_eq!(at(100_000), Verdict::Dead(DeadCause::Expired));
    }
}

//! What becomes of a delivery is what its last attempt came to, by the rules of its hook.

use std::time::Duration;

use whisperer_domain::delivery::{CancelCause, DeadCause};
use whisperer_domain::hook::{Hook, OnPluginError};
use whisperer_domain::id::Sequence;
use whisperer_domain::outcome::{Asks, Outcome};
use whisperer_domain::plugin::PluginFailure;
use whisperer_domain::port::{Chained, HookEffect, Settled, Settlement, Verdict};
use whisperer_domain::schedule::RetryConfig;
use whisperer_domain::time::Timestamp;

use super::{Came, Flight, Model, Repetition, Row};

impl Model {
    /// The store wrote what an attempt came to.
    pub(crate) fn settle(&mut self, item: &Settlement, answer: &Settled, now: Timestamp) {
        let sequence = item.sequence;
        self.note(
            now,
            format_args!("settled  {} {:?}: {answer:?}", sequence.0, item.verdict),
        );
        let Some(row) = self.rows.get_mut(&sequence) else {
            self.violate(now, format!("{} is settled and was never made", sequence.0));
            return;
        };
        if let Some(attempt) = &item.attempt {
            if row.known.contains(&attempt.id) {
                return;
            }
            if *answer != Settled::Fenced {
                row.known.push(attempt.id);
                row.attempts += 1;
            }
        }
        let flight = row.flight.take();
        match answer {
            Settled::Fenced => row.explain_repetition(),
            Settled::Cancelled => {
                row.explain_repetition();
                row.pin = row.pin.take().or_else(|| item.pin.clone().map(Into::into));
            }
            Settled::Applied { due } => {
                let max_age = self.max_ages.get(&row.hook).copied();
                let explained = explain(item, row, flight.as_ref(), max_age, now);
                row.state = item.verdict.clone().state(now);
                row.pin = row.pin.take().or_else(|| item.pin.clone().map(Into::into));
                if let Err(why) = explained {
                    let verdict = &item.verdict;
                    self.violate(now, format!("{} is {verdict:?}, but {why}", sequence.0));
                } else if *due != self.rows[&sequence].state.due() {
                    self.violate(now, format!("{} is due at another time", sequence.0));
                }
            }
        }
        // Of what is fenced nothing is written, however often it is tried.
        if *answer != Settled::Fenced {
            self.check_effect(item, flight.as_ref(), now);
        }
        if let Some(flight) = flight
            && flight.came.is_some_and(|came| came.is_success())
            && *answer != Settled::Fenced
        {
            self.watch(&flight.hook).recover(flight.ended_at);
        }
    }

    fn check_effect(&mut self, item: &Settlement, flight: Option<&Flight>, now: Timestamp) {
        if let Some(Outcome::Internal { message }) =
            item.attempt.as_ref().map(|attempt| &attempt.outcome)
        {
            self.violate(now, format!("{}: {message}", item.sequence.0));
        }
        let Some(effect) = &item.effect else {
            return;
        };
        let came = flight.and_then(|flight| flight.came.clone());
        let (Some(came), Some(flight)) = (came, flight) else {
            self.violate(
                now,
                format!("{} ends its hook without an answer", item.sequence.0),
            );
            return;
        };
        let is_gone = matches!(came, Came::Answered { status: 410, .. });
        let expects_gone = matches!(effect, HookEffect::Gone { .. });
        if is_gone != expects_gone || !flight.may_disable {
            self.violate(
                now,
                format!("{} does {effect:?} after {came:?}", item.sequence.0),
            );
        }
    }

    /// Of a hook that was changed meanwhile nothing is known: the store does not disable it.
    pub(super) fn may_disable(&self, hook: &Hook, came: &Came, now: Timestamp) -> bool {
        self.watches.get(&hook.id).is_some_and(|watch| {
            watch.is_later(hook) || watch.may_disable(came, now, self.disabled_after)
        })
    }

    pub(super) fn is_answered_gone(&self, sequence: Sequence) -> bool {
        let hook = self.rows[&sequence].hook;
        self.watches
            .get(&hook)
            .is_some_and(|watch| watch.answered_gone)
    }
}

impl Row {
    fn explain_repetition(&mut self) {
        if self.answered.is_some() {
            self.answered = Some(Repetition::Explained);
        }
    }
}

fn explain(
    item: &Settlement,
    row: &Row,
    flight: Option<&Flight>,
    max_age: Option<Duration>,
    now: Timestamp,
) -> Result<(), String> {
    let Some(flight) = flight else {
        return without_attempt(item, row, max_age, now);
    };
    let Some(came) = &flight.came else {
        return Err("its attempt goes on".to_owned());
    };
    match came {
        Came::Answered {
            status: 200..=299, ..
        } => expect(item.verdict == Verdict::Delivered, came),
        Came::Answered { status: 410, .. } => {
            expect(item.verdict == Verdict::Cancelled(CancelCause::Gone), came)
        }
        Came::Answered {
            asks: Some(Asks::Abort),
            ..
        } if item.verdict == Verdict::Dead(DeadCause::Aborted) => Ok(()),
        Came::Answered {
            status,
            retry_after,
            ..
        } => {
            let wait = retry_after.filter(|_| matches!(status, 429 | 503));
            failed(&item.verdict, flight, wait.unwrap_or_default(), came)
        }
        Came::Nothing { .. } => failed(&item.verdict, flight, Duration::ZERO, came),
        Came::Unsent(Chained::Discarded { .. }) => {
            expect(matches!(item.verdict, Verdict::Discarded { .. }), came)
        }
        Came::Unsent(Chained::Failed { kind, .. }) if is_final(*kind, flight) => {
            let dead = matches!(item.verdict, Verdict::Dead(DeadCause::Plugin { .. }));
            expect(dead, came)
        }
        Came::Unsent(Chained::Failed { .. }) => failed(&item.verdict, flight, Duration::ZERO, came),
        Came::Unsent(Chained::Deferred(_)) => match &item.verdict {
            Verdict::Defer { .. } => Ok(()),
            Verdict::Dead(DeadCause::Expired) => expired(flight, Duration::ZERO),
            Verdict::Delivered
            | Verdict::Discarded { .. }
            | Verdict::Dead(_)
            | Verdict::Cancelled(_)
            | Verdict::Retry { .. } => expect(false, came),
        },
        Came::Unsent(Chained::Unchanged | Chained::Made(_)) => expect(false, came),
    }
}

/// Only age ends a delivery that was not tried; a deferral may be written twice.
fn without_attempt(
    item: &Settlement,
    row: &Row,
    max_age: Option<Duration>,
    now: Timestamp,
) -> Result<(), String> {
    match &item.verdict {
        Verdict::Dead(DeadCause::Expired) => {
            let age = now.since(row.aging_since);
            let is_old = max_age.is_none_or(|max_age| age >= max_age);
            is_old
                .then_some(())
                .ok_or_else(|| format!("it is only {age:?} old"))
        }
        Verdict::Defer { .. } if row.state.due().is_some() => Ok(()),
        Verdict::Delivered
        | Verdict::Discarded { .. }
        | Verdict::Dead(_)
        | Verdict::Cancelled(_)
        | Verdict::Retry { .. }
        | Verdict::Defer { .. } => Err("nothing was tried".to_owned()),
    }
}

fn expect(holds: bool, came: &Came) -> Result<(), String> {
    holds.then_some(()).ok_or_else(|| format!("{came:?}"))
}

fn is_final(kind: PluginFailure, flight: &Flight) -> bool {
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
        | PluginFailure::Failed => flight.hook.on_plugin_error == OnPluginError::Dead,
    }
}

/// It is tried again on its schedule, unless that is at its end.
fn failed(
    verdict: &Verdict,
    flight: &Flight,
    retry_after: Duration,
    came: &Came,
) -> Result<(), String> {
    let number = flight.attempts_counted + 1;
    let last = flight.hook.max_attempts();
    let (least, most) = delays(&flight.hook.retry, flight.attempts_counted);
    let wait = retry_after.min(Duration::from_secs(24 * 3600));
    let (least, most) = (least.max(wait), most.max(wait));
    match verdict {
        Verdict::Retry { after } if number < last => {
            let on_time = (least..=most).contains(after);
            on_time
                .then_some(())
                .ok_or_else(|| format!("the schedule says {least:?} to {most:?}"))
        }
        Verdict::Dead(DeadCause::Exhausted) if number >= last => Ok(()),
        Verdict::Dead(DeadCause::Expired) if number < last => expired(flight, most),
        Verdict::Retry { .. } | Verdict::Dead(DeadCause::Exhausted | DeadCause::Expired) => {
            Err(format!("it was attempt {number} of {last}"))
        }
        Verdict::Delivered
        | Verdict::Discarded { .. }
        | Verdict::Dead(DeadCause::Plugin { .. } | DeadCause::Unsendable(_) | DeadCause::Aborted)
        | Verdict::Cancelled(_)
        | Verdict::Defer { .. } => expect(false, came),
    }
}

fn expired(flight: &Flight, wait: Duration) -> Result<(), String> {
    let age = flight
        .ended_at
        .since(flight.aging_since)
        .saturating_add(wait);
    let most = flight.hook.max_age;
    (age >= most)
        .then_some(())
        .ok_or_else(|| format!("it would be {age:?} old of {most:?}"))
}

/// The least and the most that retry `n` may wait.
fn delays(retry: &RetryConfig, n: u32) -> (Duration, Duration) {
    let exactly = |secs| (Duration::from_secs(secs), Duration::from_secs(secs));
    match retry {
        RetryConfig::Fixed { seconds } => exactly(*seconds),
        RetryConfig::Linear { base, limit } => {
            exactly((base * u64::from(n)).min(limit.unwrap_or(u64::MAX)))
        }
        RetryConfig::Exponential {
            base,
            factor,
            limit,
        } => exactly((base.saturating_pow(n) * factor).min(limit.unwrap_or(u64::MAX))),
        RetryConfig::Random {
            min_value,
            max_value,
        } => (
            Duration::from_secs(*min_value),
            Duration::from_secs(*max_value),
        ),
        RetryConfig::Schedule { seconds } => {
            let base = seconds[(n as usize).min(seconds.len() - 1)];
            (
                Duration::from_millis(base * 800),
                Duration::from_millis(base * 1200),
            )
        }
    }
}

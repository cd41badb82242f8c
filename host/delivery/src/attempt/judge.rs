//! From what happened to what is written: the outcome of an exchange, the verdict of
//! [`step`], the record of the attempt.

use std::time::Duration;

use whisperer_domain::attempt::{Attempt, Response, Timing};
use whisperer_domain::delivery::{DeadCause, Waiting};
use whisperer_domain::outcome::{Asks, Outcome};
use whisperer_domain::port::{Exchanged, Settlement, Verdict};
use whisperer_domain::redact::Redaction;
use whisperer_domain::step::{self, Policy, Progress, Step, step};
use whisperer_domain::time::Timestamp;

use super::{Ended, Job, Trace};
use crate::config::Ports;

pub(super) fn outcome(result: Exchanged) -> (Outcome, Option<Response>, Option<Asks>) {
    match result {
        Exchanged::Answered {
            response,
            retry_after,
            asks,
        } => {
            let status = response.status;
            let outcome = match status {
                200..=299 => Outcome::Delivered { status },
                429 | 503 => Outcome::Refused {
                    status,
                    retry_after_secs: retry_after.map(secs_up),
                },
                0..=199 | 300..=u16::MAX => Outcome::Refused {
                    status,
                    retry_after_secs: None,
                },
            };
            (outcome, Some(response), asks)
        }
        Exchanged::Unreachable { cause, message } => {
            (Outcome::Unreachable { cause, message }, None, None)
        }
        Exchanged::TimedOut { while_doing } => (Outcome::TimedOut { while_doing }, None, None),
        Exchanged::Blocked { message } => (Outcome::Blocked { message }, None, None),
        Exchanged::Internal { message } => (Outcome::Internal { message }, None, None),
    }
}

/// Up: not before means not before.
fn secs_up(wait: Duration) -> u64 {
    wait.as_secs()
        .saturating_add(u64::from(wait.subsec_nanos() > 0))
}

pub(super) fn judge(
    ports: &Ports,
    job: &Job,
    started_at: Timestamp,
    mut outcome: Outcome,
    mut trace: Trace,
) -> Ended {
    redact(job, &mut outcome, &mut trace);
    for run in &trace.runs {
        for line in &run.log {
            tracing::debug!(plugin = %run.plugin, hook = job.hook.id.0, line, "a plugin says");
        }
    }
    let delivery = &job.ready.delivery;
    let number = delivery.attempts.saturating_add(1);
    let progress = progress(ports, job, delivery.attempts_counted().saturating_add(1));
    let Step { verdict, effect } = step(
        &progress,
        &outcome,
        trace.exchange.as_ref().and_then(|exchange| exchange.asks),
        &Policy::from(job.hook.as_ref()),
        job.seed,
    );
    tracing::debug!(
        delivery = delivery.sequence.0,
        hook = job.hook.id.0,
        number,
        outcome = outcome.word(),
        "attempt made"
    );
    let failed = matches!(verdict, Verdict::Retry { .. } | Verdict::Dead(_));
    let pin = trace.pin.filter(|_| failed);
    let (connect, total) = trace
        .exchange
        .as_ref()
        .map_or((Duration::ZERO, Duration::ZERO), |exchange| {
            (exchange.connect, exchange.total)
        });
    let attempt = Attempt {
        id: job.id,
        number,
        started_at,
        outcome,
        timing: Timing {
            plugin_us: micros(trace.plugins_took),
            connect_us: micros(connect),
            wait_us: micros(total.saturating_sub(connect)),
            total_us: micros(trace.plugins_took.saturating_add(total)),
        },
        response: trace.exchange.and_then(|exchange| exchange.response),
        chain: trace.runs,
        pinned: job.ready.pin.is_some(),
    };
    let settlement = Settlement {
        attempt: Some(attempt),
        pin,
        effect,
        ..bare(job, verdict)
    };
    ended(job, settlement)
}

/// Before anything is made of them, as the outcome's words go into the delivery's state too.
fn redact(job: &Job, outcome: &mut Outcome, trace: &mut Trace) {
    let redaction = Redaction::of(&job.hook).and(&trace.header_ops);
    redaction.outcome(outcome);
    redaction.runs(&mut trace.runs);
    let exchange = trace.exchange.as_mut();
    if let Some(response) = exchange.and_then(|exchange| exchange.response.as_mut()) {
        redaction.response(response);
    }
}

pub(super) fn defer(ports: &Ports, job: &Job, waiting_for: Waiting) -> Ended {
    let progress = progress(ports, job, job.ready.delivery.attempts_counted());
    let policy = Policy::from(job.hook.as_ref());
    let verdict = step::defer(&progress, &policy, job.defer_wait, waiting_for);
    let deferred = match &verdict {
        Verdict::Defer { .. } => Some(job.ready.clone()),
        Verdict::Delivered
        | Verdict::Discarded { .. }
        | Verdict::Dead(_)
        | Verdict::Cancelled(_)
        | Verdict::Retry { .. } => None,
    };
    Ended {
        deferred,
        ..ended(job, bare(job, verdict))
    }
}

pub(super) fn expired(job: &Job) -> Ended {
    ended(job, bare(job, Verdict::Dead(DeadCause::Expired)))
}

pub(super) fn unsendable(job: &Job, mut reason: String) -> Ended {
    Redaction::of(&job.hook).text(&mut reason, true);
    ended(job, bare(job, Verdict::Dead(DeadCause::Unsendable(reason))))
}

fn progress(ports: &Ports, job: &Job, attempt_number: u32) -> Progress {
    Progress {
        attempt_number,
        age: ports.clock.now().since(job.ready.delivery.aging_since()),
    }
}

fn bare(job: &Job, verdict: Verdict) -> Settlement {
    Settlement {
        lease: job.lease,
        sequence: job.ready.delivery.sequence,
        attempt: None,
        verdict,
        pin: None,
        effect: None,
        health: None,
        news: None,
    }
}

fn ended(job: &Job, settlement: Settlement) -> Ended {
    Ended {
        settlement,
        deferred: None,
        hook_revision: job.hook.revision,
    }
}

fn micros(wait: Duration) -> u64 {
    u64::try_from(wait.as_micros()).unwrap_or(u64::MAX)
}

//! One try at one delivery, from the chain of plugins to the verdict, in a task of its own.
//!
//! It writes nothing: what it came to is an [`Ended`], which the settler takes to the store.
//! Whatever happens inside, a panic included, there is exactly one `Ended` a job, because a
//! delivery without one would wait until the next start.

mod judge;
mod prepare;
mod request;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use whisperer_domain::attempt::{PluginRun, Response};
use whisperer_domain::delivery::{Pin, Ready, Waiting};
use whisperer_domain::header::HeaderOp;
use whisperer_domain::hook::Hook;
use whisperer_domain::id::AttemptId;
use whisperer_domain::outcome::{Asks, Outcome};
use whisperer_domain::port::{Exchange, Lease, Settlement};
use whisperer_domain::time::Timestamp;

use crate::config::Ports;
use prepare::Prepared;

pub(crate) struct Job {
    pub(crate) id: AttemptId,
    pub(crate) seed: u64,
    pub(crate) lease: Lease,
    /// As it was when the attempt began.
    pub(crate) hook: Arc<Hook>,
    pub(crate) ready: Ready,
    /// What a deferral would wait.
    pub(crate) defer_wait: Duration,
}

/// What an attempt came to, to be settled.
pub(crate) struct Ended {
    pub(crate) settlement: Settlement,
    /// What was deferred, to be tried again from memory.
    pub(crate) deferred: Option<Ready>,
    pub(crate) hook_revision: u64,
}

/// What happened in the course of an attempt, whatever its end.
#[derive(Default)]
struct Trace {
    runs: Vec<PluginRun>,
    plugins_took: Duration,
    exchange: Option<Exchanged>,
    /// What to pin if it failed.
    pin: Option<Pin>,
    /// What plugins did to the headers that were sent.
    header_ops: Vec<HeaderOp>,
}

/// Of an exchange, what the record shows.
struct Exchanged {
    response: Option<Response>,
    asks: Option<Asks>,
    connect: Duration,
    total: Duration,
}

/// Makes the attempt.
///
/// # Cancel safety
/// Dropping the future ends the attempt unsettled: it will be made again after a restart.
pub(crate) async fn run(ports: &Ports, job: Job) -> Ended {
    let started_at = ports.clock.now();
    let pursued = AssertUnwindSafe(pursue(ports, &job, started_at))
        .catch_unwind()
        .await;
    pursued.unwrap_or_else(|_panic| {
        tracing::error!(
            delivery = job.ready.delivery.sequence.0,
            hook = job.hook.id.0,
            "an attempt panicked"
        );
        // Without the panic's words: they may quote a payload or a secret.
        let message = "the attempt broke off inside Whisperer".to_owned();
        judge::judge(
            ports,
            &job,
            started_at,
            Outcome::Internal { message },
            Trace::default(),
        )
    })
}

async fn pursue(ports: &Ports, job: &Job, started_at: Timestamp) -> Ended {
    let age = started_at.since(job.ready.delivery.aging_since());
    if age >= job.hook.max_age {
        return judge::expired(job);
    }
    if job.hook.secrets_unreadable {
        return judge::defer(ports, job, Waiting::SecretUnreadable);
    }
    let mut trace = Trace::default();
    let parcel = match prepare::prepare(ports, job, &mut trace).await {
        Prepared::Parcel(parcel) => parcel,
        Prepared::Ended(outcome) => return judge::judge(ports, job, started_at, outcome, trace),
        Prepared::Deferred(waiting) => return judge::defer(ports, job, waiting),
        Prepared::Unsendable(reason) => return judge::unsendable(job, reason),
    };
    trace.header_ops.clone_from(&parcel.header_ops);
    let request = request::request(job, parcel, ports.clock.now());
    let Exchange {
        result,
        connect,
        total,
    } = ports.transport.send(request).await;
    let (outcome, response, asks) = judge::outcome(result);
    trace.exchange = Some(Exchanged {
        response,
        asks,
        connect,
        total,
    });
    judge::judge(ports, job, started_at, outcome, trace)
}

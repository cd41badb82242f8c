//! From a delivery to the body that is sent: the pinned one if an earlier attempt fixed it, else
//! what the chain makes of the event, in the hook's envelope.

use std::sync::Arc;

use bytes::Bytes;
use whisperer_domain::attempt::PluginRun;
use whisperer_domain::delivery::{Pin, Waiting};
use whisperer_domain::envelope::Envelope;
use whisperer_domain::header::HeaderOp;
use whisperer_domain::hook::OnPluginError;
use whisperer_domain::id::Digest;
use whisperer_domain::outcome::Outcome;
use whisperer_domain::plugin::PluginName;
use whisperer_domain::port::{Chained, Made, TransformJob, Transformed};

use super::{Job, Trace};
use crate::config::Ports;

/// What goes out, but for the headers that are ours.
pub(super) struct Parcel {
    pub(super) body: Bytes,
    pub(super) content_type: String,
    pub(super) header_ops: Vec<HeaderOp>,
}

pub(super) enum Prepared {
    Parcel(Parcel),
    /// A plugin decided, or failed: nothing is sent.
    Ended(Outcome),
    Deferred(Waiting),
    Unsendable(String),
}

pub(super) async fn prepare(ports: &Ports, job: &Job, trace: &mut Trace) -> Prepared {
    match job.ready.pin.as_deref() {
        Some(Pin::Made {
            body,
            content_type,
            header_ops,
            ..
        }) => Prepared::Parcel(Parcel {
            body: body.clone(),
            content_type: content_type.clone(),
            header_ops: header_ops.clone(),
        }),
        Some(Pin::Unchanged { envelope, .. }) => untouched(job, *envelope),
        None => transform(ports, job, trace).await,
    }
}

async fn transform(ports: &Ports, job: &Job, trace: &mut Trace) -> Prepared {
    let transform_job = TransformJob {
        choice: job.hook.plugins.clone(),
        event: Arc::clone(&job.ready.event),
        hook: job.hook.id,
        origin: job.hook.target.as_url().origin().ascii_serialization(),
    };
    let Transformed { result, runs, took } = ports.transform.run(transform_job).await;
    let digests = digests(&runs);
    trace.runs = runs;
    trace.plugins_took = took;
    let send_anyway = job.hook.on_plugin_error == OnPluginError::Send;
    let envelope = job.hook.envelope;
    match result {
        Chained::Unchanged => {
            trace.pin = Some(Pin::Unchanged { envelope, digests });
            untouched(job, envelope)
        }
        Chained::Made(made) => match wrap(job, &made) {
            Ok(parcel) => {
                trace.pin = Some(Pin::Made {
                    body: parcel.body.clone(),
                    content_type: parcel.content_type.clone(),
                    header_ops: parcel.header_ops.clone(),
                    digests,
                });
                Prepared::Parcel(parcel)
            }
            Err(reason) => Prepared::Unsendable(reason),
        },
        // As it was before the chain, and nothing pinned: the next attempt may do better.
        Chained::Failed { .. } | Chained::Deferred(_) if send_anyway => untouched(job, envelope),
        Chained::Discarded {
            plugin,
            code,
            message,
        } => Prepared::Ended(Outcome::Discarded {
            plugin,
            code,
            message,
        }),
        Chained::Failed {
            plugin,
            kind,
            code,
            message,
        } => Prepared::Ended(Outcome::PluginFailed {
            plugin,
            kind,
            code,
            message,
        }),
        Chained::Deferred(waiting) => Prepared::Deferred(waiting),
    }
}

/// The event's own payload in this envelope.
fn untouched(job: &Job, envelope: Envelope) -> Prepared {
    let event = &job.ready.event;
    let uuid = job.ready.delivery.uuid;
    match envelope.wrap(event, uuid, &event.payload, &event.content_type) {
        Ok((body, content_type)) => Prepared::Parcel(Parcel {
            body,
            content_type,
            header_ops: Vec::new(),
        }),
        Err(reason) => Prepared::Unsendable(reason),
    }
}

fn wrap(job: &Job, made: &Made) -> Result<Parcel, String> {
    let event = &job.ready.event;
    let payload = made.payload.as_ref().unwrap_or(&event.payload);
    let content_type = made.content_type.as_ref().unwrap_or(&event.content_type);
    let envelope = if made.bare {
        Envelope::Bare
    } else {
        job.hook.envelope
    };
    let (body, content_type) =
        envelope.wrap(event, job.ready.delivery.uuid, payload, content_type)?;
    Ok(Parcel {
        body,
        content_type,
        header_ops: made.header_ops.clone(),
    })
}

fn digests(runs: &[PluginRun]) -> Vec<(PluginName, Digest)> {
    runs.iter()
        .map(|run| (run.plugin.clone(), run.digest))
        .collect()
}

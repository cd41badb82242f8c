//! The request of one attempt: its headers in a fixed order, the signatures over exactly the
//! bytes that are sent.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use whisperer_domain::header::{self, Value};
use whisperer_domain::port::OutboundRequest;
use whisperer_domain::secret::Secret;
use whisperer_domain::sign;
use whisperer_domain::time::Timestamp;

use super::Job;
use super::prepare::Parcel;

const USER_AGENT: &str = concat!("Whisperer/", env!("CARGO_PKG_VERSION"));

/// URL, secrets, auth and headers are the hook's of now; the body may be an earlier attempt's.
pub(super) fn request(job: &Job, parcel: Parcel, now: Timestamp) -> OutboundRequest {
    let Parcel {
        body,
        content_type,
        header_ops,
    } = parcel;
    let mut headers = header::apply(hook_headers(job, content_type), &header_ops);
    // Last, so that nothing before can stand in for them.
    let signatures = sign::headers(
        &job.hook.signatures,
        &job.hook.keys(),
        &job.ready.delivery.uuid.to_string(),
        now,
        &body,
    );
    let signatures = signatures.into_iter();
    headers.extend(signatures.map(|(name, value)| (name, value.into())));
    OutboundRequest {
        url: job.hook.target.clone(),
        headers,
        body,
        timeout: job.hook.timeout,
    }
}

fn hook_headers(job: &Job, content_type: String) -> Vec<(String, Value)> {
    let header = |name: &str, value: String| (name.to_owned(), Value::Plain(value));
    let event_type = job.ready.event.event_type.to_string();
    let mut headers = vec![
        header("Content-Type", content_type),
        header("User-Agent", USER_AGENT.to_owned()),
        header("X-Whisperer-Event", event_type),
    ];
    if let Some(auth) = &job.hook.auth {
        let pair = Secret::new(format!("{}:{}", auth.username, &*auth.password.expose()));
        let value = Secret::new(format!("Basic {}", STANDARD.encode(&*pair.expose())));
        headers.push(("Authorization".to_owned(), value.into()));
    }
    let additional = job.hook.additional_headers.iter().flatten();
    additional.fold(headers, |headers, (name, value)| {
        header::set(headers, name, value.clone().into())
    })
}

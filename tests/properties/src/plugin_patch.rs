//! Whatever a plugin answers, what is sent afterwards is fit to be sent, and a patch that is
//! refused has changed nothing.
//!
//! Input: lines. `event TYPE` (the content type it came with) and `data BYTES` make the event;
//! then `patch` begins a plugin's answer, to which belong `payload BYTES`, `deep N` (a payload of N
//! nested lists), `type TYPE`, `bare`, and `set`, `append`, `remove` as in `header_filter`.

use bytes::Bytes;
use serde_json::Value;
use whisperer_domain::envelope::{Envelope, is_json};
use whisperer_domain::event::Event;
use whisperer_domain::header::{HEADERS_BYTES_MAX, HEADERS_MAX, HeaderOp, apply};
use whisperer_domain::id::DeliveryUuid;
use whisperer_domain::json;
use whisperer_domain::patch::{Patch, Progress};
use whisperer_domain::port::{Chained, Made};
use whisperer_domain::secret::Secret;

use crate::event_json::event;
use crate::header_filter::{by_name, check_passed, model, op, shown};

/// # Panics
/// The property does not hold.
pub fn plugin_patch(input: &[u8]) {
    let (event, patches) = read(input);
    let mut progress = Progress::default();
    for patch in patches {
        let before = progress.clone();
        let says_nothing = patch == Patch::default();
        match progress.apply(patch, &event) {
            Ok(()) if says_nothing => assert_eq!(progress, before),
            Ok(()) => check_shown(&progress, &event),
            Err(why) => {
                assert!(!why.is_empty());
                assert_eq!(
                    progress, before,
                    "a refused patch is taken whole or not at all"
                );
            }
        }
    }
    match progress.clone().finish() {
        Chained::Unchanged => assert_eq!(progress, Progress::default()),
        Chained::Made(made) => check_made(&made, &event),
        Chained::Discarded { .. } | Chained::Failed { .. } | Chained::Deferred(_) => {
            panic!("a patch decides nothing")
        }
    }
}

fn read(input: &[u8]) -> (Event, Vec<Patch>) {
    let mut event = event();
    event.payload = Bytes::from_static(b"{}");
    let mut patches: Vec<Patch> = Vec::new();
    for line in input.split(|b| *b == b'\n') {
        let (word, rest) = match line.iter().position(|b| *b == b' ') {
            Some(space) => (&line[..space], &line[space + 1..]),
            None => (line, &[][..]),
        };
        let text = || String::from_utf8_lossy(rest).into_owned();
        match (word, patches.last_mut()) {
            (b"patch", _) => patches.push(Patch::default()),
            // An event has passed the same checks when it was posted.
            (b"event", None) => event.content_type = text(),
            (b"data", None) => event.payload = Bytes::copy_from_slice(rest),
            (b"payload", Some(patch)) => patch.payload = Some(rest.to_vec().into()),
            (b"deep", Some(patch)) => {
                let levels = text().parse::<u8>().unwrap_or_default().into();
                let nested = "[".repeat(levels) + "1" + &"]".repeat(levels);
                patch.payload = Some(nested.into());
            }
            (b"type", Some(patch)) => patch.content_type = Some(text()),
            (b"bare", Some(patch)) => patch.bare = true,
            (_, Some(patch)) => match op(&String::from_utf8_lossy(line)) {
                Some(HeaderOp::Set { name, value }) => {
                    patch.set_headers.push((name, value.expose().to_string()));
                }
                Some(HeaderOp::Append { name, value }) => {
                    patch
                        .append_headers
                        .push((name, value.expose().to_string()));
                }
                Some(HeaderOp::Remove { name }) => patch.remove_headers.push(name),
                None => {}
            },
            (_, None) => {}
        }
    }
    let accepted = !is_json(&event.content_type) || json::check_payload(&event.payload).is_ok();
    if !accepted {
        event.payload = Bytes::from_static(b"null");
    }
    (event, patches)
}

/// What the next plugin of the chain is shown is what will be sent.
fn check_shown(progress: &Progress, event: &Event) {
    let Chained::Made(made) = progress.clone().finish() else {
        return assert!(progress.headers().is_empty());
    };
    assert_eq!(
        progress.payload(event),
        made.payload.as_ref().unwrap_or(&event.payload)
    );
    let content_type = made.content_type.as_deref().unwrap_or(&event.content_type);
    assert_eq!(progress.content_type(event), content_type);
    let sent = shown(apply(Vec::new(), &made.header_ops));
    assert_eq!(by_name(&shown(progress.headers())), by_name(&sent));
    assert_eq!(
        by_name(&model(Vec::new(), &made.header_ops)),
        by_name(&sent)
    );
}

fn check_made(made: &Made, event: &Event) {
    made.header_ops.iter().for_each(check_passed);
    assert!(made.header_ops.len() <= HEADERS_MAX);
    let lengths = made
        .header_ops
        .iter()
        .map(|op| op.name().len() + op.value().map_or(0, Secret::len));
    assert!(lengths.sum::<usize>() <= HEADERS_BYTES_MAX);
    let content_type = made.content_type.as_deref().unwrap_or(&event.content_type);
    if let Some(made) = &made.content_type {
        assert!(http::HeaderValue::from_str(made).is_ok(), "{made:?}");
        assert!(
            made.is_ascii() && made.contains('/') && made.len() <= 256,
            "{made:?}"
        );
    }
    let remade = made.payload.is_some() || made.content_type.is_some();
    if remade && !is_json(content_type) {
        assert!(made.bare, "{content_type} would be spliced into JSON");
    }
    if !remade || !is_json(content_type) {
        return;
    }
    // A plugin can still ask for no envelope; what stands in one must hold there.
    let payload = made.payload.as_ref().unwrap_or(&event.payload);
    for envelope in [
        Envelope::Whisperer,
        Envelope::Standard,
        Envelope::CloudEvents,
    ] {
        let uuid = DeliveryUuid(uuid::Uuid::from_u128(7));
        let (body, _) = envelope
            .wrap(event, uuid, payload, content_type)
            .expect("JSON fits into every envelope");
        if let Err(error) = serde_json::from_slice::<Value>(&body) {
            panic!("{envelope:?} of what a plugin made: {error}");
        }
    }
}

//! What a chain came to, as JSON for people and for golden cases. The API's `try/` and the
//! authors' commands show the same.

use serde_json::{Map, Value, json};
use whisperer_domain::event::Event;
use whisperer_domain::header::HeaderOp;
use whisperer_domain::port::{Chained, Made};

use crate::api::waiting_words;

/// A change list longer than this helps nobody.
const DIFF_MAX: usize = 1_000;

/// `{"outcome": …}` with what belongs to it; what was not changed is left out.
pub(crate) fn show(result: &Chained) -> Value {
    match result {
        Chained::Unchanged => json!({"outcome": "unchanged"}),
        Chained::Made(made) => show_made(made),
        Chained::Discarded { code, message, .. } => {
            json!({"outcome": "discard", "code": code, "message": message})
        }
        Chained::Failed {
            kind,
            code,
            message,
            ..
        } => json!({
            "outcome": "failed", "kind": kind.word(), "code": code, "message": message,
        }),
        Chained::Deferred(waiting) => {
            json!({"outcome": "deferred", "waiting_for": waiting_words(waiting)})
        }
    }
}

fn show_made(made: &Made) -> Value {
    let mut shown = Map::new();
    shown.insert("outcome".to_owned(), "modified".into());
    if let Some(payload) = &made.payload {
        let (name, value) = match serde_json::from_slice::<Value>(payload) {
            Ok(value) => ("payload", value),
            Err(_) => (
                "payload_text",
                String::from_utf8_lossy(payload).into_owned().into(),
            ),
        };
        shown.insert(name.to_owned(), value);
    }
    if let Some(content_type) = &made.content_type {
        shown.insert("content_type".to_owned(), content_type.as_str().into());
    }
    if made.bare {
        shown.insert("bare".to_owned(), true.into());
    }
    if !made.header_ops.is_empty() {
        let ops = made.header_ops.iter().map(show_op).collect();
        shown.insert("headers".to_owned(), ops);
    }
    Value::Object(shown)
}

fn show_op(op: &HeaderOp) -> Value {
    match op {
        HeaderOp::Set { name, value } => {
            json!({"op": "set", "name": name, "value": &*value.expose()})
        }
        HeaderOp::Append { name, value } => {
            json!({"op": "append", "name": name, "value": &*value.expose()})
        }
        HeaderOp::Remove { name } => json!({"op": "remove", "name": name}),
    }
}

/// From the event's payload to the result's, as RFC 6902 operations; empty where either is no
/// JSON or nothing changed.
pub(crate) fn diff(event: &Event, result: &Chained) -> Vec<Value> {
    let Chained::Made(Made {
        payload: Some(after),
        ..
    }) = result
    else {
        return Vec::new();
    };
    let read = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).ok();
    let (Some(before), Some(after)) = (read(&event.payload), read(after)) else {
        return Vec::new();
    };
    let patch = json_patch::diff(&before, &after);
    let operations = patch.0.iter().take(DIFF_MAX);
    operations
        .filter_map(|operation| serde_json::to_value(operation).ok())
        .collect()
}

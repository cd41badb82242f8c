//! What is sent: what was pinned; else what the chain made of the event just now. Nothing leaves
//! untransformed where a chain applies, unless the hook wants that.

use bytes::Bytes;
use whisperer_domain::delivery::Pin;
use whisperer_domain::hook::{Hook, OnPluginError};
use whisperer_domain::id::Sequence;
use whisperer_domain::port::Chained;
use whisperer_domain::time::Timestamp;

use super::{Flight, Model, Row};

impl Model {
    pub(super) fn check_content(&mut self, sequence: Sequence, body: &[u8], now: Timestamp) {
        let row = &self.rows[&sequence];
        let Some(flight) = &row.flight else {
            return;
        };
        let expected = expected(row, flight);
        if expected.as_deref() != Ok(body) {
            let body = String::from_utf8_lossy(body).into_owned();
            self.violate(
                now,
                format!("{} was sent as {body}, expected {expected:?}", sequence.0),
            );
        }
    }
}

/// Whether a request follows.
pub(super) fn is_sent(chained: &Chained, hook: &Hook) -> bool {
    match chained {
        Chained::Unchanged | Chained::Made(_) => true,
        Chained::Discarded { .. } => false,
        Chained::Failed { .. } | Chained::Deferred(_) => {
            hook.on_plugin_error == OnPluginError::Send
        }
    }
}

fn expected(row: &Row, flight: &Flight) -> Result<Bytes, String> {
    let untouched = &row.event.payload;
    match (flight.pin.as_deref(), &flight.chained) {
        (Some(Pin::Made { body, .. }), _) => Ok(body.clone()),
        (Some(Pin::Unchanged { envelope, .. }), _) => wrapped(
            row,
            &Hook {
                envelope: *envelope,
                ..Hook::clone(&flight.hook)
            },
            untouched,
        ),
        (None, None) => Err("nothing: the chain was not asked".to_owned()),
        (None, Some(chained)) if !is_sent(chained, &flight.hook) => {
            Err(format!("nothing: the chain said {chained:?}"))
        }
        (None, Some(Chained::Made(made))) => wrapped(
            row,
            &flight.hook,
            made.payload.as_ref().unwrap_or(untouched),
        ),
        (
            None,
            Some(
                Chained::Unchanged
                | Chained::Discarded { .. }
                | Chained::Failed { .. }
                | Chained::Deferred(_),
            ),
        ) => wrapped(row, &flight.hook, untouched),
    }
}

fn wrapped(row: &Row, hook: &Hook, payload: &Bytes) -> Result<Bytes, String> {
    let wrapped = hook
        .envelope
        .wrap(&row.event, row.uuid, payload, &row.event.content_type);
    wrapped.map(|(body, _)| body)
}

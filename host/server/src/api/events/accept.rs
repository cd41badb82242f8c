//! From what was posted to what is on disk: the schema of its type, its recipients, the commit.
//!
//! Schema and recipients are those of one revision of the catalog, which the commit checks; when
//! it moved on meanwhile, both are looked at anew, a bounded number of times.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Map, Value};
use whisperer_domain::catalog::CatalogSnapshot;
use whisperer_domain::envelope;
use whisperer_domain::event::{IdempotencyKey, NewEvent};
use whisperer_domain::event_type::{EventType, PayloadFault, PayloadSchema};
use whisperer_domain::id::EventId;
use whisperer_domain::port::{AcceptError, Accepted, StoreDown};

use super::Input;
use crate::api::Api;
use crate::api::field_errors::FieldErrors;
use crate::api::hooks::{chain, unknown_event_type};
use crate::api::problem::Problem;

/// The catalog changed between reading and commit: so often only in a storm of changes.
pub(super) const STALE_ROUNDS_MAX: usize = 16;
/// How long a patient poster waits, and how often, for a store that lags: 5 s in all.
const LAG_PAUSE: Duration = Duration::from_millis(50);
const LAG_ROUNDS_MAX: usize = 100;
/// A longer payload is held against its schema on a thread of its own: it takes milliseconds.
const INLINE_BYTES_MAX: usize = 64 << 10;

/// What to do while more waits to be written than the store's queue holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Haste {
    /// Say so at once.
    Now,
    /// Wait a while: the poster has more to come anyway, and is slowed down by it.
    Patient,
}

pub(super) async fn accept(
    api: &Api,
    input: Input,
    idempotency: Option<IdempotencyKey>,
    haste: Haste,
) -> Result<Accepted, Problem> {
    let event = NewEvent {
        id: match input.id {
            Some(id) => id,
            None => fresh_id(api)?,
        },
        event_type: input.event_type,
        occurred_at: input.occurred_at,
        object_id: input.object_id,
        content_type: input.content_type,
        cloud: input.cloud,
        payload: input.payload,
        fingerprint: input.fingerprint,
        idempotency,
        config_filter: input.config_filter.as_ref().map(config_filter_text),
    };
    let is_json = envelope::is_json(&event.content_type);
    let mut fits: Option<Arc<PayloadSchema>> = None;
    let (mut stale, mut lags) = (0, 0);
    while stale < STALE_ROUNDS_MAX {
        let snapshot = api.catalog.snapshot();
        if let Some(schema) = schema_of(&snapshot, &event.event_type)? {
            let same = |known: &Arc<PayloadSchema>| Arc::ptr_eq(known, schema);
            if !fits.as_ref().is_some_and(same) {
                check(schema, &event.payload, is_json).await?;
                fits = Some(Arc::clone(schema));
            }
        }
        let recipients = snapshot.recipients(
            &event.event_type,
            is_json.then_some(&*event.payload),
            input.config_filter.as_ref(),
        );
        let (revision, accepting) = (snapshot.revision, event.clone());
        drop(snapshot);
        match api.ledger.accept(accepting, recipients, revision).await {
            Ok(accepted) => return Ok(accepted),
            Err(AcceptError::Stale) => stale += 1,
            Err(AcceptError::IdTaken) => {
                return Err(Problem::new(
                    StatusCode::CONFLICT,
                    "Another event has this id: the same event must be posted with the same body.",
                ));
            }
            Err(AcceptError::KeyReused) => {
                return Err(Problem::new(
                    StatusCode::CONFLICT,
                    "This Idempotency-Key was used for another body.",
                ));
            }
            Err(AcceptError::Down(StoreDown::Lagging))
                if haste == Haste::Patient && lags < LAG_ROUNDS_MAX =>
            {
                lags += 1;
                api.clock.sleep(LAG_PAUSE).await;
            }
            Err(AcceptError::Down(down)) => return Err(down.into()),
        }
    }
    Err(Problem::unavailable(
        1,
        "Hooks are being changed too fast to settle who gets this event: come again.",
    ))
}

/// As it is kept for replays.
fn config_filter_text(filter: &Map<String, Value>) -> String {
    Value::Object(filter.clone()).to_string()
}

/// A UUID v7, which sorts by time, on our own clock.
pub(in crate::api) fn fresh_id(api: &Api) -> Result<EventId, Problem> {
    let now = api.clock.now();
    // Below 1,000 ms, so below 10^9 ns: it fits.
    let nanos = u32::try_from(now.0 % 1000).unwrap_or(0) * 1_000_000;
    let moment = uuid::Timestamp::from_unix(uuid::NoContext, now.as_secs(), nanos);
    EventId::parse(&uuid::Uuid::new_v7(moment).to_string())
        .map_err(|words| Problem::internal(&words))
}

/// The type was registered when the event was read; it may be gone since.
fn schema_of<'a>(
    snapshot: &'a CatalogSnapshot,
    name: &EventType,
) -> Result<Option<&'a Arc<PayloadSchema>>, Problem> {
    match snapshot.event_types.get(name) {
        Some(info) => Ok(info.schema.as_ref()),
        None => {
            let mut errors = FieldErrors::default();
            errors.put("type", unknown_event_type(name.as_str(), snapshot));
            Err(Problem::invalid(errors))
        }
    }
}

async fn check(schema: &Arc<PayloadSchema>, payload: &Bytes, is_json: bool) -> Result<(), Problem> {
    let checked = if !is_json {
        Err(PayloadFault::NotJson)
    } else if payload.len() <= INLINE_BYTES_MAX {
        schema.check(payload)
    } else {
        let (schema, payload) = (Arc::clone(schema), payload.clone());
        tokio::task::spawn_blocking(move || schema.check(&payload))
            .await
            .map_err(|error| Problem::internal(&error))?
    };
    let mut errors = FieldErrors::default();
    match checked {
        Ok(()) => return Ok(()),
        Err(PayloadFault::Misfits(misfits)) => errors.put("payload", chain::told(&misfits)),
        Err(PayloadFault::NotJson) => errors.add(
            "payload",
            "The schema of this event type takes JSON only: post it as application/json.",
        ),
        Err(PayloadFault::Unusable(why)) => {
            return Err(Problem::internal(&format_args!(
                "the schema of an event type cannot be applied, put it anew: {why}"
            )));
        }
    }
    Err(Problem::invalid(errors))
}

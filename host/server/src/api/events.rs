//! `POST /events/`: the message is taken, once it is safe. (What is kept of it: `list`; sent once
//! more: `replay`.)
//!
//! The payload is never parsed into values and written again: it is cut out of the body as it
//! was posted. 202 is said only after the store's commit, which checks that the recipients
//! still hold; if the catalog moved on meanwhile they are computed again.

mod input;
mod list;
mod replay;
pub(in crate::api) mod schema;
mod view;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;
use whisperer_domain::envelope;
use whisperer_domain::event::{IdempotencyKey, NewEvent};
use whisperer_domain::id::{EventId, Owner};
use whisperer_domain::port::{AcceptError, Accepted};

use super::Api;
use super::auth::Principal;
use super::body;
use super::field_errors::FieldErrors;
use super::problem::Problem;
pub(in crate::api) use input::Input;
pub(super) use list::{__path_list, __path_one, everything, list, one};
pub(super) use replay::{__path_replay, replay};
use schema::EventInput;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;
/// The catalog changed between reading and commit: so often only in a storm of changes.
const STALE_ROUNDS_MAX: usize = 16;

#[derive(Serialize, ToSchema)]
#[schema(as = Accepted)]
struct Answer<'a> {
    id: &'a str,
    /// To how many hooks it goes.
    deliveries: u64,
}

/// Post an event
///
/// Answered once it is durable.
#[utoipa::path(
    post,
    path = "/whisperer/events/",
    operation_id = "event_create",
    tag = "Events",
    params(("Idempotency-Key" = Option<String>, Header, max_length = 255, description = "For 24 hours the same key with the same body answers the same.")),
    request_body = EventInput,
    responses(
        (status = 202, body = Answer, description = "It is on disk.", headers(("Idempotent-Replayed" = String, description = "`true` if it had been accepted before."))),
        (status = 409, description = "The id, or the Idempotency-Key, was used for another body."),
    ),
)]
pub(super) async fn create(
    State(api): State<Arc<Api>>,
    who: Principal,
    request: Request,
) -> Result<Response, Problem> {
    let idempotency = idempotency_key(request.headers(), &who.owner)?;
    let received = body::receive(&api, request, api.limits.event_body_bytes_max).await?;
    body::check(&received.bytes)?;
    let input = Input::read(&received.bytes, &api.catalog.snapshot())?;
    let event = NewEvent {
        id: match &input.id {
            Some(id) => id.clone(),
            None => fresh_id(&api)?,
        },
        event_type: input.event_type.clone(),
        occurred_at: input.occurred_at,
        object_id: input.object_id.clone(),
        content_type: envelope::JSON.to_owned(),
        payload: input.payload.clone(),
        fingerprint: Sha256::digest(&received.bytes).into(),
        idempotency,
        config_filter: input.config_filter.as_ref().map(config_filter_text),
    };
    let accepted = accept(&api, &input, event).await?;
    let answer = Answer {
        id: accepted.id.as_str(),
        deliveries: accepted.deliveries,
    };
    let mut response = (StatusCode::ACCEPTED, Json(answer)).into_response();
    if accepted.replayed {
        response.headers_mut().insert(
            HeaderName::from_static("idempotent-replayed"),
            HeaderValue::from_static("true"),
        );
    }
    Ok(response)
}

async fn accept(api: &Api, input: &Input, event: NewEvent) -> Result<Accepted, Problem> {
    for _ in 0..STALE_ROUNDS_MAX {
        let snapshot = api.catalog.snapshot();
        let recipients = snapshot.recipients(&event.event_type, input.config_filter.as_ref());
        match api
            .ledger
            .accept(event.clone(), recipients, snapshot.revision)
            .await
        {
            Ok(accepted) => return Ok(accepted),
            Err(AcceptError::Stale) => {}
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

fn idempotency_key(headers: &HeaderMap, owner: &Owner) -> Result<Option<IdempotencyKey>, Problem> {
    let Some(given) = headers.get(IDEMPOTENCY_KEY) else {
        return Ok(None);
    };
    let printable = |key: &&str| {
        (1..=IDEMPOTENCY_KEY_BYTES_MAX).contains(&key.len())
            && key.bytes().all(|byte| (b' '..=b'~').contains(&byte))
    };
    let key = given.to_str().ok().filter(printable).ok_or_else(|| {
        let words =
            format!("Must have 1 to {IDEMPOTENCY_KEY_BYTES_MAX} printable ASCII characters.");
        Problem::invalid(FieldErrors::of("Idempotency-Key", words))
    })?;
    Ok(Some(IdempotencyKey {
        owner: owner.clone(),
        key: key.to_owned(),
    }))
}

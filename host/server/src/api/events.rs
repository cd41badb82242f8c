//! `POST /events/`: the message is taken, once it is safe. (What is kept of it: `list`; sent once
//! more: `replay`.)
//!
//! The payload is never parsed into values and written again: it is cut out of the body as it
//! was posted. 202 is said only after the store's commit, which checks that the recipients
//! still hold; if the catalog moved on meanwhile they are computed again.
//!
//! An event comes in one of three shapes, told apart by its content type and headers: ours
//! (`input`), a structured CloudEvent, or a binary one (`cloud_event`). Many at once come by
//! `batch`.

mod accept;
mod batch;
mod cloud_event;
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
use utoipa::ToSchema;
use whisperer_domain::event::IdempotencyKey;
use whisperer_domain::id::Owner;

use super::Api;
use super::auth::Principal;
use super::body;
use super::field_errors::FieldErrors;
use super::problem::Problem;
pub(in crate::api) use accept::fresh_id;
use accept::{Haste, accept};
use cloud_event::Shape;

pub(super) use batch::{__path_batch, batch};
pub(in crate::api) use input::Input;
pub(super) use list::{__path_list, __path_one, list, one};
pub(super) use replay::{__path_replay, replay};
use schema::{CloudEventInput, EventInput};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;

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
    request_body(content(
        (EventInput = "application/json"),
        (CloudEventInput = "application/cloudevents+json"),
    ), description = "Ours or a structured CloudEvent; a binary one is any body with `ce-` headers"),
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
    let bytes_max = api.limits.event_body_bytes_max;
    let shape = Shape::of(request.headers())?;
    // Until it is accepted it holds its share of the memory for bodies.
    let (input, _received) = match shape {
        Shape::Ours => {
            let received = body::receive(&api, request, bytes_max).await?;
            body::check(&received.bytes)?;
            let input = Input::read(&received.bytes, &api.catalog.snapshot())?;
            (input, received)
        }
        Shape::Structured => {
            let received = body::receive_any(&api, request, bytes_max).await?;
            body::check(&received.bytes)?;
            let input = cloud_event::structured(&received.bytes, &api.catalog.snapshot())?;
            (input, received)
        }
        Shape::Binary => {
            let headers = request.headers().clone();
            let received = body::receive_any(&api, request, bytes_max).await?;
            let input = cloud_event::binary(&headers, &received.bytes, &api.catalog.snapshot())?;
            (input, received)
        }
    };
    let accepted = accept(&api, input, idempotency, Haste::Now).await?;
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

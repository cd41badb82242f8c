//! `POST /hooks/{id}/test/`: a sample event through everything that a real one goes through, to
//! this hook alone, and its first attempt waited for.
//!
//! It is kept like any event. What tells it from a real one is its id, which begins with `test-`:
//! that id is in our lists and in no envelope or header, so its receiver sees a request like all
//! others. The payload is the caller's, or the sample below.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;
use whisperer_domain::catalog::CatalogSnapshot;
use whisperer_domain::delivery::DeliveryState;
use whisperer_domain::envelope;
use whisperer_domain::event::NewEvent;
use whisperer_domain::event_type::{EventPattern, EventType};
use whisperer_domain::hook::Hook;
use whisperer_domain::id::{EventId, HookId, Sequence};
use whisperer_domain::port::{AcceptError, DeliveryQuery, DirectError, Scope};

use super::{STALE_ROUNDS_MAX, hook_id, visible};
use crate::api::Api;
use crate::api::auth::Principal;
use crate::api::body;
use crate::api::event_types::example_of;
use crate::api::events::fresh_id;
use crate::api::field_errors::{Checked, FieldErrors};
use crate::api::hook_events::{Awaited, Watched, attempt_view};
use crate::api::problem::Problem;
use crate::api::value;

const MEMBERS: [&str; 2] = ["type", "payload"];
const TYPE_CHARS_MAX: usize = 256;
/// What marks an event as a test.
const ID_PREFIX: &str = "test-";

/// For the document.
#[derive(Serialize, ToSchema)]
#[schema(as = TestInput)]
struct Input {
    /// One that the hook wants; absent: the first there is.
    #[serde(rename = "type")]
    event_type: Option<String>,
    /// Absent: the type's example, or a small sample.
    payload: Option<Value>,
}

#[derive(Serialize, ToSchema)]
struct Tested {
    event_id: String,
    delivery_id: u64,
    delivered: bool,
    state: &'static str,
    /// Why it is not delivered.
    detail: Option<String>,
    #[schema(value_type = Option<Object>)]
    attempt: Option<Value>,
}

struct Sample {
    event_type: EventType,
    payload: Bytes,
}

/// Send a hook a sample
///
/// Through everything that a real event goes through; its first attempt is waited for.
#[utoipa::path(
    post,
    path = "/whisperer/hooks/{id}/test/",
    operation_id = "hook_test",
    tag = "Hooks",
    params(("id" = u64, Path)),
    request_body = Option<Input>,
    responses(
        (status = 200, body = Tested),
        (status = 202, body = Tested, description = "It is still to be tried."),
        (status = 404, description = "There is no such hook, or it is another owner's."),
        (status = 409, description = "The hook is paused, inactive or disabled."),
    ),
)]
pub(in crate::api) async fn test(
    State(api): State<Arc<Api>>,
    who: Principal,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let id = hook_id(&id)?;
    let received = body::receive(&api, request, api.limits.event_body_bytes_max).await?;
    let input = if received.bytes.is_empty() {
        Map::new()
    } else {
        body::object(&received.bytes)?
    };
    let snapshot = api.catalog.snapshot();
    let hook = visible(&snapshot, &who, id)?;
    if !hook.delivers() {
        return Err(DirectError::HookHeld.into());
    }
    let sample = read(&input, hook, &snapshot).map_err(Problem::invalid)?;
    let event = accept(&api, &who, id, sample).await?;
    let delivery = delivery_of(&api, &event).await?;
    let watched = Watched::begin(&api, delivery, who.scope())?;
    let awaited = watched.until_tried(0, hook).await?;
    Ok(answer(&event, delivery, &awaited))
}

fn read(
    input: &Map<String, Value>,
    hook: &Hook,
    snapshot: &CatalogSnapshot,
) -> Result<Sample, FieldErrors> {
    let mut errors = FieldErrors::default();
    errors.note_unknown(input, &MEMBERS);
    let event_type = errors.note("type", event_type(input.get("type"), hook, snapshot));
    let Some(event_type) = event_type else {
        return Err(errors);
    };
    let payload = match input.get("payload") {
        Some(given) => given.to_string(),
        None => sample(&event_type, snapshot),
    };
    errors.or(Sample {
        event_type,
        payload: payload.into(),
    })
}

/// One that the hook wants: the one named, or the first there is.
fn event_type(
    given: Option<&Value>,
    hook: &Hook,
    snapshot: &CatalogSnapshot,
) -> Checked<EventType> {
    let wanted = |name: &&EventType| hook.subscription.matches(name);
    match given {
        Some(given) => {
            let text = value::text(given, TYPE_CHARS_MAX)?;
            let known = EventType::parse(text)
                .ok()
                .filter(|name| snapshot.event_types.contains_key(name))
                .ok_or_else(|| super::unknown_event_type(text, snapshot))?;
            if wanted(&&known) {
                return Ok(known);
            }
            Err(format!(
                "The hook does not want this: it is subscribed to {}.",
                hook.subscription
            )
            .into())
        }
        None => match &hook.subscription {
            EventPattern::Exact(name) => Ok(name.clone()),
            EventPattern::All | EventPattern::Under(_) => {
                let found = snapshot.event_types.keys().find(wanted).cloned();
                found.ok_or_else(|| "No registered type fits the hook's pattern: name one.".into())
            }
        },
    }
}

/// The example that stands in the catalogue, or a small one that says what it is.
fn sample(event_type: &EventType, snapshot: &CatalogSnapshot) -> String {
    let info = snapshot.event_types.get(event_type);
    if let Some(example) = info.and_then(|info| example_of(event_type, info)) {
        return example.to_owned();
    }
    json!({"id": 1, "description": format!("A sample of {event_type}")}).to_string()
}

async fn accept(
    api: &Api,
    who: &Principal,
    hook: HookId,
    sample: Sample,
) -> Result<EventId, Problem> {
    let id = format!("{ID_PREFIX}{}", fresh_id(api)?);
    let id = EventId::parse(&id).map_err(|words| Problem::internal(&words))?;
    let event = NewEvent {
        id: id.clone(),
        event_type: sample.event_type,
        occurred_at: None,
        object_id: None,
        content_type: envelope::JSON.to_owned(),
        cloud: None,
        fingerprint: Sha256::digest(&sample.payload).into(),
        payload: sample.payload,
        idempotency: None,
        config_filter: None,
    };
    for _ in 0..STALE_ROUNDS_MAX {
        let snapshot = api.catalog.snapshot();
        if !visible(&snapshot, who, hook)?.delivers() {
            return Err(DirectError::HookHeld.into());
        }
        let accepted = api
            .ledger
            .accept(event.clone(), vec![hook], snapshot.revision)
            .await;
        match accepted {
            Ok(_) => return Ok(id),
            Err(AcceptError::Stale) => {}
            Err(error @ (AcceptError::IdTaken | AcceptError::KeyReused)) => {
                return Err(Problem::internal(&error));
            }
            Err(AcceptError::Down(down)) => return Err(down.into()),
        }
    }
    Err(DirectError::Stale.into())
}

async fn delivery_of(api: &Api, event: &EventId) -> Result<Sequence, Problem> {
    let query = DeliveryQuery {
        event: Some(event.clone()),
        ..DeliveryQuery::all(Scope::All, 1)
    };
    let page = api.ledger.page(query).await?;
    let first = page.items.first();
    let first = first.ok_or_else(|| Problem::internal(&"an accepted event has no delivery"))?;
    Ok(first.delivery.sequence)
}

/// The call did what it should, whatever the receiver said: 200, or 202 while it is under way.
fn answer(event: &EventId, delivery: Sequence, awaited: &Awaited) -> Response {
    let state = awaited.found.state();
    let attempt = awaited.attempt.as_ref();
    let status = if attempt.is_some() || state.due().is_none() {
        StatusCode::OK
    } else {
        StatusCode::ACCEPTED
    };
    let body = Tested {
        event_id: event.to_string(),
        delivery_id: delivery.0,
        delivered: *state == DeliveryState::Delivered,
        state: state.word(),
        detail: awaited.error(),
        attempt: attempt.map(attempt_view),
    };
    (status, Json(body)).into_response()
}

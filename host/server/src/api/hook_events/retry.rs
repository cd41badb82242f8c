//! `POST /hook_events/{id}/retry/`: one delivery, tried now, and its result waited for; in the
//! words of the OMS.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;
use serde_json::{Map, json};
use utoipa::ToSchema;
use whisperer_domain::delivery::DeliveryState;
use whisperer_domain::port::{DirectError, Directed, Directive, Run};

use super::awaited::{Awaited, Watched};
use super::view;
use crate::api::Api;
use crate::api::auth::Principal;
use crate::api::body;
use crate::api::field_errors::FieldErrors;
use crate::api::problem::Problem;
use crate::api::value;

/// For the document.
#[derive(Serialize, ToSchema)]
#[schema(as = RetryInput)]
struct Input {
    /// Although it is delivered, or due in any case.
    force: Option<bool>,
}

/// For the document.
#[derive(Serialize, ToSchema)]
struct Retried {
    detail: String,
    response_status: Option<u16>,
    response_content: Option<String>,
    response_time: Option<f64>,
    delivered: bool,
    error: Option<String>,
    state: String,
}

const BODY_BYTES_MAX: usize = 4 << 10;
const DELIVERED: &str = "Webhook event delivered successfully";
const FAILED: &str = "Webhook event delivery failed";
/// Ours: the OMS waited for as long as it took.
const UNDER_WAY: &str = "Webhook event is being delivered";

/// Try a delivery now, and wait for the answer
#[utoipa::path(
    post,
    path = "/whisperer/hook_events/{id}/retry/",
    operation_id = "delivery_retry",
    tag = "Deliveries",
    params(("id" = u64, Path)),
    request_body = Option<Input>,
    responses(
        (status = 200, body = Retried, description = "It is delivered."),
        (status = 202, body = Retried, description = "It is still being tried."),
        (status = 404, description = "There is no such delivery, or it is another owner's."),
        (status = 406, description = "The receiver refused it again: see `response_status`. Or it was not tried: it is delivered already (`event_100_3`) or due in any case (`event_100_6`), unless forced."),
        (status = 409, description = "Its hook is gone, paused, inactive or disabled."),
    ),
)]
pub(in crate::api) async fn retry(
    State(api): State<Arc<Api>>,
    who: Principal,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let sequence = super::sequence(&id)?;
    let force = force(&api, request).await?;
    let found = api.ledger.find(sequence, who.scope()).await?;
    let found = found.ok_or_else(Problem::not_found)?;
    let snapshot = api.catalog.snapshot();
    let hook = snapshot.hooks.get(&found.view.delivery.hook);
    let hook = hook.ok_or_else(|| Problem::from(DirectError::HookGone))?;
    let watched = Watched::begin(&api, sequence, who.scope())?;
    let directive = Directive::Retry {
        delivery: sequence,
        force,
    };
    let run = Run::Real(Some(who.bare_note("retried")));
    let directed = api.ledger.direct(directive, who.scope(), run).await?;
    let attempts = match directed {
        Directed::Due { attempts } => attempts,
        Directed::Selected { .. } | Directed::Made { .. } => {
            return Err(Problem::internal(&"a retry was answered as something else"));
        }
    };
    tracing::info!(
        delivery = sequence.0,
        force,
        "a delivery is retried by hand"
    );
    let awaited = watched.until_tried(attempts, hook).await?;
    Ok(answer(&awaited))
}

/// No body at all says no.
async fn force(api: &Api, request: Request) -> Result<bool, Problem> {
    let received = body::receive(api, request, BODY_BYTES_MAX).await?;
    let input = if received.bytes.is_empty() {
        Map::new()
    } else {
        body::object(&received.bytes)?
    };
    let mut errors = FieldErrors::default();
    errors.note_unknown(&input, &["force"]);
    let force = input.get("force").map(value::boolean).transpose();
    let force = errors.note("force", force.map_err(Into::into)).flatten();
    errors
        .or(force.unwrap_or(false))
        .map_err(Problem::invalid_at_top)
}

fn answer(awaited: &Awaited) -> Response {
    let attempt = awaited.attempt.as_ref();
    let state = awaited.found.state();
    let delivered = *state == DeliveryState::Delivered;
    let response = attempt.and_then(|attempt| attempt.response.as_ref());
    let shown = [
        ("response_status", json!(response.map(|it| it.status))),
        (
            "response_content",
            json!(attempt.and_then(view::response_content)),
        ),
        ("response_time", json!(attempt.map(view::response_time))),
        ("delivered", json!(delivered)),
        ("error", json!(awaited.error())),
        ("state", json!(state.word())),
    ];
    if delivered || (attempt.is_none() && state.due().is_some()) {
        let (status, words) = if delivered {
            (StatusCode::OK, DELIVERED)
        } else {
            (StatusCode::ACCEPTED, UNDER_WAY)
        };
        let mut body = Map::from_iter([("detail".to_owned(), json!(words))]);
        body.extend(shown.map(|(name, value)| (name.to_owned(), value)));
        return (status, Json(body)).into_response();
    }
    let problem = Problem::new(StatusCode::NOT_ACCEPTABLE, FAILED);
    shown
        .into_iter()
        .fold(problem, |problem, (name, value)| {
            problem.member(name, value)
        })
        .into_response()
}

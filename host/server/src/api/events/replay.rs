//! `POST /events/{id}/replay/`: a stored event delivered once more, as new deliveries. To the
//! hooks that it would go to if it were posted now, with the `config_filter` that it was posted
//! with; or to the hooks that are named, whatever they subscribe to.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use whisperer_domain::catalog::CatalogSnapshot;
use whisperer_domain::envelope;
use whisperer_domain::id::{EventId, HookId};
use whisperer_domain::port::{DirectError, Directed, Directive, EventFound, Run, Scope};

use super::accept::STALE_ROUNDS_MAX;
use crate::api::Api;
use crate::api::auth::Principal;
use crate::api::body;
use crate::api::field_errors::{Checked, FieldErrors};
use crate::api::problem::Problem;
use crate::api::value;

const BODY_BYTES_MAX: usize = 64 << 10;
const MEMBERS: [&str; 2] = ["hooks", "dry_run"];
/// Hooks that can be named in one request.
const HOOKS_MAX: usize = 1000;

/// For the document.
#[derive(Serialize, ToSchema)]
#[schema(as = ReplayInput)]
struct Input {
    /// Absent: those that match now.
    #[schema(min_items = 1, max_items = 1000)]
    hooks: Option<Vec<u64>>,
    /// Only count.
    dry_run: Option<bool>,
}

#[derive(Serialize, ToSchema)]
struct Replayed {
    id: String,
    /// New ones.
    deliveries: u64,
    dry_run: bool,
}

#[derive(Default)]
struct Asked {
    /// None: those that match.
    hooks: Option<Vec<HookId>>,
    dry_run: bool,
}

/// Deliver a stored event once more
///
/// As new deliveries: to the hooks that match now, or to those that are named.
#[utoipa::path(
    post,
    path = "/whisperer/events/{id}/replay/",
    operation_id = "event_replay",
    tag = "Events",
    params(("id" = String, Path)),
    request_body = Option<Input>,
    responses(
        (status = 200, body = Replayed, description = "Counted, and nothing done."),
        (status = 202, body = Replayed),
        (status = 404, description = "There is no such event."),
        (status = 409, description = "The catalog is being changed too fast."),
    ),
)]
pub(in crate::api) async fn replay(
    State(api): State<Arc<Api>>,
    who: Principal,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let id = EventId::parse(&id).map_err(|_| Problem::not_found())?;
    let received = body::receive(&api, request, BODY_BYTES_MAX).await?;
    let asked = if received.bytes.is_empty() {
        Asked::default()
    } else {
        read(&body::object(&received.bytes)?).map_err(Problem::invalid)?
    };
    let found = api.ledger.find_event(id.clone()).await?;
    let found = found.ok_or_else(Problem::not_found)?;
    let deliveries = direct(&api, &who, &found, &asked).await?;
    let status = if asked.dry_run {
        StatusCode::OK
    } else {
        tracing::info!(event = %id, deliveries, "an event is replayed");
        StatusCode::ACCEPTED
    };
    let body = Replayed {
        id: id.to_string(),
        deliveries,
        dry_run: asked.dry_run,
    };
    Ok((status, Json(body)).into_response())
}

fn read(input: &Map<String, Value>) -> Result<Asked, FieldErrors> {
    let mut errors = FieldErrors::default();
    errors.note_unknown(input, &MEMBERS);
    let hooks = errors.note("hooks", hooks(input.get("hooks")));
    let dry_run = input.get("dry_run").map(value::boolean).transpose();
    let dry_run = errors.note("dry_run", dry_run.map_err(Into::into));
    errors.or(Asked {
        hooks: hooks.flatten(),
        dry_run: dry_run.flatten().unwrap_or(false),
    })
}

fn hooks(given: Option<&Value>) -> Checked<Option<Vec<HookId>>> {
    let list = match given {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Array(list)) => list,
        Some(other @ (Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_))) => {
            return Err(value::expected_list(other).into());
        }
    };
    if list.is_empty() || list.len() > HOOKS_MAX {
        return Err(format!(
            "Name 1 to {HOOKS_MAX} hooks; leave the field out for all that match."
        )
        .into());
    }
    let mut hooks = list
        .iter()
        .map(|number| value::integer(number, 0, u64::MAX).map(HookId))
        .collect::<Result<Vec<_>, String>>()?;
    hooks.sort_unstable();
    hooks.dedup();
    Ok(Some(hooks))
}

async fn direct(
    api: &Api,
    who: &Principal,
    found: &EventFound,
    asked: &Asked,
) -> Result<u64, Problem> {
    for _ in 0..STALE_ROUNDS_MAX {
        let snapshot = api.catalog.snapshot();
        let run = if asked.dry_run {
            Run::Dry
        } else {
            Run::Real(Some(who.bare_note("replayed")))
        };
        let directive = Directive::Replay {
            event: found.event.id.clone(),
            recipients: recipients(&snapshot, found, asked)?,
            revision: snapshot.revision,
        };
        match api.ledger.direct(directive, Scope::All, run).await {
            Ok(Directed::Made { deliveries }) => return Ok(deliveries),
            Ok(Directed::Due { .. } | Directed::Selected { .. }) => {
                return Err(Problem::internal(
                    &"a replay was answered as something else",
                ));
            }
            Err(DirectError::Stale) => {}
            Err(
                error @ (DirectError::NotFound
                | DirectError::Delivered
                | DirectError::Pending
                | DirectError::HookGone
                | DirectError::HookHeld
                | DirectError::TooMany
                | DirectError::Down(_)),
            ) => return Err(error.into()),
        }
    }
    Err(DirectError::Stale.into())
}

fn recipients(
    snapshot: &CatalogSnapshot,
    found: &EventFound,
    asked: &Asked,
) -> Result<Vec<HookId>, Problem> {
    let Some(hooks) = &asked.hooks else {
        let filter = found.config_filter.as_deref();
        let filter = filter.map(serde_json::from_str::<Map<String, Value>>);
        // It was written by us, and must not be taken for "to everybody" if it cannot be read.
        let filter = filter
            .transpose()
            .map_err(|error| Problem::internal(&error))?;
        let event = &found.event;
        let payload = envelope::is_json(&event.content_type).then_some(&*event.payload);
        let mut all = snapshot.recipients(&event.event_type, payload, filter.as_ref());
        if event.event_type.is_operational() {
            // Whose owner is no admin any more hears of it no more.
            let listeners = snapshot.listeners(&event.event_type);
            all.retain(|hook| listeners.contains(hook));
        }
        return Ok(all);
    };
    let mut wrong = Vec::new();
    for id in hooks {
        match snapshot.hooks.get(id) {
            None => wrong.push(format!("There is no hook {}.", id.0)),
            Some(hook) if !hook.accepts() => {
                wrong.push(format!("Hook {} is not active: activate it first.", id.0));
            }
            Some(_) => {}
        }
    }
    if wrong.is_empty() {
        return Ok(hooks.clone());
    }
    let mut errors = FieldErrors::default();
    for words in wrong {
        errors.add("hooks", words);
    }
    Err(Problem::invalid(errors))
}

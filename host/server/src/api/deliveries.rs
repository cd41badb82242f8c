//! `/deliveries/retry/` and `/deliveries/cancel/`: many deliveries at once, by filter. Written down
//! as a directive; the store works through it in steps, the lanes send at their pace.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use whisperer_domain::catalog::CatalogSnapshot;
use whisperer_domain::delivery::StateKind;
use whisperer_domain::id::HookId;
use whisperer_domain::port::{Directed, Directive, Run, Selection};
use whisperer_domain::time::Timestamp;

use super::Api;
use super::auth::Principal;
use super::body;
use super::field_errors::{Checked, FieldErrors};
use super::hook_events::filter;
use super::moment;
use super::problem::Problem;
use super::value;

const BODY_BYTES_MAX: usize = 16 << 10;
const EVENT_TYPE_CHARS_MAX: usize = 256;
const MEMBERS: [&str; 9] = [
    "hook",
    "event_type",
    "state",
    "created_date",
    "created_date__gt",
    "created_date__gte",
    "created_date__lt",
    "created_date__lte",
    "dry_run",
];

/// For the document. At least one of the filters.
#[allow(non_snake_case, reason = "Django's spelling")]
#[derive(Serialize, ToSchema)]
struct SelectionInput {
    hook: Option<u64>,
    /// A type, or a pattern.
    event_type: Option<String>,
    /// pending, delivered, discarded, dead or cancelled
    state: Option<String>,
    #[schema(format = DateTime)]
    created_date: Option<String>,
    #[schema(format = DateTime)]
    created_date__gt: Option<String>,
    #[schema(format = DateTime)]
    created_date__gte: Option<String>,
    #[schema(format = DateTime)]
    created_date__lt: Option<String>,
    #[schema(format = DateTime)]
    created_date__lte: Option<String>,
    /// Only count.
    dry_run: Option<bool>,
}

#[derive(Serialize, ToSchema)]
struct Selected {
    deliveries: u64,
    /// There are more: counting has a bound.
    deliveries_at_least: bool,
    dry_run: bool,
}

struct Asked {
    selection: Selection,
    state: Option<StateKind>,
    dry_run: bool,
    /// As it was asked, for the audit.
    said: Map<String, Value>,
}

/// Deliver once more what a filter selects
///
/// What is dead, unless `state` says otherwise.
#[utoipa::path(
    post,
    path = "/whisperer/deliveries/retry/",
    operation_id = "deliveries_retry",
    tag = "Deliveries",
    request_body = SelectionInput,
    responses(
        (status = 200, body = Selected, description = "Counted, and nothing done."),
        (status = 202, body = Selected, description = "Written down; the lanes work through it at their pace."),
        (status = 409, description = "The catalog is being changed too fast."),
    ),
)]
pub(super) async fn retry(
    State(api): State<Arc<Api>>,
    who: Principal,
    request: Request,
) -> Result<Response, Problem> {
    let asked = asked(&api, &who, request).await?;
    let directive = Directive::Requeue {
        selection: asked.selection.clone(),
        state: asked.state.unwrap_or(StateKind::Dead),
    };
    direct(&api, &who, directive, "retried", &asked).await
}

/// Call off what a filter selects of what is pending
#[utoipa::path(
    post,
    path = "/whisperer/deliveries/cancel/",
    operation_id = "deliveries_cancel",
    tag = "Deliveries",
    request_body = SelectionInput,
    responses(
        (status = 200, body = Selected, description = "Counted, and nothing done."),
        (status = 202, body = Selected, description = "Written down; the lanes work through it at their pace."),
        (status = 409, description = "The catalog is being changed too fast."),
    ),
)]
pub(super) async fn cancel(
    State(api): State<Arc<Api>>,
    who: Principal,
    request: Request,
) -> Result<Response, Problem> {
    let asked = asked(&api, &who, request).await?;
    match asked.state {
        None | Some(StateKind::Pending) => {}
        Some(
            StateKind::Delivered | StateKind::Discarded | StateKind::Dead | StateKind::Cancelled,
        ) => {
            return Err(Problem::invalid(FieldErrors::of(
                "state",
                "Only what is pending can be cancelled: say pending, or nothing.",
            )));
        }
    }
    let directive = Directive::Cancel(asked.selection.clone());
    direct(&api, &who, directive, "cancelled", &asked).await
}

async fn direct(
    api: &Api,
    who: &Principal,
    directive: Directive,
    action: &'static str,
    asked: &Asked,
) -> Result<Response, Problem> {
    let told = format!("{directive:?}");
    let dry_run = asked.dry_run;
    let run = if dry_run {
        Run::Dry
    } else {
        Run::Real(Some(who.note(action, None::<&()>, Some(&asked.said))))
    };
    match api.ledger.direct(directive, who.scope(), run).await? {
        Directed::Selected {
            deliveries,
            at_least,
        } => {
            let status = if dry_run {
                StatusCode::OK
            } else {
                tracing::info!(owner = %who.owner, directive = told, deliveries, "directed by filter");
                StatusCode::ACCEPTED
            };
            let body = Selected {
                deliveries,
                deliveries_at_least: at_least,
                dry_run,
            };
            Ok((status, Json(body)).into_response())
        }
        Directed::Due { .. } | Directed::Made { .. } => Err(Problem::internal(
            &"a selection was answered as something else",
        )),
    }
}

async fn asked(api: &Api, who: &Principal, request: Request) -> Result<Asked, Problem> {
    let received = body::receive(api, request, BODY_BYTES_MAX).await?;
    let input = body::object(&received.bytes)?;
    read(&input, who, &api.catalog.snapshot()).map_err(Problem::invalid)
}

fn read(
    input: &Map<String, Value>,
    who: &Principal,
    snapshot: &CatalogSnapshot,
) -> Result<Asked, FieldErrors> {
    let mut errors = FieldErrors::default();
    errors.note_unknown(input, &MEMBERS);
    let given = |name: &str| input.get(name).filter(|value| !value.is_null());
    if MEMBERS
        .iter()
        .all(|name| *name == "dry_run" || given(name).is_none())
    {
        // An empty body must not be the way to send everything once more.
        errors.add(
            "non_field_errors",
            "Say which deliveries: give at least one of hook, event_type, state and created_date.",
        );
    }
    let hook = given("hook").map(|value| hook(value, who, snapshot));
    let hook = errors.note("hook", hook.transpose()).flatten();
    let event_type = given("event_type").map(|value| {
        let text = value::text(value, EVENT_TYPE_CHARS_MAX)?;
        filter::event_type(text, snapshot).ok_or("Enter an event type or a pattern.".into())
    });
    let event_type = errors.note("event_type", event_type.transpose()).flatten();
    let words = StateKind::ALL.map(|kind| (kind.word(), kind));
    let state = given("state").map(|value| value::choice(value, &words).map_err(Into::into));
    let state = errors.note("state", state.transpose()).flatten();
    let mut time = |name: &str| {
        let read = given(name).map(moment_of);
        errors.note(name, read.transpose()).flatten()
    };
    let (created_from, created_to) = filter::bounds(&mut time);
    let dry_run = given("dry_run").map(value::boolean).transpose();
    let dry_run = errors
        .note("dry_run", dry_run.map_err(Into::into))
        .flatten();
    errors.or(Asked {
        selection: Selection {
            hook,
            event_type,
            created_from,
            created_to,
        },
        state,
        dry_run: dry_run.unwrap_or(false),
        said: input.clone(),
    })
}

/// One that exists: what is selected of a deleted hook could never be sent.
fn hook(value: &Value, who: &Principal, snapshot: &CatalogSnapshot) -> Checked<HookId> {
    let id = HookId(value::integer(value, 0, u64::MAX)?);
    match snapshot.hooks.get(&id).filter(|hook| who.sees(hook)) {
        Some(_) => Ok(id),
        None => Err("There is no such hook.".into()),
    }
}

fn moment_of(value: &Value) -> Checked<Timestamp> {
    let read = value.as_str().and_then(moment::read_leniently);
    read.ok_or_else(|| filter::NOT_A_TIME.into())
}

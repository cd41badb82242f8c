//! `filter`: what of an event's payload a hook wants. It is read from the text as it was sent, in
//! which numbers still have all their digits, and kept as that text.
//!
//! `POST /hooks/{id}/filter/try/` says what a payload comes to, by the hook's filter or by one
//! that is still being written, and which condition decided.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use utoipa::ToSchema;
use whisperer_domain::filter::{Decision, Filter, FilterFault, TEXT_BYTES_MAX};
use whisperer_domain::json::{Tree, VALUES_MAX};

use super::draft::Basis;
use super::{hook_id, visible};
use crate::api::Api;
use crate::api::auth::Principal;
use crate::api::body;
use crate::api::field_errors::{Checked, Fault, FieldErrors};
use crate::api::problem::Problem;
use crate::api::value;

/// The member as it stands in a hook's body; none if it is absent or null.
pub(super) fn written(bytes: &[u8]) -> Result<Option<&RawValue>, Problem> {
    #[derive(Deserialize)]
    struct Members<'a> {
        #[serde(borrow)]
        filter: Option<&'a RawValue>,
    }
    let members: Members<'_> =
        serde_json::from_slice(bytes).map_err(|error| body::syntax(&error))?;
    Ok(members.filter)
}

/// `is_mentioned` tells null from absent.
pub(super) fn read(
    given: Option<&RawValue>,
    is_mentioned: bool,
    basis: Basis<'_>,
) -> Checked<Option<Arc<Filter>>> {
    match (given, basis) {
        (Some(given), _) => parsed(given).map(|filter| Some(Arc::new(filter))),
        (None, Basis::Patching(old)) if !is_mentioned => Ok(old.filter.clone()),
        (None, Basis::New(_) | Basis::Replacing(_) | Basis::Patching(_)) => Ok(None),
    }
}

fn parsed(given: &RawValue) -> Checked<Filter> {
    Filter::parse(given.get()).map_err(|faults| told(&faults))
}

fn told(faults: &[FilterFault]) -> Fault {
    if let [FilterFault { at, message }] = faults
        && at.is_empty()
    {
        return message.as_str().into();
    }
    let mut errors = FieldErrors::default();
    for fault in faults {
        errors.add_at(&fault.at, fault.message.clone());
    }
    errors.into()
}

/// For the document.
#[derive(Serialize, ToSchema)]
struct FilterTrialInput {
    payload: Value,
    /// Absent: that of the hook.
    #[schema(value_type = Option<Object>)]
    filter: Option<Value>,
}

/// For the document.
#[derive(Serialize, ToSchema)]
struct FilterTrial {
    matches: bool,
    /// Where the condition stands, and itself; null where none decided.
    #[schema(value_type = Option<Object>)]
    decided_by: Value,
    /// Why none decided.
    detail: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked<'a> {
    #[serde(borrow, default, deserialize_with = "given")]
    payload: Option<&'a RawValue>,
    #[serde(borrow)]
    filter: Option<&'a RawValue>,
}

/// `null` is a payload, not the lack of one.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Whether a filter lets a payload through
///
/// The hook's own, or one that is not stored yet; and which condition decided.
#[utoipa::path(
    post,
    path = "/whisperer/hooks/{id}/filter/try/",
    operation_id = "hook_filter_try",
    tag = "Hooks",
    params(("id" = u64, Path)),
    request_body = FilterTrialInput,
    responses(
        (status = 200, body = FilterTrial),
        (status = 404, description = "There is no such hook, or it is another owner's."),
    ),
)]
pub(in crate::api) async fn try_filter(
    State(api): State<Arc<Api>>,
    who: Principal,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let snapshot = api.catalog.snapshot();
    let hook = visible(&snapshot, &who, hook_id(&id)?)?;
    let bytes_max = api
        .limits
        .event_body_bytes_max
        .saturating_add(TEXT_BYTES_MAX);
    let received = body::receive(&api, request, bytes_max).await?;
    body::check(&received.bytes)?;
    let asked: Asked<'_> =
        serde_json::from_slice(&received.bytes).map_err(|error| body::syntax(&error))?;
    let mut errors = FieldErrors::default();
    let payload = asked.payload.ok_or_else(|| value::REQUIRED.into());
    let payload = errors.note("payload", payload);
    let filter = match asked.filter {
        Some(given) => parsed(given).map(|filter| Some(Arc::new(filter))),
        None => Ok(hook.filter.clone()),
    };
    let filter = errors.note("filter", filter);
    let Some((payload, filter)) = payload.zip(filter) else {
        return Err(Problem::invalid(errors));
    };
    Ok(Json(answer(payload, filter.as_deref())).into_response())
}

fn answer(payload: &RawValue, filter: Option<&Filter>) -> Value {
    let undecided = |matches: bool, detail: String| json!({"matches": matches, "decided_by": null, "detail": detail});
    let Some(filter) = filter else {
        return undecided(true, "The hook has no filter.".to_owned());
    };
    let Some(payload) = Tree::of(payload.get().as_bytes()) else {
        let words = format!("A payload of more than {VALUES_MAX} values matches no filter.");
        return undecided(false, words);
    };
    let decision = filter.decide(&payload);
    json!({"matches": decision.matches, "decided_by": decided_by(filter, &decision)})
}

fn decided_by(filter: &Filter, decision: &Decision) -> Value {
    let written: Value = serde_json::from_str(filter.text()).unwrap_or(Value::Null);
    let mut condition = &written;
    for step in &decision.at {
        let next = match condition {
            Value::Array(elements) => step
                .parse()
                .ok()
                .and_then(|place: usize| elements.get(place)),
            Value::Object(members) => members.get(step),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        };
        condition = next.unwrap_or(&Value::Null);
    }
    let mut shown = json!({"at": decision.at, "condition": condition});
    if let Some(found) = &decision.found {
        shown["found"] = json!(found.values);
        shown["found_count"] = json!(found.count);
    }
    shown
}

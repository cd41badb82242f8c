//! `/event-types/`: the catalogue of what can happen.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, Uri};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use whisperer_domain::catalog::{CatalogChange, CatalogSnapshot};
use whisperer_domain::event_type::{EventPattern, EventType, EventTypeInfo};

use super::Api;
use super::auth::Principal;
use super::body;
use super::field_errors::FieldErrors;
use super::list::List;
use super::problem::Problem;
use super::query::Query;
use super::value;
use crate::nearest::did_you_mean;

const BODY_BYTES_MAX: usize = 64 << 10;
const DESCRIPTION_CHARS_MAX: usize = 1_024;
/// What a snapshot of the catalog, which every change copies, can carry with ease.
const TYPES_MAX: usize = 10_000;

#[derive(Serialize, ToSchema)]
#[schema(as = EventType)]
struct View<'a> {
    name: &'a str,
    description: &'a str,
}

/// For the document.
#[derive(Serialize, ToSchema)]
#[schema(as = EventTypeInput)]
struct Input {
    #[schema(max_length = 1024)]
    description: Option<String>,
}

/// All event types
///
/// By name and whole: a catalogue is read through, not paged.
#[utoipa::path(
    get,
    path = "/whisperer/event-types/",
    operation_id = "event_types",
    tag = "Event types",
    responses(
        (status = 200, body = [View]),
        (status = 400, description = "A filter is not valid."),
    ),
)]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    _who: Principal,
    uri: Uri,
) -> Result<Response, Problem> {
    Query::of(&uri, &[]).check()?;
    let snapshot = api.catalog.snapshot();
    let mut list = List::new();
    for (name, info) in &snapshot.event_types {
        list.push(&view(name, info))?;
    }
    Ok(list.answer(None))
}

/// An event type
#[utoipa::path(
    get,
    path = "/whisperer/event-types/{name}/",
    operation_id = "event_type",
    tag = "Event types",
    params(("name" = String, Path)),
    responses(
        (status = 200, body = View),
        (status = 404, description = "It is not registered."),
    ),
)]
pub(super) async fn one(
    State(api): State<Arc<Api>>,
    _who: Principal,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let snapshot = api.catalog.snapshot();
    let (name, info) = registered(&snapshot, &name)?;
    Ok(Json(view(name, info)).into_response())
}

/// Register an event type, or describe it anew
#[utoipa::path(
    put,
    path = "/whisperer/event-types/{name}/",
    operation_id = "event_type_put",
    tag = "Event types",
    params(("name" = String, Path)),
    request_body(content = Input),
    responses(
        (status = 200, body = View, description = "It was there already."),
        (status = 201, body = View),
        (status = 409, description = "There are as many event types as there can be, or others change it."),
    ),
)]
pub(super) async fn put(
    State(api): State<Arc<Api>>,
    who: Principal,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let received = body::receive(&api, request, BODY_BYTES_MAX).await?;
    let input = match received.bytes.is_empty() {
        true => Map::new(),
        false => body::object(&received.bytes)?,
    };
    let mut errors = FieldErrors::default();
    let name = errors.note("name", EventType::parse(&name).map_err(Into::into));
    for field in input.keys().filter(|field| *field != "description") {
        let near = did_you_mean(field, ["description"].into_iter());
        errors.add(field, format!("Unknown field.{near}"));
    }
    let description = match input.get("description") {
        None | Some(Value::Null) => Ok(""),
        Some(Value::String(text)) if text.is_empty() => Ok(""),
        Some(given) => value::text(given, DESCRIPTION_CHARS_MAX).map_err(Into::into),
    };
    let description = errors.note("description", description);
    let Some((name, description)) = name.zip(description) else {
        return Err(Problem::invalid(errors));
    };
    errors.or(()).map_err(Problem::invalid)?;

    let snapshot = api.catalog.snapshot();
    let known = snapshot.event_types.contains_key(&name);
    if !known && snapshot.event_types.len() >= TYPES_MAX {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            format!("There are {TYPES_MAX} event types already, which is the most."),
        ));
    }
    let info = EventTypeInfo {
        description: description.to_owned(),
    };
    let before = snapshot.event_types.get(&name);
    let before = before.map(|info| view(&name, info));
    let note = who.note("put", before.as_ref(), Some(&view(&name, &info)));
    api.catalog
        .change_noted(
            CatalogChange::PutEventType(name.clone(), info.clone()),
            note,
        )
        .await?;
    let status = if known {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    Ok((status, Json(view(&name, &info))).into_response())
}

/// Remove an event type
#[utoipa::path(
    delete,
    path = "/whisperer/event-types/{name}/",
    operation_id = "event_type_delete",
    tag = "Event types",
    params(("name" = String, Path)),
    responses(
        (status = 204),
        (status = 404, description = "It is not registered."),
        (status = 409, description = "Hooks name it."),
    ),
)]
pub(super) async fn delete(
    State(api): State<Arc<Api>>,
    who: Principal,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let snapshot = api.catalog.snapshot();
    let (name, info) = registered(&snapshot, &name)?;
    let subscribed = EventPattern::Exact(name.clone());
    let hooks = snapshot
        .hooks
        .values()
        .filter(|hook| hook.subscription == subscribed)
        .count();
    if hooks > 0 {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            format!("{hooks} hooks subscribe to this event type: delete or change them first."),
        ));
    }
    let note = who.note("deleted", Some(&view(name, info)), None::<&()>);
    api.catalog
        .change_noted(CatalogChange::DeleteEventType(name.clone()), note)
        .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn registered<'a>(
    snapshot: &'a CatalogSnapshot,
    name: &str,
) -> Result<(&'a EventType, &'a EventTypeInfo), Problem> {
    let name = EventType::parse(name).map_err(|_| Problem::not_found())?;
    snapshot
        .event_types
        .get_key_value(&name)
        .map(|(name, info)| (name, &**info))
        .ok_or_else(Problem::not_found)
}

fn view<'a>(name: &'a EventType, info: &'a EventTypeInfo) -> View<'a> {
    View {
        name: name.as_str(),
        description: &info.description,
    }
}

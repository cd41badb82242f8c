//! `/event-types/`: the catalogue of what can happen.
//!
//! A type may have an example and a JSON Schema. Payloads that do not meet the schema are refused
//! when they are posted; the example has to meet it too, so that whoever goes by it is let in.
//!
//! What is under `whisperer.` is ours: nobody puts a type there, and the four that there are stay.

pub(in crate::api) mod operational;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, Uri};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use whisperer_domain::catalog::{CatalogChange, CatalogSnapshot};
use whisperer_domain::event_type::{
    EventPattern, EventType, EventTypeInfo, PayloadFault, PayloadSchema,
};

use super::Api;
use super::auth::Principal;
use super::body;
use super::field_errors::{Checked, FieldErrors};
use super::hooks::chain;
use super::list::List;
use super::problem::Problem;
use super::query::Query;
use super::value;

/// A schema and an example of 64 KiB each, and what is around them.
const BODY_BYTES_MAX: usize = 256 << 10;
const EXAMPLE_BYTES_MAX: usize = 64 << 10;
const FIELDS: [&str; 3] = ["description", "example", "schema"];
const DESCRIPTION_CHARS_MAX: usize = 1_024;
/// What a snapshot of the catalog, which every change copies, can carry with ease.
const TYPES_MAX: usize = 10_000;
/// The texts of all types together: they are in memory whole.
const TEXTS_BYTES_MAX: usize = 32 << 20;

/// As it is listed.
#[derive(Serialize, ToSchema)]
#[schema(as = EventType)]
struct View<'a> {
    name: &'a str,
    description: &'a str,
}

/// Alone, with what would make the list too long.
#[derive(Serialize, ToSchema)]
#[schema(as = EventTypeDetail)]
struct WholeView<'a> {
    #[serde(flatten)]
    listed: View<'a>,
    #[schema(value_type = Option<Value>)]
    example: Option<&'a RawValue>,
    #[schema(value_type = Option<Value>)]
    schema: Option<&'a RawValue>,
}

/// For the document.
#[derive(Serialize, ToSchema)]
#[schema(as = EventTypeInput)]
struct Input {
    #[schema(max_length = 1024)]
    description: Option<String>,
    /// A payload; it must meet the schema.
    example: Option<Value>,
    /// JSON Schema 2020-12 that payloads must meet.
    #[schema(value_type = Option<Object>)]
    schema: Option<Value>,
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
        (status = 200, body = WholeView),
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
    Ok(Json(whole_view(name, info)).into_response())
}

/// Register an event type, or describe it anew
#[utoipa::path(
    put,
    path = "/whisperer/event-types/{name}/",
    operation_id = "event_type_put",
    tag = "Event types",
    params(("name" = String, Path)),
    request_body = Option<Input>,
    responses(
        (status = 200, body = WholeView, description = "It was there already."),
        (status = 201, body = WholeView),
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
    let name = errors.note("name", name_of(&name));
    errors.note_unknown(&input, &FIELDS);
    let info = info(&input, &received.bytes, &mut errors)?;
    let Some((name, info)) = name.zip(info) else {
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
    let others = snapshot.event_types.iter();
    let others = others.filter(|(known, _)| **known != name);
    let held = bytes_of(&info) + others.map(|(_, info)| bytes_of(info)).sum::<usize>();
    if held > TEXTS_BYTES_MAX {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            format!(
                "The texts of all event types may hold {} MiB together, and with these they would \
                 hold more.",
                TEXTS_BYTES_MAX >> 20
            ),
        ));
    }
    let before = snapshot.event_types.get(&name);
    let before = before.map(|info| whole_view(&name, info));
    let note = who.note("put", before.as_ref(), Some(&whole_view(&name, &info)));
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
    Ok((status, Json(whole_view(&name, &info))).into_response())
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
        (status = 409, description = "Hooks name it, or it is one of the server's own."),
    ),
)]
pub(super) async fn delete(
    State(api): State<Arc<Api>>,
    who: Principal,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let snapshot = api.catalog.snapshot();
    let (name, info) = registered(&snapshot, &name)?;
    if operational::about(name).is_some() {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "This event type is the server's own: it tells operational events by it, and it stays. \
             Whoever does not want to hear of it deletes the hook that subscribes to it.",
        ));
    }
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
    let note = who.note("deleted", Some(&whole_view(name, info)), None::<&()>);
    api.catalog
        .change_noted(CatalogChange::DeleteEventType(name.clone()), note)
        .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn name_of(text: &str) -> Checked<EventType> {
    let name = EventType::parse(text)?;
    if name.is_operational() {
        return Err(
            "Event types under \"whisperer.\" are the server's own, which it tells \
                    operational events by: choose another first part."
                .into(),
        );
    }
    Ok(name)
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
        description: operational::about(name).map_or(&*info.description, |about| about.description),
    }
}

fn whole_view<'a>(name: &'a EventType, info: &'a EventTypeInfo) -> WholeView<'a> {
    let raw = |text: &'a str| serde_json::from_str(text).ok();
    let schema = info.schema.as_deref().map(|schema| &**schema.text());
    WholeView {
        listed: view(name, info),
        example: example_of(name, info).and_then(raw),
        schema: schema.and_then(raw),
    }
}

/// A payload of this type, if it has an example.
pub(in crate::api) fn example_of<'a>(name: &EventType, info: &'a EventTypeInfo) -> Option<&'a str> {
    match operational::about(name) {
        Some(about) => Some(about.example),
        None => info.example.as_deref(),
    }
}

fn bytes_of(info: &EventTypeInfo) -> usize {
    info.description.len()
        + info.example.as_ref().map_or(0, |text| text.len())
        + info.schema.as_ref().map_or(0, |schema| schema.text().len())
}

/// Example and schema are kept as the text they were written in.
#[derive(Default, Deserialize)]
struct Texts<'a> {
    #[serde(borrow)]
    example: Option<&'a RawValue>,
    #[serde(borrow)]
    schema: Option<&'a RawValue>,
}

fn info(
    input: &Map<String, Value>,
    bytes: &[u8],
    errors: &mut FieldErrors,
) -> Result<Option<EventTypeInfo>, Problem> {
    let texts = match bytes.is_empty() {
        true => Texts::default(),
        false => serde_json::from_slice(bytes).map_err(|error| body::syntax(&error))?,
    };
    let description = match input.get("description") {
        None | Some(Value::Null) => Ok(""),
        Some(Value::String(text)) if text.is_empty() => Ok(""),
        Some(given) => value::text(given, DESCRIPTION_CHARS_MAX).map_err(Into::into),
    };
    let description = errors.note("description", description);
    let schema = errors.note("schema", texts.schema.map(schema).transpose());
    let fitting = schema.as_ref().and_then(Option::as_ref);
    let example = texts.example.map(|given| example(given, fitting));
    let example = errors.note("example", example.transpose());
    let read = description.zip(schema).zip(example);
    Ok(read.map(|((description, schema), example)| EventTypeInfo {
        description: description.to_owned(),
        example: example.map(Into::into),
        schema: schema.map(Arc::new),
    }))
}

fn schema(given: &RawValue) -> Checked<PayloadSchema> {
    let why = |why: String| format!("Not a schema that is applied here: {why}.");
    if !given.get().starts_with('{') {
        return Err("Expected a JSON Schema: an object.".into());
    }
    Ok(PayloadSchema::parse(given.get()).map_err(why)?)
}

fn example<'a>(given: &'a RawValue, schema: Option<&PayloadSchema>) -> Checked<&'a str> {
    let text = given.get();
    if text.len() > EXAMPLE_BYTES_MAX {
        return Err(
            format!("Ensure this field has no more than {EXAMPLE_BYTES_MAX} bytes.").into(),
        );
    }
    match schema.map_or(Ok(()), |schema| schema.check(text.as_bytes())) {
        Ok(()) => Ok(text),
        Err(PayloadFault::Misfits(misfits)) => Err(chain::told(&misfits)),
        Err(PayloadFault::NotJson) => Err("Not JSON.".into()),
        Err(PayloadFault::Unusable(why)) => Err(why.into()),
    }
}

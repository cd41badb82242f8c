//! `GET /events/` and `/events/{id}/`: what was accepted, and what became of it. Events belong to
//! the installation, so reading them takes an admin.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::header::LINK;
use http::{HeaderValue, Uri};
use utoipa::IntoParams;
use whisperer_domain::id::{EventId, EventKey};
use whisperer_domain::port::{DeliveryQuery, EventQuery, Scope};

use super::view::{EventDetail, EventView};
use crate::api::Api;
use crate::api::hook_events::{HookEventView, filter};
use crate::api::list::List;
use crate::api::problem::Problem;
use crate::api::query::{self, Paging, Query};

/// For the document.
#[allow(dead_code, reason = "read by the derive, not by code")]
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
struct Filters {
    /// A type, or a pattern.
    r#type: Option<String>,
    object_id: Option<String>,
}

/// Rows asked of the store at once: each brings its payload of up to 1 MiB.
const ROWS_A_STEP: usize = 100;
/// Rows that one request has looked at, over all its steps.
const EXAMINED_MAX: usize = 20_000;
/// Deliveries shown within their event. Each shows the payload once more.
const DELIVERIES_SHOWN: usize = 20;

/// Events, newest first
///
/// A page looks at a bounded number of rows: it may be partial, and `Link` says where to go on.
#[utoipa::path(
    get,
    path = "/whisperer/events/",
    operation_id = "events",
    tag = "Events",
    params(Filters, filter::Created, Paging),
    responses(
        (status = 200, body = [EventView], headers(("Link" = String, description = "Where the rest is, as RFC 8288 writes it."))),
        (status = 400, description = "A filter is not valid."),
    ),
)]
pub(in crate::api) async fn list(
    State(api): State<Arc<Api>>,
    uri: Uri,
) -> Result<Response, Problem> {
    let snapshot = api.catalog.snapshot();
    let mut names = vec!["type", "object_id"];
    names.extend(filter::CREATED);
    let mut query = Query::of(&uri, &names);
    let (created_from, created_to) = filter::created(&mut query);
    let mut wanted = EventQuery {
        event_type: query.read("type", "Enter an event type or a pattern.", |text| {
            filter::event_type(text, &snapshot)
        }),
        object_id: query.text("object_id").map(str::to_owned),
        created_from,
        created_to,
        before: query.cursor().map(EventKey),
        limit: 0,
    };
    let limit = query.limit();
    query.check()?;

    let mut list = List::new();
    let (mut shown, mut examined) = (0, 0);
    loop {
        wanted.limit = ROWS_A_STEP.min(limit - shown);
        let page = api.ledger.events(wanted.clone()).await?;
        for event in &page.items {
            list.push(&EventView::of(event))?;
        }
        shown += page.items.len();
        examined += page.examined;
        wanted.before = page.next;
        // A step that came back short examined all that one request may cost.
        let cut_short = page.items.len() < wanted.limit || examined >= EXAMINED_MAX;
        if wanted.before.is_none() || cut_short || shown >= limit || list.is_full() {
            break;
        }
    }
    let next = wanted.before;
    Ok(list.answer(next.and_then(|next| query.next_link(next.0))))
}

/// An event with its newest deliveries
#[utoipa::path(
    get,
    path = "/whisperer/events/{id}/",
    operation_id = "event",
    tag = "Events",
    params(("id" = String, Path)),
    responses(
        (status = 200, body = EventDetail, headers(("Link" = String, description = "Where the rest is, as RFC 8288 writes it."))),
        (status = 404, description = "There is no such event."),
    ),
)]
pub(in crate::api) async fn one(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = EventId::parse(&id).map_err(|_| Problem::not_found())?;
    let found = api.ledger.find_event(id.clone()).await?;
    let found = found.ok_or_else(Problem::not_found)?;
    let page = api
        .ledger
        .page(DeliveryQuery {
            event: Some(id.clone()),
            ..DeliveryQuery::all(Scope::All, DELIVERIES_SHOWN)
        })
        .await?;
    let snapshot = api.catalog.snapshot();
    let now = api.clock.now();
    let deliveries = page.items.iter();
    let deliveries = deliveries.map(|item| HookEventView::of(item, &snapshot, now));
    let detail = EventDetail::of(&found, deliveries.collect());
    let mut response = Json(detail).into_response();
    if let Some(next) = page.next {
        let filters = [("event_id", id.as_str())].into_iter();
        let link = query::next_link("/whisperer/hook_events/", filters, next.0);
        if let Ok(link) = HeaderValue::from_str(&link) {
            response.headers_mut().insert(LINK, link);
        }
    }
    Ok(response)
}

//! `/hook_events/`: deliveries, and what became of them; `/event_queues/`: those that are pending.

mod awaited;
pub(in crate::api) mod filter;
mod retry;
mod view;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::Uri;
use whisperer_domain::catalog::CatalogSnapshot;
use whisperer_domain::delivery::StateKind;
use whisperer_domain::id::Sequence;
use whisperer_domain::port::DeliveryQuery;

use super::Api;
use super::auth::Principal;
use super::hooks::state;
use super::list::List;
use super::problem::Problem;
use super::query::{Paging, Query};
pub(super) use awaited::{Awaited, Watched};
pub(super) use retry::{__path_retry, retry};
use view::DetailView;
pub(super) use view::HookEventView;
pub(super) use view::attempt as attempt_view;
pub(crate) use view::waiting as waiting_words;

/// Rows asked of the store at once. A row brings its payload of up to 1 MiB: read in small
/// steps, a list can end when it has enough before memory has too much.
const ROWS_A_STEP: usize = 100;
/// Rows that one request has looked at, over all its steps.
const EXAMINED_MAX: usize = 20_000;

/// Deliveries, newest first
///
/// A filter without an index looks at a bounded number of rows: the page may then be partial, and
/// `Link` says where to go on.
#[utoipa::path(
    get,
    path = "/whisperer/hook_events/",
    operation_id = "deliveries",
    tag = "Deliveries",
    params(filter::Filters, filter::Created, Paging),
    responses(
        (status = 200, body = [HookEventView], headers(("Link" = String, description = "Where the rest is, as RFC 8288 writes it."))),
        (status = 400, description = "A filter is not valid."),
    ),
)]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    who: Principal,
    uri: Uri,
) -> Result<Response, Problem> {
    let snapshot = api.catalog.snapshot();
    let mut query = Query::of(&uri, &filter::NAMES);
    let wanted = filter::read(&mut query, who.scope(), &snapshot);
    listed(&api, &snapshot, query, wanted).await
}

/// What is pending
#[utoipa::path(
    get,
    path = "/whisperer/event_queues/",
    operation_id = "event_queues",
    tag = "Deliveries",
    params(filter::Filters, filter::Created, Paging),
    responses(
        (status = 200, body = [HookEventView], headers(("Link" = String, description = "Where the rest is, as RFC 8288 writes it."))),
        (status = 400, description = "A filter is not valid."),
    ),
)]
pub(super) async fn queue(
    State(api): State<Arc<Api>>,
    who: Principal,
    uri: Uri,
) -> Result<Response, Problem> {
    let snapshot = api.catalog.snapshot();
    let mut query = Query::of(&uri, &filter::NAMES);
    let wanted = DeliveryQuery {
        state: Some(StateKind::Pending),
        ..filter::read(&mut query, who.scope(), &snapshot)
    };
    listed(&api, &snapshot, query, wanted).await
}

async fn listed(
    api: &Api,
    snapshot: &CatalogSnapshot,
    mut query: Query,
    wanted: DeliveryQuery,
) -> Result<Response, Problem> {
    let limit = query.limit();
    query.check()?;

    let now = api.clock.now();
    let mut list = List::new();
    let (mut shown, mut examined) = (0, 0);
    let mut before = wanted.before;
    loop {
        let asked = ROWS_A_STEP.min(limit - shown);
        let step = DeliveryQuery {
            before,
            limit: asked,
            ..wanted.clone()
        };
        let page = api.ledger.page(step).await?;
        for item in &page.items {
            list.push(&HookEventView::of(item, snapshot, now))?;
        }
        shown += page.items.len();
        examined += page.examined;
        before = page.next;
        // A step that came back short examined all that one request may cost.
        let cut_short = page.items.len() < asked || examined >= EXAMINED_MAX;
        if before.is_none() || cut_short || shown >= limit || list.is_full() {
            break;
        }
    }
    Ok(list.answer(before.and_then(|next| query.next_link(next.0))))
}

/// A delivery with its attempts
#[utoipa::path(
    get,
    path = "/whisperer/hook_events/{id}/",
    operation_id = "delivery",
    tag = "Deliveries",
    params(("id" = u64, Path)),
    responses(
        (status = 200, body = DetailView),
        (status = 404, description = "There is no such delivery, or it is another owner's."),
    ),
)]
pub(super) async fn one(
    State(api): State<Arc<Api>>,
    who: Principal,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let sequence = sequence(&id)?;
    let found = api.ledger.find(sequence, who.scope()).await?;
    let found = found.ok_or_else(Problem::not_found)?;
    let snapshot = api.catalog.snapshot();
    let lane = match snapshot.hooks.get(&found.view.delivery.hook) {
        Some(hook) if found.state().due().is_some() => state::rest(&api, hook).await,
        Some(_) | None => None,
    };
    let view = DetailView::of(&found, lane.as_ref(), &snapshot, api.clock.now());
    Ok(Json(view).into_response())
}

/// What is no number is no delivery's id.
fn sequence(text: &str) -> Result<Sequence, Problem> {
    text.parse().map(Sequence).map_err(|_| Problem::not_found())
}

//! `GET /hooks/`: an owner's hooks, by what the OMS filtered them by.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::Uri;
use whisperer_domain::hook::Hook;
use whisperer_domain::id::HookId;

use super::schema::HookFilters;
use super::{HookView, state};
use crate::api::Api;
use crate::api::auth::Principal;
use crate::api::list::List;
use crate::api::problem::Problem;
use crate::api::query::{Paging, Query};

const FILTERS: [&str; 3] = ["target_url", "event_type", "is_active"];

/// Hooks, newest first
///
/// Those of the token's owner; an admin sees all.
#[utoipa::path(
    get,
    path = "/whisperer/hooks/",
    operation_id = "hooks",
    tag = "Hooks",
    params(HookFilters, Paging),
    responses(
        (status = 200, body = [HookView], headers(("Link" = String, description = "Where the rest is, as RFC 8288 writes it."))),
        (status = 400, description = "A filter is not valid."),
    ),
)]
pub(in crate::api) async fn list(
    State(api): State<Arc<Api>>,
    who: Principal,
    uri: Uri,
) -> Result<Response, Problem> {
    let mut query = Query::of(&uri, &FILTERS);
    let is_active = query.boolean("is_active");
    let limit = query.limit();
    let below = query.cursor().unwrap_or(u64::MAX);
    query.check()?;
    let target = query.text("target_url").map(normalised);
    let wanted = |hook: &Hook| {
        is_active.is_none_or(|active| hook.accepts() == active)
            && target
                .as_ref()
                .is_none_or(|target| hook.target.as_str() == target)
            && query
                .text("event_type")
                .is_none_or(|name| hook.subscription.to_string().eq_ignore_ascii_case(name))
    };

    let snapshot = api.catalog.snapshot();
    let hooks = &snapshot.hooks;
    let visible: Box<dyn Iterator<Item = &Arc<Hook>>> = if who.is_admin() {
        Box::new(hooks.below(HookId(below)))
    } else {
        Box::new(hooks.of_owner_below(&who.owner, HookId(below)))
    };
    // One more than is shown tells whether there is more.
    let found: Vec<&Hook> = visible
        .map(|hook| &**hook)
        .filter(|hook| wanted(hook))
        .take(limit + 1)
        .collect();
    let lanes = state::lanes(&api, &found[..found.len().min(limit)]).await;
    let now = api.clock.now();
    let mut list = List::new();
    let mut last = None;
    for (hook, lane) in found.iter().zip(&lanes) {
        if list.is_full() {
            break;
        }
        list.push(&HookView::of(hook, lane.as_ref(), &snapshot, now))?;
        last = Some(hook.id.0);
    }
    let next = last.filter(|last| found.last().is_some_and(|end| end.id.0 < *last));
    Ok(list.answer(next.and_then(|last| query.next_link(last))))
}

/// The stored form of a URL, so that a filter finds a hook by the spelling it was made with.
fn normalised(url: &str) -> String {
    url::Url::parse(url).map_or_else(|_| url.to_owned(), |url| url.to_string())
}

//! `/hooks/`: who wants which events where.
//!
//! A change reads the newest snapshot, makes the whole new hook from it and names the revision
//! it was made from; when somebody was faster it is made again, a bounded number of times. The
//! `ETag` is that revision, so that a client can ask for "only if it is as I saw it".

pub(in crate::api) mod chain;
mod config;
mod draft;
mod filter;
mod headers;
mod keys;
mod list;
mod ordered;
mod pause;
mod public_key;
mod registry;
mod replace;
mod retry;
mod room;
mod rotate;
mod sample;
pub(in crate::api) mod schema;
mod secret_key;
mod settings;
pub(in crate::api) mod state;
mod subscription;
mod view;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use http::header::{ETAG, IF_MATCH, LOCATION};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::Value;
use whisperer_domain::catalog::{CatalogChange, CatalogSnapshot, Changed};
use whisperer_domain::hook::Hook;
use whisperer_domain::id::HookId;
use whisperer_domain::time::Timestamp;

use super::Api;
use super::auth::Principal;
use super::body;
use super::problem::Problem;
use draft::{Basis, Written};
use replace::Replacement;

pub(super) use filter::{__path_try_filter, try_filter};
pub(super) use list::{__path_list, list};
pub(super) use pause::{__path_pause, __path_resume, pause, resume};
pub(super) use public_key::{__path_public_key, public_key};
pub(super) use registry::{__path_registry, registry};
pub(super) use rotate::{__path_rotate, rotate};
pub(super) use sample::{__path_test, test};
use schema::{HookInput, HookPatch};
pub(super) use subscription::unknown as unknown_event_type;
pub(super) use view::HookView;

/// A hook is a few hundred bytes; 32 headers of 4 KiB and a generous `config` fit.
const HOOK_BYTES_MAX: usize = 256 << 10;
/// Others changed the same hook meanwhile: after so many rounds the client shall decide.
const STALE_ROUNDS_MAX: usize = 8;

/// They all stand in memory, with some 800 bytes each and what their owners write into them.
const HOOKS_MAX: usize = 100_000;

/// A hook
#[utoipa::path(
    get,
    path = "/whisperer/hooks/{id}/",
    operation_id = "hook",
    tag = "Hooks",
    params(("id" = u64, Path)),
    responses(
        (status = 200, body = HookView, headers(("ETag" = String))),
        (status = 404, description = "There is no such hook, or it is another owner's."),
    ),
)]
pub(super) async fn one(
    State(api): State<Arc<Api>>,
    who: Principal,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let snapshot = api.catalog.snapshot();
    let hook = visible(&snapshot, &who, hook_id(&id)?)?;
    Ok(shown(&api, StatusCode::OK, hook).await)
}

/// Subscribe
#[utoipa::path(
    post,
    path = "/whisperer/hooks/",
    operation_id = "hook_create",
    tag = "Hooks",
    request_body = HookInput,
    responses(
        (status = 201, body = HookView, headers(("ETag" = String), ("Location" = String))),
        (status = 406, description = "The owner has a hook with this target_url and event_type already: `webhook_100_2`."),
        (status = 409, description = "There are as many hooks as there can be."),
    ),
)]
pub(super) async fn create(
    State(api): State<Arc<Api>>,
    who: Principal,
    request: Request,
) -> Result<Response, Problem> {
    let received = body::receive(&api, request, HOOK_BYTES_MAX).await?;
    let input = Written::of(&received.bytes)?;
    let snapshot = api.catalog.snapshot();
    let mut hook = draft::hook(&input, &api, &snapshot, Basis::New(&who.owner), &who)
        .map_err(Problem::invalid_at_top)?;
    keys::complete(&mut hook)?;
    if snapshot.hooks.len() >= HOOKS_MAX {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            format!("There are {HOOKS_MAX} hooks already, which is the most."),
        ));
    }
    let note = who.note(
        "created",
        None::<&()>,
        Some(&asked_for(&hook, &snapshot, api.clock.now())?),
    );
    match api
        .catalog
        .change_noted(CatalogChange::CreateHook(Box::new(hook)), note)
        .await?
    {
        Changed::Hook(hook) => {
            tracing::info!(hook = hook.id.0, owner = %hook.owner, "hook registered");
            let mut response = shown(&api, StatusCode::CREATED, &hook).await;
            if let Ok(place) = HeaderValue::from_str(&format!("/whisperer/hooks/{}/", hook.id.0)) {
                response.headers_mut().insert(LOCATION, place);
            }
            Ok(response)
        }
        Changed::Done => Err(Problem::internal(&"the store made a hook and showed none")),
    }
}

/// Replace a hook
///
/// What is not mentioned becomes its default; secrets that are absent or masked are kept.
#[utoipa::path(
    put,
    path = "/whisperer/hooks/{id}/",
    operation_id = "hook_replace",
    tag = "Hooks",
    params(("id" = u64, Path)),
    request_body = HookInput,
    responses(
        (status = 200, body = HookView, headers(("ETag" = String))),
        (status = 404, description = "There is no such hook, or it is another owner's."),
        (status = 406, description = "The owner has another hook with this target_url and event_type: `webhook_100_2`."),
        (status = 409, description = "Others change it at this moment: read it again and repeat."),
        (status = 412, description = "It was changed since: `If-Match` does not hold."),
    ),
)]
pub(super) async fn replace(
    State(api): State<Arc<Api>>,
    who: Principal,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    change(&api, &who, hook_id(&id)?, request, Manner::Replace).await
}

/// Change a hook
///
/// Merged shallowly: a nested object is replaced whole, and null is a value.
#[utoipa::path(
    patch,
    path = "/whisperer/hooks/{id}/",
    operation_id = "hook_patch",
    tag = "Hooks",
    params(("id" = u64, Path)),
    request_body = HookPatch,
    responses(
        (status = 200, body = HookView, headers(("ETag" = String))),
        (status = 404, description = "There is no such hook, or it is another owner's."),
        (status = 406, description = "The owner has another hook with this target_url and event_type: `webhook_100_2`."),
        (status = 409, description = "Others change it at this moment: read it again and repeat."),
        (status = 412, description = "It was changed since: `If-Match` does not hold."),
    ),
)]
pub(super) async fn patch(
    State(api): State<Arc<Api>>,
    who: Principal,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    change(&api, &who, hook_id(&id)?, request, Manner::Patch).await
}

/// A hook that is still to be made, without what the store gives it.
fn asked_for(hook: &Hook, snapshot: &CatalogSnapshot, now: Timestamp) -> Result<Value, Problem> {
    let view = HookView::remembered(hook, snapshot, now);
    let mut shown = serde_json::to_value(&view).map_err(|error| Problem::internal(&error))?;
    if let Some(members) = shown.as_object_mut() {
        for given in ["id", "created_date", "modified_date", "state"] {
            members.shift_remove(given);
        }
    }
    Ok(shown)
}

#[derive(Clone, Copy)]
enum Manner {
    Replace,
    Patch,
}

impl Manner {
    /// As the audit names it.
    fn word(self) -> &'static str {
        match self {
            Self::Replace => "replaced",
            Self::Patch => "changed",
        }
    }
}

async fn change(
    api: &Api,
    who: &Principal,
    id: HookId,
    request: Request,
    manner: Manner,
) -> Result<Response, Problem> {
    let headers = request.headers().clone();
    let received = body::receive(api, request, HOOK_BYTES_MAX).await?;
    let input = Written::of(&received.bytes)?;
    let replacement = Replacement {
        api,
        who,
        id,
        headers: &headers,
        word: manner.word(),
    };
    let replaced = replacement
        .by(|old, snapshot| {
            let basis = match manner {
                Manner::Replace => Basis::Replacing(old),
                Manner::Patch => Basis::Patching(old),
            };
            let mut new =
                draft::hook(&input, api, snapshot, basis, who).map_err(Problem::invalid_at_top)?;
            keys::complete(&mut new)?;
            Ok(Some(new))
        })
        .await?;
    // A new one was made of it.
    let hook = replaced.ok_or_else(Problem::not_found)?;
    tracing::info!(hook = id.0, revision = hook.revision, "hook changed");
    Ok(shown(api, StatusCode::OK, &hook).await)
}

/// Unsubscribe
#[utoipa::path(
    delete,
    path = "/whisperer/hooks/{id}/",
    operation_id = "hook_delete",
    tag = "Hooks",
    params(("id" = u64, Path)),
    responses(
        (status = 204, description = "It is gone; what was pending is cancelled, the history stays."),
        (status = 404, description = "There is no such hook, or it is another owner's."),
        (status = 412, description = "It was changed since: `If-Match` does not hold."),
    ),
)]
pub(super) async fn delete(
    State(api): State<Arc<Api>>,
    who: Principal,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id = hook_id(&id)?;
    let snapshot = api.catalog.snapshot();
    let hook = visible(&snapshot, &who, id)?;
    check_if_match(&headers, hook)?;
    let note = who.note(
        "deleted",
        Some(&HookView::remembered(hook, &snapshot, api.clock.now())),
        None::<&()>,
    );
    api.catalog
        .change_noted(CatalogChange::DeleteHook(id), note)
        .await?;
    tracing::info!(hook = id.0, "hook deleted");
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// What is no number is no hook's id.
fn hook_id(text: &str) -> Result<HookId, Problem> {
    text.parse().map(HookId).map_err(|_| Problem::not_found())
}

/// Another owner's hook is not there, rather than forbidden: its existence is not told.
fn visible<'a>(
    snapshot: &'a CatalogSnapshot,
    who: &Principal,
    id: HookId,
) -> Result<&'a Hook, Problem> {
    snapshot
        .hooks
        .get(&id)
        .map(|hook| &**hook)
        .filter(|hook| who.sees(hook))
        .ok_or_else(Problem::not_found)
}

fn etag(hook: &Hook) -> String {
    format!("\"{}\"", hook.revision)
}

/// RFC 9110, 13.1.1: none of the listed tags is the current one, 412.
fn check_if_match(headers: &HeaderMap, hook: &Hook) -> Result<(), Problem> {
    if !headers.contains_key(IF_MATCH) {
        return Ok(());
    }
    let current = etag(hook);
    let holds = headers
        .get_all(IF_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|tag| tag.trim() == "*" || tag.trim() == current);
    if holds {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::PRECONDITION_FAILED,
        format!("The hook was changed since: its ETag is {current} now."),
    ))
}

async fn shown(api: &Api, status: StatusCode, hook: &Hook) -> Response {
    let lane = state::lanes(api, &[hook]).await.pop().flatten();
    let view = HookView::of(
        hook,
        lane.as_ref(),
        &api.catalog.snapshot(),
        api.clock.now(),
    );
    let mut response = (status, Json(view)).into_response();
    // Digits in quotes are always a header value.
    if let Ok(tag) = HeaderValue::from_str(&etag(hook)) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}

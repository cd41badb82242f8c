//! `POST /hooks/{id}/pause/`, `/resume/`: accept and hold. A paused hook gets its deliveries and
//! none is tried; resumed, it works them off from the oldest. Either is repeatable.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use whisperer_domain::hook::{Hook, HookStatus};

use super::replace::Replacement;
use super::{HookView, hook_id, shown, visible};
use crate::api::Api;
use crate::api::auth::Principal;
use crate::api::problem::Problem;

#[derive(Clone, Copy)]
enum Wish {
    Pause,
    Resume,
}

impl Wish {
    /// As the audit names it.
    fn word(self) -> &'static str {
        match self {
            Self::Pause => "paused",
            Self::Resume => "resumed",
        }
    }
}

/// Hold a hook's deliveries
///
/// They are taken and wait. Repeatable.
#[utoipa::path(
    post,
    path = "/whisperer/hooks/{id}/pause/",
    operation_id = "hook_pause",
    tag = "Hooks",
    params(("id" = u64, Path)),
    responses(
        (status = 200, body = HookView, headers(("ETag" = String))),
        (status = 404, description = "There is no such hook, or it is another owner's."),
        (status = 409, description = "The hook is not active, or others change it at this moment."),
        (status = 412, description = "It was changed since: `If-Match` does not hold."),
    ),
)]
pub(in crate::api) async fn pause(
    State(api): State<Arc<Api>>,
    who: Principal,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    change(&api, &who, &id, &headers, Wish::Pause).await
}

/// Let a paused hook's deliveries go
///
/// From the oldest. Repeatable.
#[utoipa::path(
    post,
    path = "/whisperer/hooks/{id}/resume/",
    operation_id = "hook_resume",
    tag = "Hooks",
    params(("id" = u64, Path)),
    responses(
        (status = 200, body = HookView, headers(("ETag" = String))),
        (status = 404, description = "There is no such hook, or it is another owner's."),
        (status = 409, description = "The hook is not active, or others change it at this moment."),
        (status = 412, description = "It was changed since: `If-Match` does not hold."),
    ),
)]
pub(in crate::api) async fn resume(
    State(api): State<Arc<Api>>,
    who: Principal,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    change(&api, &who, &id, &headers, Wish::Resume).await
}

async fn change(
    api: &Api,
    who: &Principal,
    id: &str,
    headers: &HeaderMap,
    wish: Wish,
) -> Result<Response, Problem> {
    let id = hook_id(id)?;
    let replacement = Replacement {
        api,
        who,
        id,
        headers,
        word: wish.word(),
    };
    let replaced = replacement
        .by(|old, _snapshot| {
            let status = status(api, old, wish)?;
            Ok(status.map(|status| Hook {
                status,
                ..old.clone()
            }))
        })
        .await?;
    match replaced {
        Some(hook) => {
            tracing::info!(hook = id.0, status = ?hook.status, "hook paused or resumed");
            Ok(shown(api, StatusCode::OK, &hook).await)
        }
        None => {
            let snapshot = api.catalog.snapshot();
            let hook = visible(&snapshot, who, id)?;
            Ok(shown(api, StatusCode::OK, hook).await)
        }
    }
}

/// None: it is so already.
fn status(api: &Api, hook: &Hook, wish: Wish) -> Result<Option<HookStatus>, Problem> {
    match (&hook.status, wish) {
        (HookStatus::Active, Wish::Pause) => Ok(Some(HookStatus::Paused {
            since: api.clock.now(),
        })),
        (HookStatus::Paused { .. }, Wish::Resume) => Ok(Some(HookStatus::Active)),
        (HookStatus::Active, Wish::Resume) | (HookStatus::Paused { .. }, Wish::Pause) => Ok(None),
        (HookStatus::Inactive | HookStatus::Disabled { .. }, Wish::Pause | Wish::Resume) => {
            Err(Problem::new(
                StatusCode::CONFLICT,
                "The hook is not active, so it gets no deliveries that could be held: set \
                 \"is_active\": true first.",
            ))
        }
    }
}

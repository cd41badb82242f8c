//! `POST /hooks/{id}/pause/`, `/resume/`: accept and hold. A paused hook gets its deliveries and
//! none is tried; resumed, it works them off from the oldest. Either is repeatable.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use whisperer_domain::catalog::{CatalogChange, Changed};
use whisperer_domain::hook::{Hook, HookStatus};
use whisperer_domain::port::CatalogError;

use super::{HookView, STALE_ROUNDS_MAX, hook_id, shown, visible};
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
    ),
)]
pub(in crate::api) async fn pause(
    State(api): State<Arc<Api>>,
    who: Principal,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    change(&api, &who, &id, Wish::Pause).await
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
    ),
)]
pub(in crate::api) async fn resume(
    State(api): State<Arc<Api>>,
    who: Principal,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    change(&api, &who, &id, Wish::Resume).await
}

async fn change(api: &Api, who: &Principal, id: &str, wish: Wish) -> Result<Response, Problem> {
    let id = hook_id(id)?;
    for _ in 0..STALE_ROUNDS_MAX {
        let snapshot = api.catalog.snapshot();
        let old = visible(&snapshot, who, id)?;
        let Some(status) = status(api, old, wish)? else {
            return Ok(shown(api, StatusCode::OK, old).await);
        };
        let new = Box::new(Hook {
            status,
            ..old.clone()
        });
        let now = api.clock.now();
        let note = who.note(
            wish.word(),
            Some(&HookView::remembered(old, &snapshot, now)),
            Some(&HookView::remembered(&new, &snapshot, now)),
        );
        match api
            .catalog
            .change_noted(CatalogChange::ReplaceHook(new), note)
            .await
        {
            Ok(Changed::Hook(hook)) => {
                tracing::info!(hook = id.0, status = ?hook.status, "hook paused or resumed");
                return Ok(shown(api, StatusCode::OK, &hook).await);
            }
            Ok(Changed::Done) => {
                return Err(Problem::internal(
                    &"the store changed a hook and showed none",
                ));
            }
            Err(CatalogError::Stale) => {}
            Err(
                error @ (CatalogError::Duplicate
                | CatalogError::NotFound
                | CatalogError::TooManyPending { .. }
                | CatalogError::Down(_)),
            ) => return Err(error.into()),
        }
    }
    Err(CatalogError::Stale.into())
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

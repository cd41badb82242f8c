//! `/plugins/`: what lies in the folder, what of it runs, and why the rest does not; plugins
//! tried out, put into the folder, and taken out of it.

mod trial;
mod view;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, Uri};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use whisperer_domain::catalog::CatalogSnapshot;
use whisperer_domain::hook::PluginChoice;
use whisperer_domain::plugin::PluginName;
use whisperer_domain::port::{BoxFuture, TransformJob};
use whisperer_sandbox::{Part, PluginStatus, PutError, Sandbox, Stray, Trial};

use super::Api;
use super::audit;
use super::auth::Principal;
use super::body;
use super::field_errors::FieldErrors;
use super::list::List;
use super::problem::Problem;
use super::query::Query;
pub(super) use trial::{__path_try_out, try_out};
use view::PluginView;

const WASM: &str = "application/wasm";
const TOML: &str = "application/toml";
/// As long as the longest file that the loader takes.
const PLUGIN_BYTES_MAX: usize = 32 << 20;
/// So many hooks are named when they stand in the way of a removal.
const HOOKS_NAMED_MAX: usize = 20;

#[derive(Serialize, ToSchema)]
struct Released {
    /// It had been stopped.
    released: bool,
}

/// What the API asks of the sandbox. A trait, so that the API can be tested without an engine.
pub trait Plugins: Send + Sync {
    /// In name order.
    fn list(&self) -> Vec<PluginStatus>;
    /// What lies in the folder and is no plugin.
    fn strays(&self) -> Vec<Stray>;
    fn one(&self, name: &PluginName) -> Option<PluginStatus>;
    fn try_out(&self, job: TransformJob) -> BoxFuture<'_, Trial>;
    fn put(&self, name: PluginName, part: Part) -> BoxFuture<'_, Result<(), PutError>>;
    fn remove(&self, name: PluginName) -> BoxFuture<'_, Result<(), PutError>>;
    fn release(&self, name: &PluginName) -> bool;
}

impl Plugins for Sandbox {
    fn list(&self) -> Vec<PluginStatus> {
        self.plugins()
    }

    fn strays(&self) -> Vec<Stray> {
        Self::strays(self)
    }

    fn one(&self, name: &PluginName) -> Option<PluginStatus> {
        self.plugin(name)
    }

    fn try_out(&self, job: TransformJob) -> BoxFuture<'_, Trial> {
        Box::pin(async move { Self::try_out(self, &job).await })
    }

    fn put(&self, name: PluginName, part: Part) -> BoxFuture<'_, Result<(), PutError>> {
        Box::pin(async move { Self::put(self, &name, part).await })
    }

    fn remove(&self, name: PluginName) -> BoxFuture<'_, Result<(), PutError>> {
        Box::pin(async move { Self::remove(self, &name).await })
    }

    fn release(&self, name: &PluginName) -> bool {
        Self::release(self, name)
    }
}

/// What lies in the plugin folder, and what of it runs
#[utoipa::path(
    get,
    path = "/whisperer/plugins/",
    operation_id = "plugins",
    tag = "Plugins",
    responses(
        (status = 200, body = [PluginView]),
        (status = 400, description = "A filter is not valid."),
    ),
)]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    who: Principal,
    uri: Uri,
) -> Result<Response, Problem> {
    Query::of(&uri, &[]).check()?;
    let snapshot = api.catalog.snapshot();
    let mut list = List::new();
    for status in api.plugins.list() {
        list.push(&PluginView::of(status, &who, &snapshot))?;
    }
    for stray in api.plugins.strays() {
        list.push(&PluginView::from(stray))?;
    }
    Ok(list.answer(None))
}

/// A plugin
#[utoipa::path(
    get,
    path = "/whisperer/plugins/{name}/",
    operation_id = "plugin",
    tag = "Plugins",
    params(("name" = String, Path)),
    responses(
        (status = 200, body = PluginView),
        (status = 404, description = "There is no such plugin."),
    ),
)]
pub(super) async fn one(
    State(api): State<Arc<Api>>,
    who: Principal,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let name = PluginName::parse(&name).map_err(|_| Problem::not_found())?;
    shown(&api, &who, &name, StatusCode::OK)
}

fn shown(
    api: &Api,
    who: &Principal,
    name: &PluginName,
    status: StatusCode,
) -> Result<Response, Problem> {
    let found = api.plugins.one(name).ok_or_else(Problem::not_found)?;
    let view = PluginView::of(found, who, &api.catalog.snapshot());
    Ok((status, Json(view)).into_response())
}

/// Put a plugin into the folder
///
/// The component, or the settings beside it, by the content type. Refused with the loader's
/// reason before it touches the folder.
#[utoipa::path(
    put,
    path = "/whisperer/plugins/{name}/",
    operation_id = "plugin_put",
    tag = "Plugins",
    params(("name" = String, Path)),
    request_body(content((Vec<u8> = "application/wasm"), (String = "application/toml"))),
    responses(
        (status = 200, body = PluginView, description = "It runs in place of the one before."),
        (status = 201, body = PluginView, description = "It runs."),
        (status = 400, description = "The loader refuses it, and says why."),
        (status = 404, description = "Settings for a plugin that is not there."),
        (status = 507, description = "The disk of the plugin folder is full."),
    ),
)]
pub(super) async fn put(
    State(api): State<Arc<Api>>,
    who: Principal,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let name = parsed(&name)?;
    let (kind, received) =
        body::receive_one_of(&api, request, &[WASM, TOML], PLUGIN_BYTES_MAX).await?;
    let part = if kind == WASM {
        Part::Component(received.bytes.to_vec())
    } else {
        let text = String::from_utf8(received.bytes.to_vec())
            .map_err(|_| refused("The settings are not UTF-8."))?;
        Part::Settings((!text.trim().is_empty()).then_some(text))
    };
    let status = match api.plugins.one(&name) {
        Some(_) => StatusCode::OK,
        None => StatusCode::CREATED,
    };
    api.plugins.put(name.clone(), part).await?;
    // It is accounted for until nobody holds its copy any more.
    drop(received);
    audit::remember(&api, &who, &format!("plugins/{name}"), "put").await;
    tracing::info!(plugin = %name, owner = %who.owner, "a plugin was put by the API");
    shown(&api, &who, &name, status)
}

/// Take a plugin out of the folder
///
/// A hook that names it would wait for it for ever: `force` says that this is meant.
#[utoipa::path(
    delete,
    path = "/whisperer/plugins/{name}/",
    operation_id = "plugin_delete",
    tag = "Plugins",
    params(
        ("name" = String, Path),
        ("force" = Option<bool>, Query, description = "Although hooks name it and will wait for it."),
    ),
    responses(
        (status = 204),
        (status = 400, description = "The query is not valid."),
        (status = 404, description = "There is no such plugin."),
        (status = 409, description = "Hooks name it: see `hooks`."),
        (status = 507, description = "The disk of the plugin folder is full."),
    ),
)]
pub(super) async fn delete(
    State(api): State<Arc<Api>>,
    who: Principal,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<Response, Problem> {
    let name = PluginName::parse(&name).map_err(|_| Problem::not_found())?;
    let mut query = Query::of(&uri, &["force"]);
    let force = query.boolean("force") == Some(true);
    query.check()?;
    if api.plugins.one(&name).is_none() {
        return Err(Problem::not_found());
    }
    let hooks = naming(&api.catalog.snapshot(), &name);
    if !force && !hooks.is_empty() {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            format!("{} hooks name this plugin and would wait for it: take it out of their chains, or repeat with ?force=true.", hooks.len()),
        )
        .member("hooks", hooks.into_iter().take(HOOKS_NAMED_MAX).collect::<Value>()));
    }
    api.plugins.remove(name.clone()).await?;
    audit::remember(&api, &who, &format!("plugins/{name}"), "removed").await;
    tracing::info!(plugin = %name, owner = %who.owner, "a plugin was removed by the API");
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn naming(snapshot: &CatalogSnapshot, name: &PluginName) -> Vec<u64> {
    let hooks = snapshot.hooks.values();
    hooks
        .filter(|hook| match &hook.plugins {
            PluginChoice::ByPattern => false,
            PluginChoice::Chain(links) => links.iter().any(|link| link.name == *name),
        })
        .map(|hook| hook.id.0)
        .collect()
}

/// Let a plugin out of quarantine
#[utoipa::path(
    post,
    path = "/whisperer/plugins/{name}/release/",
    operation_id = "plugin_release",
    tag = "Plugins",
    params(("name" = String, Path)),
    responses(
        (status = 200, body = Released),
        (status = 404, description = "There is no such plugin."),
    ),
)]
pub(super) async fn release(
    State(api): State<Arc<Api>>,
    who: Principal,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let name = PluginName::parse(&name).map_err(|_| Problem::not_found())?;
    if api.plugins.one(&name).is_none() {
        return Err(Problem::not_found());
    }
    let released = api.plugins.release(&name);
    audit::remember(&api, &who, &format!("plugins/{name}"), "released").await;
    Ok(Json(Released { released }).into_response())
}

fn parsed(name: &str) -> Result<PluginName, Problem> {
    PluginName::parse(name).map_err(|words| Problem::invalid(FieldErrors::of("name", words)))
}

fn refused(words: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, words)
}

impl From<PutError> for Problem {
    fn from(error: PutError) -> Self {
        match error {
            PutError::Refused(reason) => refused(format!("The plugin is refused: {reason}")),
            PutError::Later(reason) => Self::unavailable(5, format!("Not now: {reason}")),
            PutError::Missing => Self::not_found(),
            PutError::Folder(why) => {
                tracing::error!(reason = %why, "the plugin folder cannot be written");
                let full = why.kind() == std::io::ErrorKind::StorageFull;
                let (status, words) = if full {
                    (
                        StatusCode::INSUFFICIENT_STORAGE,
                        "The disk of the plugin folder is full.",
                    )
                } else {
                    (
                        StatusCode::INTERNAL_SERVER_ERROR,
                        "The plugin folder cannot be written; the server's log says why.",
                    )
                };
                Self::new(status, words)
            }
            PutError::NotLive => Self::unavailable(
                5,
                "The file is written and not live yet: GET the plugin to see why.",
            ),
        }
    }
}

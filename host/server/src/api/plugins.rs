//! `/plugins/`: what lies in the folder, what of it runs, and why the rest does not.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::Uri;
use serde::Serialize;

use super::Api;
use super::auth::Principal;
use super::list::List;
use super::problem::Problem;
use super::query::Query;

/// Asks the sandbox what it has, in name order, and then what lies in the folder and is no
/// plugin. A function, so that the API can be tested
/// without an engine.
pub type PluginList = Arc<dyn Fn() -> Vec<PluginView> + Send + Sync>;

#[derive(Clone, Debug, Default, Serialize)]
pub struct PluginView {
    pub name: String,
    pub enabled: bool,
    /// Counts the loads of this plugin since the start; null: none of its files ever loaded.
    pub generation: Option<u64>,
    pub digest: Option<String>,
    /// What it says of itself.
    pub version: String,
    pub summary: String,
    /// It runs by itself on events that match one of these.
    pub events: Vec<String>,
    pub imports: Vec<String>,
    /// Why the newest file does not run. An older one may run meanwhile.
    pub load_error: Option<String>,
}

pub(super) async fn list(
    State(api): State<Arc<Api>>,
    _who: Principal,
    uri: Uri,
) -> Result<Response, Problem> {
    Query::of(&uri, &[]).check()?;
    let mut list = List::new();
    for plugin in (api.plugins)() {
        list.push(&plugin)?;
    }
    Ok(list.answer(None))
}

pub(super) async fn one(
    State(api): State<Arc<Api>>,
    _who: Principal,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let found = (api.plugins)()
        .into_iter()
        .find(|plugin| plugin.name == name);
    match found {
        Some(plugin) => Ok(Json(plugin).into_response()),
        None => Err(Problem::not_found()),
    }
}

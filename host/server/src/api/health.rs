//! `/livez` and `/readyz`, open to whoever can reach the port.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::Api;
use super::problem::Problem;

/// The process answers. It looks at nothing else: a restart would not mend a disk.
pub(super) async fn livez() -> Json<Value> {
    Json(json!({"status": "alive"}))
}

pub(super) async fn readyz(State(api): State<Arc<Api>>) -> Result<Json<Value>, Problem> {
    match api.readiness.obstacle(&api.ledger.status().health) {
        None => Ok(Json(json!({"status": "ready"}))),
        Some(words) => Err(Problem::unavailable(1, words)),
    }
}

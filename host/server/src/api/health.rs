//! `/livez` and `/readyz`, open to whoever can reach the port.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use super::problem::Problem;

#[derive(Serialize, ToSchema)]
pub(super) struct Health {
    status: &'static str,
}

/// Whether the process answers
///
/// It looks at nothing else: a restart would not mend a disk.
#[utoipa::path(
    get,
    path = "/livez",
    operation_id = "livez",
    tag = "Operations",
    responses((status = 200, body = Health)),
)]
pub(super) async fn livez() -> Json<Health> {
    Json(Health { status: "alive" })
}

/// Whether events are taken and delivered
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "readyz",
    tag = "Operations",
    responses(
        (status = 200, body = Health),
        (status = 503, description = "Not now, and why."),
    ),
)]
pub(super) async fn readyz(State(api): State<Arc<Api>>) -> Result<Json<Health>, Problem> {
    match api.readiness.obstacle(&api.ledger.status()) {
        None => Ok(Json(Health { status: "ready" })),
        Some(words) => Err(Problem::unavailable(1, words)),
    }
}

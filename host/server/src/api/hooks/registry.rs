//! `/hooks/registry/`: the names a hook may subscribe to, as the OMS lists them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use crate::api::Api;
use crate::api::auth::Principal;

/// The names of all event types
#[utoipa::path(
    get,
    path = "/whisperer/hooks/registry/",
    operation_id = "registry",
    tag = "Hooks",
    responses((status = 200, body = [String])),
)]
pub(in crate::api) async fn registry(
    State(api): State<Arc<Api>>,
    _who: Principal,
) -> Json<Vec<String>> {
    let snapshot = api.catalog.snapshot();
    Json(
        snapshot
            .event_types
            .keys()
            .map(ToString::to_string)
            .collect(),
    )
}

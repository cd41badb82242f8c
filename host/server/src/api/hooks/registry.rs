//! `/hooks/registry/`: the names a hook may subscribe to, as the OMS lists them. Those of
//! operational events are shown to admins only, for others cannot have them.

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
    who: Principal,
) -> Json<Vec<String>> {
    let snapshot = api.catalog.snapshot();
    Json(
        snapshot
            .event_types
            .keys()
            .filter(|name| who.is_admin() || !name.is_operational())
            .map(ToString::to_string)
            .collect(),
    )
}

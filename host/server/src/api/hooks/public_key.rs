//! `GET /hooks/{id}/public-key/`: what a receiver verifies ed25519 signatures with.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::{hook_id, keys, visible};
use crate::api::Api;
use crate::api::auth::Principal;
use crate::api::moment;
use crate::api::problem::Problem;

#[derive(Serialize, ToSchema)]
#[schema(as = PublicKey)]
pub(in crate::api) struct View {
    /// As Standard Webhooks writes it: `whpk_` and 32 bytes as base64.
    public_key: String,
    /// The same as X.509 and OpenSSL write it.
    pem: String,
    /// Those that it signs with too, after a rotation; newest first.
    previous: Vec<Previous>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = PreviousPublicKey)]
struct Previous {
    public_key: String,
    until: String,
}

/// The key to verify a hook's ed25519 signatures with
///
/// It stays the same when the hook stops signing with it and begins again.
#[utoipa::path(
    get,
    path = "/whisperer/hooks/{id}/public-key/",
    operation_id = "hook_public_key",
    tag = "Hooks",
    params(("id" = u64, Path)),
    responses(
        (status = 200, body = View),
        (status = 404, description = "There is no such hook, or it is another owner's, or it has no key pair."),
        (status = 409, description = "The hook's secrets cannot be read with the key that the server has."),
    ),
)]
pub(in crate::api) async fn public_key(
    State(api): State<Arc<Api>>,
    who: Principal,
    Path(id): Path<String>,
) -> Result<Json<View>, Problem> {
    let snapshot = api.catalog.snapshot();
    let hook = visible(&snapshot, &who, hook_id(&id)?)?;
    if hook.secrets_unreadable {
        return Err(Problem::new(StatusCode::CONFLICT, keys::UNREADABLE));
    }
    let Some(pair) = &hook.key_pair else {
        return Err(Problem::new(
            StatusCode::NOT_FOUND,
            "This hook has no key pair: it gets one as soon as its \"signatures\" name \"ed25519\".",
        ));
    };
    let public = pair.public();
    let previous = hook.old_key_pairs.holding(api.clock.now()).rev();
    let previous = previous.map(|old| Previous {
        public_key: old.key.public().to_string(),
        until: moment::write(old.until),
    });
    Ok(Json(View {
        public_key: public.to_string(),
        pem: public.pem(),
        previous: previous.collect(),
    }))
}

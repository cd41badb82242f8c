//! `POST /hooks/{id}/secret/rotate/`: a new secret, and a new pair for a hook that signs with one,
//! while those before hold for an overlap.
//!
//! The new secret is in this answer and in no other. Who loses the answer rotates once more: the
//! secret that nobody saw is then one of the old ones, and harms nobody.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use http::header::ETAG;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use whisperer_domain::catalog::CatalogSnapshot;
use whisperer_domain::hook::{FreshKeys, Hook, OVERLAP_DEFAULT, OVERLAP_MAX, TooManyOldKeys};
use whisperer_domain::id::HookId;
use whisperer_domain::secret::Secret;
use whisperer_domain::sign::{OLD_KEYS_MAX, SignatureForm};
use whisperer_domain::time::Timestamp;

use super::draft::Basis;
use super::replace::Replacement;
use super::{etag, hook_id, keys, room, secret_key, subscription};
use crate::api::Api;
use crate::api::auth::Principal;
use crate::api::body;
use crate::api::field_errors::FieldErrors;
use crate::api::moment;
use crate::api::problem::Problem;
use crate::api::value;

/// The longest secret, each of its characters escaped as a pair of surrogates, is 12 KiB.
const BODY_BYTES_MAX: usize = 16 << 10;
const MEMBERS: [&str; 2] = ["overlap_seconds", "secret_key"];

/// For the document.
#[derive(Serialize, ToSchema)]
#[schema(as = RotateInput)]
struct Input {
    /// For how long the keys before hold too. 0: not at all, and neither do those that earlier
    /// rotations left.
    #[schema(minimum = 0, maximum = 604_800, default = 86_400)]
    overlap_seconds: Option<u64>,
    /// Absent: one is made, `whsec_` and 32 random bytes as base64.
    #[schema(max_length = 1024)]
    secret_key: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Rotated)]
struct View<'a> {
    /// The new one, shown this once.
    secret_key: &'a str,
    /// The new one, if the hook signs with ed25519.
    public_key: Option<String>,
    /// When the last of the old keys ends; null if there is none.
    rotating_until: Option<String>,
}

struct Wish {
    overlap: Duration,
    secret: Option<Secret>,
}

/// Change a hook's keys, with an overlap
///
/// The secret is replaced, and the key pair of a hook that signs with ed25519. Until the overlap is
/// over, Standard Webhooks' header carries a signature of each key; `X-Whisperer-Signature` and
/// `X-Hub-Signature-256`, which hold one signature, stay with the oldest key that holds. A hook
/// without a secret gets its first.
#[utoipa::path(
    post,
    path = "/whisperer/hooks/{id}/secret/rotate/",
    operation_id = "hook_rotate",
    tag = "Hooks",
    params(("id" = u64, Path)),
    request_body = Option<Input>,
    responses(
        (status = 200, body = View, headers(("ETag" = String))),
        (status = 404, description = "There is no such hook, or it is another owner's."),
        (status = 409, description = "Others change it at this moment, or its secrets cannot be read with the key that the server has."),
        (status = 412, description = "It was changed since: `If-Match` does not hold."),
    ),
)]
pub(in crate::api) async fn rotate(
    State(api): State<Arc<Api>>,
    who: Principal,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let id = hook_id(&id)?;
    let headers = request.headers().clone();
    let received = body::receive(&api, request, BODY_BYTES_MAX).await?;
    let input = if received.bytes.is_empty() {
        Map::new()
    } else {
        body::object(&received.bytes)?
    };
    let wish = read(&input).map_err(Problem::invalid)?;
    change(&api, &who, id, &headers, wish).await
}

fn read(input: &Map<String, Value>) -> Result<Wish, FieldErrors> {
    let mut errors = FieldErrors::default();
    errors.note_unknown(input, &MEMBERS);
    let overlap = match input.get("overlap_seconds") {
        None | Some(Value::Null) => Some(OVERLAP_DEFAULT),
        Some(given) => {
            let secs = value::integer(given, 0, OVERLAP_MAX.as_secs()).map_err(Into::into);
            errors
                .note("overlap_seconds", secs)
                .map(Duration::from_secs)
        }
    };
    let secret = match input.get("secret_key") {
        None | Some(Value::Null) => None,
        Some(given) => errors.note("secret_key", secret_key::fresh(given)),
    };
    errors.or(Wish {
        overlap: overlap.unwrap_or(OVERLAP_DEFAULT),
        secret,
    })
}

async fn change(
    api: &Api,
    who: &Principal,
    id: HookId,
    headers: &HeaderMap,
    wish: Wish,
) -> Result<Response, Problem> {
    let secret = match &wish.secret {
        Some(own) => own.clone(),
        None => keys::secret()?,
    };
    let replacement = Replacement {
        api,
        who,
        id,
        headers,
        word: "secret rotated",
    };
    let replaced = replacement
        .by(|old, snapshot| {
            may_rotate(old, snapshot, who, &wish)?;
            let now = api.clock.now();
            rotated(old, snapshot, secret.clone(), wish.overlap, now).map(Some)
        })
        .await?;
    // A new one was made of it.
    let hook = replaced.ok_or_else(Problem::not_found)?;
    let overlap_secs = wish.overlap.as_secs();
    tracing::info!(hook = id.0, overlap_secs, "a hook's keys were rotated");
    Ok(answer(&hook, &secret, api.clock.now()))
}

fn may_rotate(
    old: &Hook,
    snapshot: &CatalogSnapshot,
    who: &Principal,
    wish: &Wish,
) -> Result<(), Problem> {
    if old.secrets_unreadable {
        return Err(Problem::new(StatusCode::CONFLICT, keys::UNREADABLE));
    }
    let mut errors = FieldErrors::default();
    errors.note(
        "event_type",
        subscription::read(None, snapshot, Basis::Patching(old), who),
    );
    if wish.secret.is_some() && wish.secret == old.secret_key {
        let words =
            "This is the hook's secret already: give another one, or none to have one made.";
        errors.add("secret_key", words);
    }
    errors.or(()).map_err(Problem::invalid)
}

fn rotated(
    old: &Hook,
    snapshot: &CatalogSnapshot,
    secret: Secret,
    overlap: Duration,
    now: Timestamp,
) -> Result<Hook, Problem> {
    let pair = match old.signs_with(SignatureForm::Ed25519) {
        true => Some(keys::pair()?),
        false => None,
    };
    let mut new = old.clone();
    let mut errors = FieldErrors::default();
    match new.rotate(FreshKeys { secret, pair }, overlap, now) {
        Ok(()) => {
            if let Err(words) = room::check(&new, snapshot) {
                errors.add("non_field_errors", words);
            }
        }
        Err(TooManyOldKeys { until }) => errors.add(
            "non_field_errors",
            format!(
                "{OLD_KEYS_MAX} old keys of this hook hold already, which is the most. Wait until \
                 the first of them ends, at {}, or say \"overlap_seconds\": 0, which ends all of \
                 them at once.",
                moment::write(until)
            ),
        ),
    }
    errors.or(new).map_err(Problem::invalid)
}

fn answer(hook: &Hook, secret: &Secret, now: Timestamp) -> Response {
    let pair = hook.key_pair.as_ref();
    let pair = pair.filter(|_| hook.signs_with(SignatureForm::Ed25519));
    let secret = secret.expose();
    let view = View {
        secret_key: &secret,
        public_key: pair.map(|pair| pair.public().to_string()),
        rotating_until: hook.rotating_until(now).map(moment::write),
    };
    let mut response = Json(view).into_response();
    // Digits in quotes are always a header value.
    if let Ok(tag) = HeaderValue::from_str(&etag(hook)) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}

//! `POST /tokens/`: a token for an owner. Shown once; only its hash is kept.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use serde::Serialize;
use whisperer_domain::catalog::{CatalogChange, Token};
use whisperer_domain::id::Owner;
use whisperer_domain::secret::Secret;

use super::Api;
use super::auth::{Principal, token_hash};
use super::body;
use super::field_errors::{Checked, FieldErrors};
use super::moment;
use super::problem::Problem;
use super::value;
use crate::nearest::did_you_mean;

const BODY_BYTES_MAX: usize = 64 << 10;
const MEMBERS: [&str; 2] = ["owner", "admin"];
/// Says what it is when it turns up in a log or a leak scanner.
const PREFIX: &str = "whs_";
const TOKEN_BYTES: usize = 32;
/// They cannot be deleted yet: a script that makes one at each start shall notice.
const TOKENS_MAX: usize = 10_000;

#[derive(Serialize)]
struct View<'a> {
    token: &'a str,
    owner: &'a str,
    admin: bool,
    created_date: String,
}

pub(super) async fn create(
    State(api): State<Arc<Api>>,
    who: Principal,
    request: Request,
) -> Result<Response, Problem> {
    who.must_be_admin()?;
    let received = body::receive(&api, request, BODY_BYTES_MAX).await?;
    let input = body::object(&received.bytes)?;
    let mut errors = FieldErrors::default();
    for name in input
        .keys()
        .filter(|name| !MEMBERS.contains(&name.as_str()))
    {
        let near = did_you_mean(name, MEMBERS.into_iter());
        errors.add(name, format!("Unknown field.{near}"));
    }
    let owner = match input.get("owner") {
        None => Err(value::REQUIRED.into()),
        Some(given) => owner(given),
    };
    let owner = errors.note("owner", owner);
    let admin = match input.get("admin") {
        None => Ok(false),
        Some(given) => value::boolean(given).map_err(Into::into),
    };
    let admin = errors.note("admin", admin);
    let Some((owner, admin)) = owner.zip(admin) else {
        return Err(Problem::invalid(errors));
    };
    errors.or(()).map_err(Problem::invalid)?;

    if api.catalog.snapshot().tokens.len() >= TOKENS_MAX {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            format!("There are {TOKENS_MAX} tokens already, which is the most."),
        ));
    }
    let text = fresh_token().map_err(|error| Problem::internal(&error))?;
    let token = Token {
        hash: token_hash(text.expose()),
        owner,
        admin,
        created_at: api.clock.now(),
    };
    api.catalog
        .change(CatalogChange::PutToken(token.clone()))
        .await?;
    tracing::info!(owner = %token.owner, admin, "token made");
    let view = View {
        token: text.expose(),
        owner: token.owner.as_str(),
        admin,
        created_date: moment::write(token.created_at),
    };
    Ok((StatusCode::CREATED, Json(view)).into_response())
}

fn owner(given: &serde_json::Value) -> Checked<Owner> {
    Ok(Owner::parse(value::text(given, 128)?)?)
}

/// 256 bits of the operating system's randomness.
pub(crate) fn fresh_token() -> Result<Secret, getrandom::Error> {
    let mut bytes = [0_u8; TOKEN_BYTES];
    getrandom::fill(&mut bytes)?;
    Ok(Secret::new(format!(
        "{PREFIX}{}",
        URL_SAFE_NO_PAD.encode(bytes)
    )))
}

//! `/tokens/`: made for an owner, with what it may do; listed; revoked. A token is shown once, and
//! only its hash is kept.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{StatusCode, Uri};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use whisperer_domain::access::{Right, Rights, token_id};
use whisperer_domain::catalog::{CatalogChange, Token};
use whisperer_domain::id::Owner;
use whisperer_domain::secret::Secret;

use super::Api;
use super::auth::{Principal, token_hash};
use super::body;
use super::field_errors::{Checked, FieldErrors};
use super::list::List;
use super::moment;
use super::problem::Problem;
use super::query::Query;
use super::value;
use crate::nearest::did_you_mean;

const BODY_BYTES_MAX: usize = 64 << 10;
const MEMBERS: [&str; 3] = ["owner", "admin", "scopes"];
/// Says what it is when it turns up in a log or a leak scanner.
const PREFIX: &str = "whs_";
const TOKEN_BYTES: usize = 32;
/// A script that makes one at each start shall notice.
const TOKENS_MAX: usize = 10_000;

/// A token as it is listed. Its text was shown once, when it was made.
#[derive(Serialize, ToSchema)]
#[schema(as = Token)]
struct View<'a> {
    /// Its public name: the beginning of its hash.
    id: String,
    owner: &'a str,
    admin: bool,
    scopes: Vec<&'static str>,
    created_date: String,
}

impl<'a> View<'a> {
    fn of(token: &'a Token) -> Self {
        Self {
            id: token_id(&token.hash),
            owner: token.owner.as_str(),
            admin: token.is_admin(),
            scopes: token.rights.named().map(Right::scope).collect(),
            created_date: moment::write(token.created_at),
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = NewToken)]
struct Shown<'a> {
    /// Shown this once.
    token: &'a str,
    #[serde(flatten)]
    view: View<'a>,
}

/// For the document.
#[derive(Serialize, ToSchema)]
#[schema(as = TokenInput)]
struct Input {
    #[schema(max_length = 128)]
    owner: String,
    /// The same as the scope `admin`.
    admin: Option<bool>,
    /// Absent: all that concerns the owner's own, which is `hooks:write`, `events:write`,
    /// `deliveries:retry` and `plugins:read`.
    scopes: Option<Vec<Scope>>,
}

/// What a token may do. Writing includes reading.
#[allow(
    dead_code,
    reason = "for the document: read by the derive, not by code"
)]
#[derive(Serialize, ToSchema)]
enum Scope {
    #[serde(rename = "hooks:read")]
    HooksRead,
    #[serde(rename = "hooks:write")]
    HooksWrite,
    #[serde(rename = "events:write")]
    EventsWrite,
    #[serde(rename = "deliveries:read")]
    DeliveriesRead,
    #[serde(rename = "deliveries:retry")]
    DeliveriesRetry,
    #[serde(rename = "plugins:read")]
    PluginsRead,
    #[serde(rename = "plugins:write")]
    PluginsWrite,
    #[serde(rename = "admin")]
    Admin,
}

/// All tokens
///
/// By owner, then id. Whole: they are few.
#[utoipa::path(
    get,
    path = "/whisperer/tokens/",
    operation_id = "tokens",
    tag = "Tokens",
    responses(
        (status = 200, body = [View]),
        (status = 400, description = "A filter is not valid."),
    ),
)]
pub(super) async fn list(State(api): State<Arc<Api>>, uri: Uri) -> Result<Response, Problem> {
    Query::of(&uri, &[]).check()?;
    let snapshot = api.catalog.snapshot();
    let mut tokens: Vec<&Token> = snapshot.tokens.values().map(|token| &**token).collect();
    tokens.sort_by_key(|token| (&token.owner, token.hash));
    let mut list = List::new();
    for token in tokens {
        list.push(&View::of(token))?;
    }
    Ok(list.answer(None))
}

/// Make a token for an owner
#[utoipa::path(
    post,
    path = "/whisperer/tokens/",
    operation_id = "token_create",
    tag = "Tokens",
    request_body = Input,
    responses(
        (status = 201, body = Shown),
        (status = 409, description = "There are as many tokens as there can be."),
    ),
)]
pub(super) async fn create(
    State(api): State<Arc<Api>>,
    who: Principal,
    request: Request,
) -> Result<Response, Problem> {
    let received = body::receive(&api, request, BODY_BYTES_MAX).await?;
    let (owner, rights) = read(&body::object(&received.bytes)?).map_err(Problem::invalid)?;
    if api.catalog.snapshot().tokens.len() >= TOKENS_MAX {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            format!("There are {TOKENS_MAX} tokens already, which is the most: revoke some."),
        ));
    }
    let text = fresh_token().map_err(|error| Problem::internal(&error))?;
    let token = Token {
        hash: token_hash(&text.expose()),
        owner,
        rights,
        created_at: api.clock.now(),
    };
    let note = who.note("created", None::<&()>, Some(&View::of(&token)));
    api.catalog
        .change_noted(CatalogChange::PutToken(token.clone()), note)
        .await?;
    tracing::info!(owner = %token.owner, admin = token.is_admin(), "token made");
    let exposed = text.expose();
    let shown = Shown {
        token: &exposed,
        view: View::of(&token),
    };
    Ok((StatusCode::CREATED, Json(shown)).into_response())
}

/// Revoke a token
///
/// From the next call on it is not known. A token cannot revoke itself, so that somebody can
/// always come in.
#[utoipa::path(
    delete,
    path = "/whisperer/tokens/{id}/",
    operation_id = "token_revoke",
    tag = "Tokens",
    params(("id" = String, Path, description = "As the list shows it.")),
    responses(
        (status = 204),
        (status = 404, description = "There is no such token."),
        (status = 409, description = "It is the token of this very call."),
    ),
)]
pub(super) async fn revoke(
    State(api): State<Arc<Api>>,
    who: Principal,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let snapshot = api.catalog.snapshot();
    let named = |token: &&Arc<Token>| token_id(&token.hash) == id;
    let token = snapshot.tokens.values().find(named);
    let token = token.ok_or_else(Problem::not_found)?;
    if token.hash == who.token {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "This is the token of this very call: revoke it by another.",
        ));
    }
    let note = who.note("revoked", Some(&View::of(token)), None::<&()>);
    api.catalog
        .change_noted(CatalogChange::DeleteToken(token.hash), note)
        .await?;
    tracing::info!(owner = %token.owner, token = id, "token revoked");
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn read(input: &Map<String, Value>) -> Result<(Owner, Rights), FieldErrors> {
    let mut errors = FieldErrors::default();
    errors.note_unknown(input, &MEMBERS);
    let owner = match input.get("owner") {
        None => Err(value::REQUIRED.into()),
        Some(given) => owner(given),
    };
    let owner = errors.note("owner", owner);
    let admin = match input.get("admin") {
        None | Some(Value::Null) => Ok(false),
        Some(given) => value::boolean(given).map_err(Into::into),
    };
    let admin = errors.note("admin", admin);
    let rights = errors.note("scopes", scopes(input.get("scopes")));
    let Some(((owner, admin), rights)) = owner.zip(admin).zip(rights) else {
        return Err(errors);
    };
    let rights = match (admin, rights) {
        (false, None) => Rights::of_an_owner(),
        (false, Some(named)) => named,
        (true, named) => {
            let named = named.unwrap_or_default().named();
            named.chain([Right::Admin]).collect()
        }
    };
    errors.or((owner, rights))
}

fn scopes(given: Option<&Value>) -> Checked<Option<Rights>> {
    let given = match given {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Array(given)) if !given.is_empty() => given,
        Some(_) => return Err("Must be a list of scopes, with at least one.".into()),
    };
    let scope = |given: &Value| {
        let text = given.as_str().unwrap_or_default();
        Right::parse(text).ok_or_else(|| {
            let near = did_you_mean(text, Right::ALL.into_iter().map(Right::scope));
            format!("{given} is not a scope.{near}").into()
        })
    };
    let rights: Checked<Rights> = given.iter().map(scope).collect();
    rights.map(Some)
}

fn owner(given: &Value) -> Checked<Owner> {
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

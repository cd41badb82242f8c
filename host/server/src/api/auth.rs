//! Who is asking: a token's owner, by `Authorization: Token x` or `Bearer x`.
//!
//! Only the SHA-256 of a token is known here. The table is looked up by that hash, whose
//! timing tells nothing about the token, and the found one is compared in constant time.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use whisperer_domain::access::{Actor, Note, Right, Rights, token_id};
use whisperer_domain::hook::Hook;
use whisperer_domain::id::Owner;
use whisperer_domain::port::Scope;

use super::Api;
use super::problem::Problem;

/// Of one side of a change in the audit.
const REMEMBERED_BYTES_MAX: usize = 16 << 10;

#[derive(Clone, Debug)]
pub(super) struct Principal {
    pub(super) owner: Owner,
    pub(super) rights: Rights,
    /// The hash of the token, by which it is known.
    pub(super) token: [u8; 32],
}

impl Principal {
    pub(super) fn sees(&self, hook: &Hook) -> bool {
        self.is_admin() || hook.owner == self.owner
    }

    pub(super) fn scope(&self) -> Scope {
        if self.is_admin() {
            Scope::All
        } else {
            Scope::Of(self.owner.clone())
        }
    }

    pub(super) fn is_admin(&self) -> bool {
        self.rights.has(Right::Admin)
    }

    /// What is remembered of a change that this one makes. `before` and `after` are views, so
    /// without secrets.
    pub(super) fn note(
        &self,
        action: &'static str,
        before: Option<&impl Serialize>,
        after: Option<&impl Serialize>,
    ) -> Note {
        Note {
            actor: Actor {
                owner: self.owner.clone(),
                token: token_id(&self.token),
            },
            action,
            before: before.map(remembered),
            after: after.map(remembered),
        }
    }

    /// Of what has no form before or after.
    pub(super) fn bare_note(&self, action: &'static str) -> Note {
        self.note(action, None::<&()>, None::<&()>)
    }
}

/// As JSON; what is very long is only said to have been so.
fn remembered(view: &impl Serialize) -> String {
    match serde_json::to_string(view) {
        Ok(text) if text.len() <= REMEMBERED_BYTES_MAX => text,
        Ok(text) => format!(r#"{{"left_out_bytes":{}}}"#, text.len()),
        Err(_) => "null".to_owned(),
    }
}

pub(crate) fn token_hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Whom the guard let in.
impl FromRequestParts<Arc<Api>> for Principal {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Api>) -> Result<Self, Problem> {
        let let_in = parts.extensions.get::<Self>().cloned();
        let_in.ok_or_else(|| Problem::internal(&"a route that asks who calls has no guard"))
    }
}

/// # Errors
/// There is no token, or none that is known.
pub(super) fn authenticate(headers: &HeaderMap, api: &Api) -> Result<Principal, Problem> {
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let Some(header) = given.next() else {
        return Err(Problem::unauthorized(
            "Authentication credentials were not provided.",
        ));
    };
    let token = header
        .to_str()
        .ok()
        .filter(|_| given.next().is_none())
        .and_then(token_of)
        .ok_or_else(|| Problem::unauthorized("Invalid token header."))?;
    let hash = token_hash(token);
    match api.catalog.snapshot().tokens.get(&hash) {
        Some(known) if bool::from(known.hash.ct_eq(&hash)) => Ok(Principal {
            owner: known.owner.clone(),
            rights: known.rights,
            token: hash,
        }),
        Some(_) | None => Err(Problem::unauthorized("Invalid token.")),
    }
}

/// The token of `Token x` or `Bearer x`; the scheme in any casing.
fn token_of(header: &str) -> Option<&str> {
    let (scheme, token) = header.trim().split_once(' ')?;
    let token = token.trim();
    let known = scheme.eq_ignore_ascii_case("token") || scheme.eq_ignore_ascii_case("bearer");
    (known && !token.is_empty() && !token.contains(' ')).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::token_of;

    #[test]
    fn both_schemes_in_any_casing_and_nothing_else() {
        for header in ["Token abc", "token abc", "Bearer abc", "BEARER  abc "] {
            assert_eq!(token_of(header), Some("abc"), "{header}");
        }
        for header in ["abc", "Token", "Token ", "Basic abc", "Token a b"] {
            assert_eq!(token_of(header), None, "{header}");
        }
    }
}

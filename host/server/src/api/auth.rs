//! Who is asking: a token's owner, by `Authorization: Token x` or `Bearer x`.
//!
//! Only the SHA-256 of a token is known here. The table is looked up by that hash, whose
//! timing tells nothing about the token, and the found one is compared in constant time.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::header::AUTHORIZATION;
use http::request::Parts;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use whisperer_domain::hook::Hook;
use whisperer_domain::id::Owner;
use whisperer_domain::port::Scope;

use super::Api;
use super::problem::Problem;

#[derive(Clone, Debug)]
pub(super) struct Principal {
    pub(super) owner: Owner,
    pub(super) admin: bool,
}

impl Principal {
    pub(super) fn sees(&self, hook: &Hook) -> bool {
        self.admin || hook.owner == self.owner
    }

    pub(super) fn scope(&self) -> Scope {
        if self.admin {
            Scope::All
        } else {
            Scope::Of(self.owner.clone())
        }
    }

    pub(super) fn must_be_admin(&self) -> Result<(), Problem> {
        if self.admin {
            Ok(())
        } else {
            Err(Problem::forbidden())
        }
    }
}

pub(crate) fn token_hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

impl FromRequestParts<Arc<Api>> for Principal {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        let mut given = parts.headers.get_all(AUTHORIZATION).iter();
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
        let snapshot = api.catalog.snapshot();
        match snapshot.tokens.get(&hash) {
            Some(known) if bool::from(known.hash.ct_eq(&hash)) => Ok(Self {
                owner: known.owner.clone(),
                admin: known.admin,
            }),
            Some(_) | None => Err(Problem::unauthorized("Invalid token.")),
        }
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

//! Somebody must be able to come in: the admin token of the first start, shown once, or the one
//! from outside.

use anyhow::Context as _;
use whisperer_domain::access::Right;
use whisperer_domain::catalog::{CatalogChange, Token};
use whisperer_domain::id::Owner;
use whisperer_domain::port::Catalog as _;
use whisperer_domain::secret::Secret;

use super::parts::Parts;
use crate::api::{fresh_token, token_hash};
use crate::stdout::{say, say_once};

const OWNER: &str = "admin";

pub(super) async fn ensure(parts: &Parts, from_outside: Option<&Secret>) -> anyhow::Result<()> {
    let snapshot = parts.store.snapshot();
    if let Some(token) = from_outside {
        let known = snapshot.tokens.get(&token_hash(&token.expose()));
        if known.is_none_or(|token| !token.is_admin()) {
            put(parts, token).await?;
        }
        return Ok(());
    }
    if snapshot.tokens.values().any(|token| token.is_admin()) {
        return Ok(());
    }
    let token = fresh_token().context("the system gives no random bytes")?;
    put(parts, &token).await?;
    say("");
    say("  First start. This admin token is shown once and kept as a hash only:");
    say_once(&format!("  {}\n", &*token.expose()));
    say("");
    Ok(())
}

async fn put(parts: &Parts, token: &Secret) -> anyhow::Result<()> {
    // A constant that fits the rules.
    let owner = Owner::parse(OWNER).map_err(anyhow::Error::msg)?;
    let token = Token {
        hash: token_hash(&token.expose()),
        owner,
        rights: [Right::Admin].into_iter().collect(),
        created_at: parts.clock.now(),
    };
    parts
        .store
        .change(CatalogChange::PutToken(token))
        .await
        .context("the admin token could not be stored")?;
    Ok(())
}

//! `event_type`: a registered name, a dashed spelling of one, or a pattern.
//!
//! What is under `whisperer.` tells of everybody's hooks and deliveries. Only an admin's token may
//! write a hook that listens to it, be it to change something else, such as where it goes to; and
//! only for an owner who is an admin, for to others nothing of it is sent.

use serde_json::Value;
use whisperer_domain::catalog::CatalogSnapshot;
use whisperer_domain::event_type::{EventPattern, EventType};

use super::draft::Basis;
use crate::api::auth::Principal;
use crate::api::field_errors::{Checked, Fault};
use crate::api::value;
use crate::nearest::nearest;

/// Longer than any valid name; what is longer is no choice either.
const CHARS_MAX: usize = 256;

pub(super) fn read(
    given: Option<&Value>,
    snapshot: &CatalogSnapshot,
    basis: Basis<'_>,
    who: &Principal,
) -> Checked<EventPattern> {
    let wanted = wanted(given, snapshot, basis)?;
    if wanted.is_operational() {
        may_listen(snapshot, basis, who)?;
    }
    Ok(wanted)
}

/// 400, as for any value that this hook cannot have: 403 is for calls that a token cannot make at
/// all.
fn may_listen(snapshot: &CatalogSnapshot, basis: Basis<'_>, who: &Principal) -> Checked<()> {
    if !who.is_admin() {
        return Err(
            "Events under \"whisperer.\" tell of everybody's hooks: to write a hook that \
                    subscribes to them takes a token with the scope admin."
                .into(),
        );
    }
    let owner = basis.owner();
    let mut tokens = snapshot.tokens.values();
    if tokens.any(|token| token.is_admin() && token.owner == *owner) {
        return Ok(());
    }
    Err(format!(
        "Events under \"whisperer.\" are sent to hooks of admins only, and {owner}, who owns this \
         hook, has no token with the scope admin."
    )
    .into())
}

fn wanted(
    given: Option<&Value>,
    snapshot: &CatalogSnapshot,
    basis: Basis<'_>,
) -> Checked<EventPattern> {
    let Some(given) = given else {
        return match basis {
            Basis::New(_) | Basis::Replacing(_) => Err(value::REQUIRED.into()),
            Basis::Patching(old) => Ok(old.subscription.clone()),
        };
    };
    let text = value::text(given, CHARS_MAX)?;
    // What the hook has may be sent back even when its type was removed since.
    if let Some(kept) = basis.old().map(|old| &old.subscription)
        && kept.to_string() == text
    {
        return Ok(kept.clone());
    }
    match EventPattern::parse(text) {
        Ok(pattern @ (EventPattern::All | EventPattern::Under(_))) => Ok(pattern),
        Ok(EventPattern::Exact(name)) => registered(&name, snapshot).map(EventPattern::Exact),
        Err(_) => Err(unknown(text, snapshot)),
    }
}

fn registered(name: &EventType, snapshot: &CatalogSnapshot) -> Checked<EventType> {
    if snapshot.event_types.contains_key(name) {
        return Ok(name.clone());
    }
    snapshot
        .event_types
        .keys()
        .find(|known| known.is_spelled(name.as_str()))
        .cloned()
        .ok_or_else(|| unknown(name.as_str(), snapshot))
}

/// W's sentence stands alone and unchanged; the help comes after it as one of its own.
pub(in crate::api) fn unknown(text: &str, snapshot: &CatalogSnapshot) -> Fault {
    let mut messages = vec![value::not_a_choice(text)];
    let near = nearest(text, snapshot.event_types.keys().map(EventType::as_str));
    if !near.is_empty() {
        messages.push(format!("Nearest: {}.", near.join(", ")));
    }
    Fault::Says(messages)
}

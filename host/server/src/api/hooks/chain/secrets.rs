//! What is secret in a plugin's configuration: never shown, kept where a write leaves the mask in
//! its place, and asked for anew when the target moves to another host, as the plugin may put it
//! into what is sent.

use std::sync::Arc;

use serde_json::{Map, Value};
use whisperer_domain::catalog::CatalogSnapshot;
use whisperer_domain::hook::{ChainLink, PluginChoice};
use whisperer_domain::plugin::{ConfigSchema, Membership, secret_places};
use whisperer_domain::secret::MASK;

use super::nested;
use crate::api::field_errors::{Checked, FieldErrors};

const ASK_ANEW: &str =
    "The target's host changes: give the secrets of the plugins' configurations again.";

/// What a mask may stand for.
#[derive(Clone, Copy)]
pub(in crate::api) enum Old<T> {
    None,
    Kept(T),
    /// It was given for another host.
    Moved(T),
}

impl<T> Old<T> {
    pub(super) fn stored(self) -> Option<T> {
        match self {
            Self::None => None,
            Self::Kept(stored) | Self::Moved(stored) => Some(stored),
        }
    }

    /// # Errors
    /// Why there is nothing for the mask to stand for.
    pub(super) fn behind_mask(self) -> Result<T, String> {
        match self {
            Self::None => Err(nothing_behind()),
            Self::Kept(stored) => Ok(stored),
            Self::Moved(_) => Err(ASK_ANEW.to_owned()),
        }
    }

    pub(super) fn with<U>(self, stored: Option<U>) -> Old<U> {
        match (self, stored) {
            (_, None) | (Self::None, Some(_)) => Old::None,
            (Self::Kept(_), Some(stored)) => Old::Kept(stored),
            (Self::Moved(_), Some(stored)) => Old::Moved(stored),
        }
    }
}

pub(super) fn holds_mask(config: &Value) -> bool {
    match config {
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
        Value::String(text) => text == MASK,
        Value::Array(items) => items.iter().any(holds_mask),
        Value::Object(members) => members.values().any(holds_mask),
    }
}

pub(super) fn unmask(
    config: &mut Value,
    schema: &ConfigSchema,
    old: Old<&ChainLink>,
) -> Checked<()> {
    let stored = old.stored();
    let stored: Option<Value> =
        stored.and_then(|link| serde_json::from_str(link.config.expose()).ok());
    let mut errors = FieldErrors::default();
    for place in schema.secret_places(config) {
        let Some(slot) = config.pointer_mut(&place) else {
            continue;
        };
        if slot.as_str() != Some(MASK) {
            continue;
        }
        let stored = stored.as_ref().and_then(|stored| stored.pointer(&place));
        match old.with(stored).behind_mask() {
            Ok(kept) => *slot = kept.clone(),
            Err(words) => {
                let steps: Vec<&str> = place.split('/').skip(1).collect();
                errors.put(steps[0], nested(&steps[1..], words.into()));
            }
        }
    }
    Ok(errors.or(())?)
}

/// For a write that moves the hook to another host and does not mention its chain.
///
/// # Errors
/// There is a secret in it.
pub(in crate::api::hooks) fn may_move(
    choice: &PluginChoice,
    snapshot: &CatalogSnapshot,
) -> Result<(), String> {
    let PluginChoice::Chain(links) = choice else {
        return Ok(());
    };
    let secretive = links.iter().any(|link| {
        let shown = shown(link, snapshot.plugins.get(&link.name));
        serde_json::from_str(link.config.expose()).ok() != Some(shown)
    });
    if secretive {
        Err(ASK_ANEW.to_owned())
    } else {
        Ok(())
    }
}

fn nothing_behind() -> String {
    format!("{MASK} stands for a stored value, and there is none: give the value itself.")
}

/// Without what is secret in it. Nobody knows what that is until a file of the plugin has loaded
/// once, so then nothing is shown.
pub(super) fn shown(link: &ChainLink, member: Option<&Arc<Membership>>) -> Value {
    let config = serde_json::from_str(link.config.expose());
    let mut config = config.unwrap_or_else(|_| Value::Object(Map::new()));
    let empty = config.as_object().is_some_and(Map::is_empty);
    let known = member.filter(|member| member.digest.is_some());
    match known {
        None if !empty => return Value::from(MASK),
        None => {}
        Some(member) => {
            let schema = member.config_schema.as_deref().unwrap_or_default();
            for place in secret_places(schema, &config) {
                if let Some(slot) = config.pointer_mut(&place) {
                    *slot = Value::from(MASK);
                }
            }
        }
    }
    config
}

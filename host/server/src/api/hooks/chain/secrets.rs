//! What is secret in a plugin's configuration: never shown, kept where a write leaves the mask in
//! its place, and asked for anew when the target moves to another host, as the plugin may put it
//! into what is sent.
//!
//! A secret is what the plugin's schema marks now, and what it marked when the value was written:
//! a later schema that forgets the mark must not show what was entered in confidence.

use std::sync::Arc;

use serde_json::{Map, Value};
use whisperer_domain::catalog::CatalogSnapshot;
use whisperer_domain::hook::{ChainLink, PluginChoice};
use whisperer_domain::json_schema::{JsonSchema, secret_places};
use whisperer_domain::plugin::Membership;
use whisperer_domain::secret::MASK;

use crate::api::field_errors::{Checked, FieldErrors};

/// Of a link's places that are secret; they are kept with the hook, beside its configuration.
const HIDDEN_BYTES_MAX: usize = 64 << 10;
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

/// Puts the stored values where the mask stands for them. Gives the places that are secret from
/// now on: those that the schema marks, and those that were secret and still come as the mask.
pub(super) fn unmask(
    config: &mut Value,
    schema: Option<&JsonSchema>,
    old: Old<&ChainLink>,
) -> Checked<Vec<String>> {
    let mut hidden = schema.map_or_else(Vec::new, |schema| schema.secret_places(config));
    let marked = hidden.len();
    let link = old.stored();
    let before = link.map_or(&[][..], |link| &link.hidden);
    let forgotten = before.iter().filter(|place| !hidden.contains(place));
    hidden = hidden.iter().chain(forgotten).cloned().collect();
    let stored: Option<Value> =
        link.and_then(|link| serde_json::from_str(&link.config.expose()).ok());
    let mut errors = FieldErrors::default();
    let mut kept = Vec::with_capacity(hidden.len());
    for (number, place) in hidden.into_iter().enumerate() {
        let slot = config.pointer_mut(&place);
        let masked = slot.filter(|slot| slot.as_str() == Some(MASK));
        let Some(slot) = masked else {
            // In the clear, or left out: a secret only if it is marked as one.
            if number < marked {
                kept.push(place);
            }
            continue;
        };
        let stored = stored.as_ref().and_then(|stored| stored.pointer(&place));
        match old.with(stored).behind_mask() {
            Ok(value) => {
                *slot = value.clone();
                kept.push(place);
            }
            Err(words) => {
                let steps: Vec<&str> = place.split('/').skip(1).collect();
                errors.add_at(&steps, words);
            }
        }
    }
    Ok(errors.or(bounded(kept))?)
}

/// One name may stand in very many places. Beyond the bound all of the configuration is secret.
fn bounded(places: Vec<String>) -> Vec<String> {
    if places.iter().map(String::len).sum::<usize>() > HIDDEN_BYTES_MAX {
        vec![String::new()]
    } else {
        places
    }
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
        serde_json::from_str(&link.config.expose()).ok() != Some(shown)
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
    let config = serde_json::from_str(&link.config.expose());
    let mut config = config.unwrap_or_else(|_| Value::Object(Map::new()));
    let empty = config.as_object().is_some_and(Map::is_empty);
    let known = member.filter(|member| member.digest.is_some());
    match known {
        None if !empty => return Value::from(MASK),
        None => {}
        Some(member) => {
            let schema = member.config_schema.as_deref().unwrap_or_default();
            let marked = secret_places(schema, &config);
            for place in marked.iter().chain(&link.hidden) {
                if let Some(slot) = config.pointer_mut(place) {
                    *slot = Value::from(MASK);
                }
            }
        }
    }
    config
}

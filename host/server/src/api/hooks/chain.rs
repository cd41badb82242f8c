//! `plugins`: null for whatever matches, or exactly the named ones, in that order.
//!
//! A configuration is checked against its plugin's schema when it is written. What the schema
//! marks as secret is never shown again, and kept where a write leaves the mask in its place.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use whisperer_domain::catalog::CatalogSnapshot;
use whisperer_domain::hook::{ChainLink, PluginChoice};
use whisperer_domain::plugin::{ConfigSchema, Membership, Misfit, PluginName, secret_places};
use whisperer_domain::secret::{MASK, Secret};

use crate::api::field_errors::{Checked, Fault, FieldErrors};
use crate::api::value;
use crate::nearest::did_you_mean;

/// Each link is a sandbox run of up to 100 ms on every event.
const LINKS_MAX: usize = 16;
const NAME_CHARS_MAX: usize = 63;
const MEMBERS: [&str; 2] = ["name", "config"];

/// `old` is the chain that a mask in `given` refers to.
pub(in crate::api) fn read(
    given: &Value,
    snapshot: &CatalogSnapshot,
    old: Option<&PluginChoice>,
) -> Checked<PluginChoice> {
    let Value::Array(items) = given else {
        return Err(value::expected_list(given).into());
    };
    if items.len() > LINKS_MAX {
        return Err(format!("Ensure this field has no more than {LINKS_MAX} elements.").into());
    }
    let mut stored: Vec<&ChainLink> = match old {
        Some(PluginChoice::Chain(links)) => links.iter().collect(),
        Some(PluginChoice::ByPattern) | None => Vec::new(),
    };
    let mut errors = FieldErrors::default();
    let mut links = Vec::new();
    for (place, item) in items.iter().enumerate() {
        links.extend(errors.note(&place.to_string(), link(item, snapshot, &mut stored)));
    }
    Ok(errors.or(PluginChoice::Chain(links))?)
}

fn link(
    given: &Value,
    snapshot: &CatalogSnapshot,
    stored: &mut Vec<&ChainLink>,
) -> Checked<ChainLink> {
    let Value::Object(members) = given else {
        let words = value::expected_object(given);
        return Err(FieldErrors::of("non_field_errors", words).into());
    };
    let mut errors = FieldErrors::default();
    for name in members
        .keys()
        .filter(|name| !MEMBERS.contains(&name.as_str()))
    {
        let near = did_you_mean(name, MEMBERS.into_iter());
        errors.add(name, format!("Unknown field.{near}"));
    }
    let name = match members.get("name") {
        None => Err(value::REQUIRED.into()),
        Some(given) => member_name(given, snapshot),
    };
    let Some(name) = errors.note("name", name) else {
        return Err(errors.into());
    };
    // The same plugin may stand in a chain twice: each takes the next one of its name.
    let old = stored.iter().position(|link| link.name == name);
    let old = old.map(|place| stored.remove(place));
    let config = config(members.get("config"), snapshot.plugins.get(&name), old);
    match errors.note("config", config) {
        Some(config) => Ok(errors.or(ChainLink { name, config })?),
        None => Err(errors.into()),
    }
}

/// A plugin of the folder, whether or not it can run just now.
fn member_name(given: &Value, snapshot: &CatalogSnapshot) -> Checked<PluginName> {
    let text = value::text(given, NAME_CHARS_MAX)?;
    let name = PluginName::parse(text)?;
    if snapshot.plugins.contains_key(&name) {
        return Ok(name);
    }
    let near = did_you_mean(text, snapshot.plugins.keys().map(PluginName::as_str));
    Err(format!("No plugin of this name is in the folder.{near}").into())
}

/// What the operator's default would fill in is not checked here: it may change at any time.
pub(in crate::api) fn config(
    given: Option<&Value>,
    member: Option<&Arc<Membership>>,
    old: Option<&ChainLink>,
) -> Checked<Secret> {
    let mut config = match given {
        None | Some(Value::Null) => return Ok(Secret::new("{}".to_owned())),
        Some(Value::String(text)) if text == MASK => {
            let kept = old.map(|link| link.config.clone());
            return kept.ok_or_else(|| nothing_behind().into());
        }
        Some(config @ Value::Object(_)) => config.clone(),
        Some(other) => return Err(value::expected_object(other).into()),
    };
    let schema = member.and_then(|member| schema(member));
    if let Some(schema) = &schema {
        unmask(&mut config, schema, old)?;
        let empty = config.as_object().is_some_and(Map::is_empty);
        if !empty {
            schema.check(&config).map_err(|misfits| told(&misfits))?;
        }
    }
    Ok(Secret::new(config.to_string()))
}

/// None as well if a stored one does not parse, which only an older server can have left.
fn schema(member: &Membership) -> Option<ConfigSchema> {
    ConfigSchema::parse(member.config_schema.as_deref()?).ok()
}

fn unmask(config: &mut Value, schema: &ConfigSchema, old: Option<&ChainLink>) -> Checked<()> {
    let stored: Option<Value> =
        old.and_then(|link| serde_json::from_str(link.config.expose()).ok());
    let mut errors = FieldErrors::default();
    for place in schema.secret_places(config) {
        let Some(slot) = config.pointer_mut(&place) else {
            continue;
        };
        if slot.as_str() != Some(MASK) {
            continue;
        }
        match stored.as_ref().and_then(|stored| stored.pointer(&place)) {
            Some(kept) => *slot = kept.clone(),
            None => {
                let steps: Vec<&str> = place.split('/').skip(1).collect();
                errors.put(steps[0], nested(&steps[1..], nothing_behind().into()));
            }
        }
    }
    Ok(errors.or(())?)
}

fn nothing_behind() -> String {
    format!("{MASK} stands for a stored value, and there is none: give the value itself.")
}

/// Nested as the configuration is nested.
fn told(misfits: &[Misfit]) -> Fault {
    let mut errors = FieldErrors::default();
    for misfit in misfits {
        let steps: Vec<&str> = misfit.path.iter().map(String::as_str).collect();
        let fault = Fault::from(sentence(&misfit.message));
        match steps.split_first() {
            None => errors.put("non_field_errors", fault),
            Some((first, rest)) => errors.put(first, nested(rest, fault)),
        }
    }
    errors.into()
}

fn nested(steps: &[&str], fault: Fault) -> Fault {
    steps.iter().rev().fold(fault, |inner, step| {
        let mut errors = FieldErrors::default();
        errors.put(step, inner);
        errors.into()
    })
}

fn sentence(message: &str) -> String {
    format!("{}.", message.trim_end_matches('.'))
}

pub(super) fn show(choice: &PluginChoice, snapshot: &CatalogSnapshot) -> Value {
    match choice {
        PluginChoice::ByPattern => Value::Null,
        PluginChoice::Chain(links) => links.iter().map(|link| show_link(link, snapshot)).collect(),
    }
}

fn show_link(link: &ChainLink, snapshot: &CatalogSnapshot) -> Value {
    json!({"name": link.name.as_str(), "config": shown(link, snapshot.plugins.get(&link.name))})
}

/// Without what is secret in it. Nobody knows what that is until a file of the plugin has loaded
/// once, so then nothing is shown.
fn shown(link: &ChainLink, member: Option<&Arc<Membership>>) -> Value {
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

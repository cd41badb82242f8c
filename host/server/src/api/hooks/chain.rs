//! `plugins`: null for whatever matches, or exactly the named ones, in that order.

use serde_json::{Map, Value, json};
use whisperer_domain::catalog::CatalogSnapshot;
use whisperer_domain::hook::{ChainLink, PluginChoice};
use whisperer_domain::plugin::PluginName;
use whisperer_domain::secret::Secret;

use crate::api::field_errors::{Checked, FieldErrors};
use crate::api::value;
use crate::nearest::did_you_mean;

/// Each link is a sandbox run of up to 100 ms on every event.
const LINKS_MAX: usize = 16;
const NAME_CHARS_MAX: usize = 63;
const MEMBERS: [&str; 2] = ["name", "config"];

pub(super) fn read(given: &Value, snapshot: &CatalogSnapshot) -> Checked<PluginChoice> {
    let Value::Array(items) = given else {
        return Err(value::expected_list(given).into());
    };
    if items.len() > LINKS_MAX {
        return Err(format!("Ensure this field has no more than {LINKS_MAX} elements.").into());
    }
    let mut errors = FieldErrors::default();
    let mut links = Vec::new();
    for (place, item) in items.iter().enumerate() {
        links.extend(errors.note(&place.to_string(), link(item, snapshot)));
    }
    Ok(errors.or(PluginChoice::Chain(links))?)
}

fn link(given: &Value, snapshot: &CatalogSnapshot) -> Checked<ChainLink> {
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
    let name = errors.note("name", name);
    let config = match members.get("config") {
        None | Some(Value::Null) => Ok("{}".to_owned()),
        Some(config @ Value::Object(_)) => Ok(config.to_string()),
        Some(other) => Err(value::expected_object(other).into()),
    };
    let config = errors.note("config", config);
    match name.zip(config) {
        Some((name, config)) => Ok(errors.or(ChainLink {
            name,
            config: Secret::new(config),
        })?),
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

pub(super) fn show(choice: &PluginChoice) -> Value {
    match choice {
        PluginChoice::ByPattern => Value::Null,
        PluginChoice::Chain(links) => links.iter().map(show_link).collect(),
    }
}

fn show_link(link: &ChainLink) -> Value {
    let config = serde_json::from_str(link.config.expose());
    let config = config.unwrap_or_else(|_| Value::Object(Map::new()));
    json!({"name": link.name.as_str(), "config": config})
}

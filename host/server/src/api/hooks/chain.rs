//! `plugins`: null for whatever matches, or exactly the named ones, in that order.
//!
//! A configuration is checked against its plugin's schema when it is written; what that marks as
//! secret is seen to by [`secrets`].

mod secrets;

use std::sync::Arc;

use serde_json::{Map, Value, json};
use whisperer_domain::catalog::CatalogSnapshot;
use whisperer_domain::hook::{ChainLink, PluginChoice};
use whisperer_domain::json_schema::{JsonSchema, Misfit};
use whisperer_domain::plugin::{Membership, PluginName};
use whisperer_domain::secret::{MASK, Secret};

use crate::api::field_errors::{Checked, Fault, FieldErrors};
use crate::api::value;
use crate::nearest::did_you_mean;

pub(in crate::api) use secrets::Old;
pub(super) use secrets::may_move;
use secrets::{holds_mask, shown, unmask};

/// Each link is a sandbox run of up to 100 ms on every event.
const LINKS_MAX: usize = 16;
const NAME_CHARS_MAX: usize = 63;
const MEMBERS: [&str; 2] = ["name", "config"];

/// `old` is the chain that a mask in `given` refers to.
pub(in crate::api) fn read(
    given: &Value,
    snapshot: &CatalogSnapshot,
    old: Old<&PluginChoice>,
) -> Checked<PluginChoice> {
    let Value::Array(items) = given else {
        return Err(value::expected_list(given).into());
    };
    if items.len() > LINKS_MAX {
        return Err(format!("Ensure this field has no more than {LINKS_MAX} elements.").into());
    }
    let mut stored: Vec<&ChainLink> = match old.stored() {
        Some(PluginChoice::Chain(links)) => links.iter().collect(),
        Some(PluginChoice::ByPattern) | None => Vec::new(),
    };
    let mut errors = FieldErrors::default();
    let mut links = Vec::new();
    for (place, item) in items.iter().enumerate() {
        let link = link(item, snapshot, old, &mut stored);
        links.extend(errors.note(&place.to_string(), link));
    }
    Ok(errors.or(PluginChoice::Chain(links))?)
}

fn link(
    given: &Value,
    snapshot: &CatalogSnapshot,
    old: Old<&PluginChoice>,
    stored: &mut Vec<&ChainLink>,
) -> Checked<ChainLink> {
    let Value::Object(members) = given else {
        let words = value::expected_object(given);
        return Err(FieldErrors::of("non_field_errors", words).into());
    };
    let mut errors = FieldErrors::default();
    errors.note_unknown(members, &MEMBERS);
    let name = match members.get("name") {
        None => Err(value::REQUIRED.into()),
        Some(given) => member_name(given, snapshot, stored),
    };
    let Some(name) = errors.note("name", name) else {
        return Err(errors.into());
    };
    // The same plugin may stand in a chain twice: each takes the next one of its name.
    let same = stored.iter().position(|link| link.name == name);
    let old = old.with(same.map(|place| stored.remove(place)));
    let member = snapshot.plugins.get(&name);
    let link = configured(name, members.get("config"), member, old);
    match errors.note("config", link) {
        Some(link) => Ok(errors.or(link)?),
        None => Err(errors.into()),
    }
}

/// A plugin of the folder, whether or not it can run just now; or one that the chain names
/// already, so that a hook can be read and written back while its plugin's file is gone.
fn member_name(
    given: &Value,
    snapshot: &CatalogSnapshot,
    stored: &[&ChainLink],
) -> Checked<PluginName> {
    let text = value::text(given, NAME_CHARS_MAX)?;
    let name = PluginName::parse(text)?;
    if snapshot.plugins.contains_key(&name) || stored.iter().any(|link| link.name == name) {
        return Ok(name);
    }
    let near = did_you_mean(text, snapshot.plugins.keys().map(PluginName::as_str));
    Err(format!("No plugin of this name is in the folder.{near}").into())
}

/// What the operator's default would fill in is not checked here: it may change at any time.
/// `old` is of the same name.
pub(in crate::api) fn configured(
    name: PluginName,
    given: Option<&Value>,
    member: Option<&Arc<Membership>>,
    old: Old<&ChainLink>,
) -> Checked<ChainLink> {
    let mut config = match given {
        None | Some(Value::Null) => {
            return Ok(ChainLink::new(name, Secret::new("{}".to_owned())));
        }
        Some(Value::String(text)) if text == MASK => return Ok(old.behind_mask()?.clone()),
        Some(config @ Value::Object(_)) => config.clone(),
        Some(other) => return Err(value::expected_object(other).into()),
    };
    let member = member.filter(|member| member.digest.is_some());
    if member.is_none() && holds_mask(&config) {
        let words = format!(
            "Until the plugin has loaded, nobody knows for what {MASK} stands in it: give the \
             values themselves, or {MASK} in place of the whole."
        );
        return Err(words.into());
    }
    let schema = member.and_then(|member| schema(member));
    let hidden = unmask(&mut config, schema.as_ref(), old)?;
    if let Some(schema) = &schema {
        let empty = config.as_object().is_some_and(Map::is_empty);
        if !empty {
            schema.check(&config).map_err(|misfits| told(&misfits))?;
        }
    }
    Ok(ChainLink {
        name,
        config: Secret::new(config.to_string()),
        hidden,
    })
}

/// None as well if a stored one does not parse, which only an older server can have left.
fn schema(member: &Membership) -> Option<JsonSchema> {
    JsonSchema::parse(member.config_schema.as_deref()?).ok()
}

/// Nested as the document is nested.
pub(in crate::api) fn told(misfits: &[Misfit]) -> Fault {
    let mut errors = FieldErrors::default();
    for misfit in misfits {
        errors.add_at(&misfit.path, sentence(&misfit.message));
    }
    errors.into()
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

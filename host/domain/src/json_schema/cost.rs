//! How much work a schema can make, found out before it is ever applied.
//!
//! A validator walks the document and the schema together. The work at one place of the document
//! is the number of subschemas that meet there, counted as often as they are
//! reached. Here the schema is walked alone, as if every name and every element were there: a
//! state is the subschemas that meet at a place, with their counts, and each name leads to the
//! next state. A plain recursion comes back to states it has seen; one that doubles with each
//! level grows beyond any bound, and is refused.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

const DEPTH_MAX: usize = 32;
/// States that are looked at: more is no schema for people.
const STATES_MAX: usize = 2_000;

/// Keywords whose subschema applies where the schema itself does.
pub(super) const HERE: [&str; 4] = ["not", "if", "then", "else"];
pub(super) const HERE_LISTS: [&str; 3] = ["allOf", "anyOf", "oneOf"];
/// For members whatever their name, and for elements.
const ANY_MEMBER: [&str; 3] = [
    "additionalProperties",
    "propertyNames",
    "unevaluatedProperties",
];
const ANY_ELEMENT: [&str; 3] = ["items", "contains", "unevaluatedItems"];
/// They look for their schema at the time of the check, or elsewhere.
const REFUSED: [&str; 4] = [
    "$dynamicRef",
    "$dynamicAnchor",
    "$recursiveRef",
    "$vocabulary",
];

/// Subschemas by their address, which stands for their identity while the document is borrowed.
type State<'s> = BTreeMap<usize, (&'s Map<String, Value>, u64)>;

/// # Errors
/// What in it is refused.
pub(super) fn check(schema: &Value, meet_max: u64) -> Result<(), String> {
    depth(schema, 0)?;
    let mut waiting = vec![state(schema, meet_max, [(schema, 1)])?];
    let mut seen: BTreeSet<Vec<(usize, u64)>> = BTreeSet::new();
    while let Some(here) = waiting.pop() {
        let name: Vec<_> = here.iter().map(|(id, (_, count))| (*id, *count)).collect();
        if !seen.insert(name) {
            continue;
        }
        if seen.len() > STATES_MAX {
            return Err("it describes too many different places".to_owned());
        }
        waiting.extend(next(schema, meet_max, &here)?);
    }
    Ok(())
}

fn depth(value: &Value, above: usize) -> Result<(), String> {
    if above > DEPTH_MAX {
        return Err(format!("it nests deeper than {DEPTH_MAX}"));
    }
    match value {
        Value::Object(members) => members.values().try_for_each(|it| depth(it, above + 1)),
        Value::Array(elements) => elements.iter().try_for_each(|it| depth(it, above + 1)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

/// All that meets where these schemas apply.
fn state<'s>(
    root: &'s Value,
    meet_max: u64,
    schemas: impl IntoIterator<Item = (&'s Value, u64)>,
) -> Result<State<'s>, String> {
    let mut state = State::new();
    let mut room = meet_max;
    for (schema, count) in schemas {
        gather(root, schema, count, &mut Vec::new(), &mut state, &mut room)?;
    }
    Ok(state)
}

fn gather<'s>(
    root: &'s Value,
    schema: &'s Value,
    count: u64,
    within: &mut Vec<usize>,
    state: &mut State<'s>,
    room: &mut u64,
) -> Result<(), String> {
    // `true` and `false` cost nothing.
    let Value::Object(members) = schema else {
        return Ok(());
    };
    let id = std::ptr::from_ref(members) as usize;
    if within.contains(&id) {
        return Err("it refers to itself without going deeper".to_owned());
    }
    *room = room
        .checked_sub(count)
        .ok_or("it looks at the same place over and over")?;
    state.entry(id).or_insert((members, 0)).1 += count;
    within.push(id);
    for inner in here(root, members)? {
        gather(root, inner, count, within, state, room)?;
    }
    within.pop();
    Ok(())
}

/// The subschemas that apply at the same place.
pub(super) fn here<'s>(
    root: &'s Value,
    members: &'s Map<String, Value>,
) -> Result<Vec<&'s Value>, String> {
    if let Some(word) = REFUSED.iter().find(|word| members.contains_key(**word)) {
        return Err(format!("it uses {word}, which is not applied here"));
    }
    let mut inner: Vec<&Value> = HERE.iter().filter_map(|word| members.get(*word)).collect();
    for word in HERE_LISTS {
        inner.extend(
            members
                .get(word)
                .and_then(Value::as_array)
                .into_iter()
                .flatten(),
        );
    }
    if let Some(Value::Object(dependent)) = members.get("dependentSchemas") {
        inner.extend(dependent.values());
    }
    if let Some(reference) = members.get("$ref") {
        inner.push(referred(root, reference)?);
    }
    Ok(inner)
}

fn referred<'s>(root: &'s Value, reference: &Value) -> Result<&'s Value, String> {
    let text = reference.as_str().unwrap_or_default();
    let place = match text.strip_prefix('#') {
        Some(pointer) if pointer.is_empty() || pointer.starts_with('/') => root.pointer(pointer),
        Some(_) | None => None,
    };
    place.ok_or_else(|| {
        format!(
            "$ref {reference}: only places of the schema itself can be referred to, as #/$defs/name"
        )
    })
}

/// Where a document can lead from here: each name that a schema knows, any other name, and
/// elements.
fn next<'s>(root: &'s Value, meet_max: u64, here: &State<'s>) -> Result<Vec<State<'s>>, String> {
    let mut named: BTreeMap<&str, Vec<(&Value, u64)>> = BTreeMap::new();
    let mut any_member = Vec::new();
    let mut any_element = Vec::new();
    for (members, count) in here.values() {
        let each = |word: &&str| members.get(*word).map(|schema| (schema, *count));
        any_member.extend(ANY_MEMBER.iter().filter_map(each));
        any_element.extend(ANY_ELEMENT.iter().filter_map(each));
        if let Some(Value::Object(patterns)) = members.get("patternProperties") {
            any_member.extend(patterns.values().map(|schema| (schema, *count)));
        }
        if let Some(Value::Array(prefix)) = members.get("prefixItems") {
            any_element.extend(prefix.iter().map(|schema| (schema, *count)));
        }
        if let Some(Value::Object(properties)) = members.get("properties") {
            for (name, schema) in properties {
                named.entry(name).or_default().push((schema, *count));
            }
        }
    }
    let mut states = Vec::with_capacity(named.len() + 2);
    for schemas in named.into_values() {
        states.push(state(
            root,
            meet_max,
            schemas.into_iter().chain(any_member.clone()),
        )?);
    }
    states.push(state(root, meet_max, any_member)?);
    states.push(state(root, meet_max, any_element)?);
    Ok(states)
}

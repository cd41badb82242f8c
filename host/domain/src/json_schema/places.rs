//! Where a configuration holds what its schema marks `writeOnly`.

use serde_json::{Map, Value};

use super::cost::here;

/// JSON pointers (RFC 6901). A mark in any branch counts, whether or not the branch fits: rather
/// mask too much.
pub(super) fn secret(schema: &Value, config: &Value) -> Vec<String> {
    let mut found = Vec::new();
    walk(schema, vec![schema], config, String::new(), &mut found);
    found
}

/// As deep as the configuration, which has a bound of its own.
fn walk<'s>(
    root: &'s Value,
    schemas: Vec<&'s Value>,
    config: &Value,
    place: String,
    found: &mut Vec<String>,
) {
    let applying = all_here(root, schemas);
    let marked = |schema: &&Map<String, Value>| schema.get("writeOnly") == Some(&Value::Bool(true));
    if applying.iter().any(marked) {
        found.push(place);
        return;
    }
    match config {
        Value::Object(members) => {
            for (name, value) in members {
                let step = name.replace('~', "~0").replace('/', "~1");
                let inner = of_member(&applying, name);
                walk(root, inner, value, format!("{place}/{step}"), found);
            }
        }
        Value::Array(elements) => {
            for (position, value) in elements.iter().enumerate() {
                let inner = of_element(&applying, position);
                walk(root, inner, value, format!("{place}/{position}"), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The schemas and all that apply with them. That this ends was checked when it was parsed.
fn all_here<'s>(root: &'s Value, schemas: Vec<&'s Value>) -> Vec<&'s Map<String, Value>> {
    let mut waiting = schemas;
    let mut all = Vec::new();
    while let Some(schema) = waiting.pop() {
        if let Value::Object(members) = schema {
            all.push(members);
            waiting.extend(here(root, members).unwrap_or_default());
        }
    }
    all
}

fn of_member<'s>(applying: &[&'s Map<String, Value>], name: &str) -> Vec<&'s Value> {
    let mut inner = Vec::new();
    for schema in applying {
        inner.extend(schema.get("properties").and_then(|all| all.get(name)));
        inner.extend(schema.get("additionalProperties"));
        inner.extend(schema.get("unevaluatedProperties"));
        if let Some(Value::Object(patterns)) = schema.get("patternProperties") {
            inner.extend(patterns.values());
        }
    }
    inner
}

fn of_element<'s>(applying: &[&'s Map<String, Value>], position: usize) -> Vec<&'s Value> {
    let mut inner = Vec::new();
    for schema in applying {
        inner.extend(schema.get("items"));
        inner.extend(schema.get("contains"));
        inner.extend(schema.get("unevaluatedItems"));
        inner.extend(schema.get("prefixItems").and_then(|all| all.get(position)));
    }
    inner
}

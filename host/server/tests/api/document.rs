//! The OpenAPI document as the judge of every answer that a test gets: its status must be named
//! there, and its body must be what is described, without a member more.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, OnceLock};

use http::Method;
use jsonschema::Validator;
use serde_json::{Value, json};

use crate::app::Answer;

pub(crate) struct Document {
    root: Value,
    /// By where the schema stands; made when first needed.
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

impl Document {
    /// The same for all tests of a run.
    pub(crate) fn of(text: &str) -> Arc<Self> {
        static DOCUMENT: OnceLock<Arc<Document>> = OnceLock::new();
        let made = DOCUMENT.get_or_init(|| {
            let root = serde_json::from_str(text).expect("the document is JSON");
            let validators = Mutex::default();
            Arc::new(Self { root, validators })
        });
        Arc::clone(made)
    }

    /// The path as the document spells it, with its operations.
    fn path(&self, asked: &str) -> Option<(&String, &Value)> {
        let asked: Vec<&str> = asked.trim_end_matches('/').split('/').collect();
        let fits = |template: &str| {
            let parts: Vec<&str> = template.trim_end_matches('/').split('/').collect();
            parts.len() == asked.len()
                && parts
                    .iter()
                    .zip(&asked)
                    .all(|(part, asked)| part.starts_with('{') || part == asked)
        };
        let paths = self.root["paths"].as_object().expect("there are paths");
        // A fixed name goes before a parameter, as in the router.
        let mut found: Vec<_> = paths.iter().filter(|(path, _)| fits(path)).collect();
        found.sort_by_key(|(path, _)| path.matches('{').count());
        found.first().copied()
    }

    pub(crate) fn check(&self, method: &Method, asked: &str, answer: &Answer) {
        let Some((path, operations)) = self.path(asked) else {
            return;
        };
        let Some(operation) = operations.get(method.as_str().to_lowercase()) else {
            return;
        };
        let status = answer.status.as_str();
        let place = format!("{method} {path} {status}");
        // What a request meets before any handler: a path that is no text.
        if answer.text.contains("its path is malformed") {
            return;
        }
        let Some(response) = operation["responses"].get(status) else {
            panic!("{place} is not documented: {}", answer.text);
        };
        let Some(content) = response.get("content") else {
            assert_eq!(answer.text, "", "{place} has a body");
            return;
        };
        let kind = answer.header("content-type").split(';').next().unwrap();
        let Some(described) = content.get(kind) else {
            panic!("{place} is not documented as {kind}: {content}");
        };
        if !kind.ends_with("json") {
            return;
        }
        let body = answer.json();
        let validator = self.validator(&place, &described["schema"], kind);
        let faults: Vec<String> = validator
            .iter_errors(&body)
            .map(|fault| format!("{}: {fault}", fault.instance_path()))
            .collect();
        assert!(faults.is_empty(), "{place}: {faults:#?}\n{}", answer.text);
    }

    fn validator(&self, place: &str, schema: &Value, kind: &str) -> Arc<Validator> {
        let mut known = self.validators.lock().expect("no test panics in here");
        let made = known.entry(place.to_owned()).or_insert_with(|| {
            let mut components = self.root["components"].clone();
            let mut schema = schema.clone();
            // Field errors stand at the top of a problem under any name.
            if kind != "application/problem+json" {
                let mut open = BTreeSet::new();
                parts(&components, &mut open);
                close(&mut components, &open);
                close(&mut schema, &open);
            }
            let whole = json!({"components": components, "allOf": [schema]});
            Arc::new(jsonschema::validator_for(&whole).expect("the document has schemas"))
        });
        Arc::clone(made)
    }
}

/// An object that names its members has no others. Where one is put together of several, only the
/// whole is closed: each part would refuse the others' members.
fn close(schema: &mut Value, parts: &BTreeSet<String>) {
    match schema {
        Value::Object(members) => {
            let named = members.contains_key("properties") || members.contains_key("allOf");
            if named && !members.contains_key("additionalProperties") {
                members.insert("unevaluatedProperties".to_owned(), false.into());
            }
            for (name, inner) in members.iter_mut() {
                if name == "allOf" {
                    let properties = inner.as_array_mut().into_iter().flatten();
                    let properties = properties.filter_map(|part| part.get_mut("properties"));
                    properties.for_each(|inner| close(inner, parts));
                } else if !parts.contains(name) {
                    close(inner, parts);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| close(item, parts)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The schemas that others are put together of.
fn parts(schema: &Value, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(members) => {
            for part in members
                .get("allOf")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                let name = part["$ref"]
                    .as_str()
                    .and_then(|place| place.rsplit('/').next());
                found.extend(name.map(str::to_owned));
            }
            members.values().for_each(|inner| parts(inner, found));
        }
        Value::Array(items) => items.iter().for_each(|item| parts(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

//! `additional_headers`: what the owner wants said with each request, where it is not ours to say.

use serde_json::{Map, Value};
use whisperer_domain::header;
use whisperer_domain::secret::{MASK, Secret};

use crate::api::field_errors::{Checked, FieldErrors};
use crate::api::value;

pub(super) fn read(given: &Value) -> Checked<Vec<(String, Secret)>> {
    let Value::Object(members) = given else {
        return Err(value::expected_object(given).into());
    };
    let mut errors = FieldErrors::default();
    let mut headers = Vec::new();
    for (name, given) in members {
        let Value::String(text) = given else {
            errors.add(name, "Not a valid string.");
            continue;
        };
        match header::check(name, text) {
            Ok(()) => headers.push((name.as_str(), text.as_str())),
            Err(words) => errors.add(name, words),
        }
    }
    errors.or(())?;
    header::check_all(&headers)?;
    Ok(headers
        .into_iter()
        .map(|(name, text)| (name.to_owned(), Secret::new(text.to_owned())))
        .collect())
}

/// Their names alone tell what was changed.
pub(super) fn masked(headers: Option<&[(String, Secret)]>) -> Value {
    let Some(headers) = headers else {
        return Value::Null;
    };
    let members = headers.iter().map(|(name, _)| (name.clone(), MASK.into()));
    Value::Object(members.collect())
}

/// Shown as they are: their owner wrote them, and clients of the OMS send back what they read.
pub(super) fn show(headers: Option<&[(String, Secret)]>) -> Value {
    let Some(headers) = headers else {
        return Value::Null;
    };
    let members: Map<String, Value> = headers
        .iter()
        .map(|(name, secret)| (name.clone(), Value::from(&*secret.expose())))
        .collect();
    Value::Object(members)
}

//! The JSON Schema that an event type's payloads must meet.
//!
//! It is compiled when it is first needed, and then kept for as long as any snapshot of the
//! catalog has it: a start does not wait for types that are never posted.

use std::fmt;
use std::sync::{Arc, OnceLock};

use serde_json::Value;

use crate::json_schema::{JsonSchema, Misfit};

/// Subschemas that may meet at one place of a payload. Fewer than for a configuration, since a
/// payload can be a hundred times as large.
const MEET_MAX: u64 = 500;

pub struct PayloadSchema {
    text: Arc<str>,
    compiled: OnceLock<Result<JsonSchema, String>>,
}

/// Why a payload is not let through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PayloadFault {
    Misfits(Vec<Misfit>),
    NotJson,
    /// The schema itself is none that this host applies: only one that a newer host left.
    Unusable(String),
}

impl PayloadSchema {
    /// # Errors
    /// Why it is no schema that this host applies.
    pub fn parse(text: &str) -> Result<Self, String> {
        let compiled = JsonSchema::parse_within(text, MEET_MAX)?;
        Ok(Self {
            text: text.into(),
            compiled: OnceLock::from(Ok(compiled)),
        })
    }

    /// One that was parsed before it was stored.
    #[must_use]
    pub fn stored(text: &str) -> Self {
        Self {
            text: text.into(),
            compiled: OnceLock::new(),
        }
    }

    #[must_use]
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// # Errors
    /// What does not fit.
    pub fn check(&self, payload: &[u8]) -> Result<(), PayloadFault> {
        let parse = || JsonSchema::parse_within(&self.text, MEET_MAX);
        let schema = match self.compiled.get_or_init(parse) {
            Ok(schema) => schema,
            Err(why) => return Err(PayloadFault::Unusable(why.clone())),
        };
        let payload: Value = serde_json::from_slice(payload).map_err(|_| PayloadFault::NotJson)?;
        schema.check(&payload).map_err(PayloadFault::Misfits)
    }
}

impl fmt::Debug for PayloadSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for PayloadSchema {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for PayloadSchema {}

#[cfg(test)]
mod tests {
    use super::{PayloadFault, PayloadSchema};

    const SCHEMA: &str =
        r#"{"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}}"#;

    #[test]
    fn a_stored_schema_is_the_same_as_a_parsed_one() {
        for schema in [
            PayloadSchema::parse(SCHEMA).unwrap(),
            PayloadSchema::stored(SCHEMA),
        ] {
            assert_eq!(schema.check(b"{\"id\": 7}"), Ok(()));
            let Err(PayloadFault::Misfits(misfits)) = schema.check(b"{\"id\": \"7\"}") else {
                panic!("a string is no integer");
            };
            assert_eq!(misfits[0].path, ["id"]);
            assert_eq!(schema.check(b"hello"), Err(PayloadFault::NotJson));
        }
        let broken = PayloadSchema::stored("{\"type\": \"objekt\"}");
        assert!(matches!(
            broken.check(b"{}"),
            Err(PayloadFault::Unusable(_))
        ));
    }

    #[test]
    fn a_schema_that_looks_at_one_place_too_often_is_refused() {
        let twice = |inner: String| format!("{{\"anyOf\": [{inner}, {inner}]}}");
        let schema = (0..9).fold("{\"type\": \"string\"}".to_owned(), |inner, _| twice(inner));
        let why = PayloadSchema::parse(&schema).unwrap_err();
        assert!(why.contains("over and over"), "{why}");
    }
}

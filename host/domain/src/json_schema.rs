//! JSON Schema: how a plugin says what configuration it takes, and an event type what payloads.
//!
//! A schema comes from whoever built the plugin and is a stranger's input: its size and depth are
//! bounded, it refers to nothing outside of itself, its patterns run in linear time, and [`cost`]
//! refuses what would look at one place of a document over and over. What is left takes a bounded
//! time for a document of bounded size, so a check may stand on a delivery's way.
//!
//! Members that the schema marks `writeOnly` are secrets: no misfit ever shows a value, and
//! [`JsonSchema::secret_places`] tells what to mask.

mod cost;
mod places;

use std::fmt;
use std::sync::Arc;

use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::Value;

/// The longest schema that is read.
pub const SCHEMA_BYTES_MAX: usize = 64 << 10;
/// One round shows enough to go on with.
const MISFITS_MAX: usize = 20;
/// Subschemas that may meet at one place of a configuration.
const MEET_MAX: u64 = 2_000;
/// What one pattern may take when it is compiled.
const PATTERN_BYTES_MAX: usize = 256 << 10;

pub struct JsonSchema {
    text: Arc<str>,
    schema: Value,
    validator: Validator,
}

/// One thing in a document that the schema does not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// Names and positions from the document down; empty: the whole of it.
    pub path: Vec<String>,
    /// Says the rule, never the value.
    pub message: String,
}

impl JsonSchema {
    /// # Errors
    /// Why it is no schema that this host applies.
    pub fn parse(text: &str) -> Result<Self, String> {
        Self::parse_within(text, MEET_MAX)
    }

    /// As [`Self::parse`], for documents so large that fewer subschemas may meet at one place.
    ///
    /// # Errors
    /// Why it is no schema that this host applies.
    pub fn parse_within(text: &str, meet_max: u64) -> Result<Self, String> {
        if text.len() > SCHEMA_BYTES_MAX {
            return Err(format!("it is longer than {SCHEMA_BYTES_MAX} bytes"));
        }
        let schema: Value =
            serde_json::from_str(text).map_err(|why| format!("it is not JSON: {why}"))?;
        cost::check(&schema, meet_max)?;
        let validator = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .with_pattern_options(
                PatternOptions::regex()
                    .size_limit(PATTERN_BYTES_MAX)
                    .dfa_size_limit(PATTERN_BYTES_MAX),
            )
            .build(&schema)
            .map_err(|why| why.to_string())?;
        Ok(Self {
            text: text.into(),
            schema,
            validator,
        })
    }

    #[must_use]
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// # Errors
    /// What does not fit, [`MISFITS_MAX`] of it at most.
    pub fn check(&self, document: &Value) -> Result<(), Vec<Misfit>> {
        let misfits: Vec<Misfit> = self
            .validator
            .iter_errors(document)
            .take(MISFITS_MAX)
            .map(|error| Misfit {
                path: steps(error.instance_path().as_str()),
                message: error.masked().to_string(),
            })
            .collect();
        if misfits.is_empty() {
            Ok(())
        } else {
            Err(misfits)
        }
    }

    /// The JSON pointers of what is secret in this configuration, outermost only.
    #[must_use]
    pub fn secret_places(&self, config: &Value) -> Vec<String> {
        places::secret(&self.schema, config)
    }
}

/// As [`JsonSchema::secret_places`], for a schema that was parsed before; none if it is no JSON.
#[must_use]
pub fn secret_places(schema: &str, config: &Value) -> Vec<String> {
    serde_json::from_str(schema)
        .map(|schema| places::secret(&schema, config))
        .unwrap_or_default()
}

/// The names in a JSON pointer (RFC 6901).
fn steps(pointer: &str) -> Vec<String> {
    pointer
        .split('/')
        .skip(1)
        .map(|step| step.replace("~1", "/").replace("~0", "~"))
        .collect()
}

impl fmt::Debug for JsonSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for JsonSchema {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for JsonSchema {}

impl fmt::Display for Misfit {
    /// `paths.0: value is not of type "string"`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path.join("."))?;
        }
        f.write_str(&self.message)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::JsonSchema;

    fn schema(value: &serde_json::Value) -> JsonSchema {
        JsonSchema::parse(&value.to_string()).unwrap()
    }

    #[test]
    fn a_misfit_names_the_field_and_keeps_the_value_to_itself() {
        let schema = schema(&json!({
            "type": "object",
            "required": ["token"],
            "additionalProperties": false,
            "properties": {
                "token": {"type": "string", "maxLength": 4, "writeOnly": true},
                "paths": {"type": "array", "items": {"type": "string"}},
            },
        }));
        assert_eq!(schema.check(&json!({"token": "abc"})), Ok(()));
        let told = |config| {
            let misfits = schema.check(&config).unwrap_err();
            misfits
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("; ")
        };
        let long = told(json!({"token": "hunter22"}));
        assert!(
            long.starts_with("token: ") && !long.contains("hunter22"),
            "{long}"
        );
        assert!(told(json!({})).contains("\"token\""));
        assert!(told(json!({"token": "a", "paths": ["b", 1]})).starts_with("paths.1: "));
        assert!(told(json!({"token": "a", "tokn": 1})).contains("tokn"));
    }

    #[test]
    fn what_a_stranger_may_not_ask_for_is_refused() {
        let deep = (0..40).fold(json!({}), |inner, _| json!({"not": inner}));
        let cases = [
            ("{", "not JSON"),
            (
                r#"{"$ref": "http://127.0.0.1:1/x"}"#,
                "http://127.0.0.1:1/x",
            ),
            (r##"{"$dynamicRef": "#a"}"##, "$dynamicRef"),
            (r##"{"$ref": "#/nowhere"}"##, "#/nowhere"),
            (r#"{"type": "objekt"}"#, "objekt"),
            (r#"{"pattern": "(a)\\1"}"#, "regex"),
            (r##"{"$ref": "#"}"##, "itself"),
            (r##"{"allOf": [{"anyOf": [{"$ref": "#"}]}]}"##, "itself"),
            (&deep.to_string(), "nests"),
            (&" ".repeat(70_000), "longer"),
        ];
        for (text, word) in cases {
            let why = JsonSchema::parse(text).unwrap_err();
            assert!(why.contains(word), "{text}: {why}");
        }
    }

    /// Each level is looked at twice as often as the one above it.
    #[test]
    fn a_schema_that_multiplies_is_refused_and_one_that_recurses_plainly_is_not() {
        let twice = json!({"anyOf": [
            {"properties": {"a": {"$ref": "#"}}},
            {"properties": {"a": {"$ref": "#"}}},
        ]});
        let why = JsonSchema::parse(&twice.to_string()).unwrap_err();
        assert!(why.contains("over and over"), "{why}");

        let mut stairs = json!({"type": "string"});
        for _ in 0..20 {
            stairs = json!({"anyOf": [stairs.clone(), stairs]});
            if stairs.to_string().len() > 4096 {
                break;
            }
        }
        let shared = json!({
            "$defs": {
                "a": {"anyOf": [{"$ref": "#/$defs/b"}, {"$ref": "#/$defs/b"}, {"$ref": "#/$defs/b"}]},
                "b": {"anyOf": [{"$ref": "#/$defs/c"}, {"$ref": "#/$defs/c"}, {"$ref": "#/$defs/c"}]},
                "c": {"anyOf": [stairs.clone(), stairs.clone(), stairs]},
            },
            "$ref": "#/$defs/a",
        });
        assert!(JsonSchema::parse(&shared.to_string()).is_err());

        let condition = schema(&json!({
            "$defs": {"condition": {"anyOf": [
                {"type": "object", "required": ["all"], "properties": {"all": {"type": "array", "items": {"$ref": "#/$defs/condition"}}}},
                {"type": "object", "required": ["not"], "properties": {"not": {"$ref": "#/$defs/condition"}}},
                {"type": "object", "required": ["path"], "properties": {"path": {"type": "string"}}},
            ]}},
            "properties": {"keep": {"$ref": "#/$defs/condition"}},
        }));
        let good = json!({"keep": {"all": [{"not": {"path": "a"}}, {"path": "b"}]}});
        assert_eq!(condition.check(&good), Ok(()));
        let bad = json!({"keep": {"all": [{"not": {"path": 1}}]}});
        assert!(condition.check(&bad).is_err());
    }

    #[test]
    fn secrets_are_found_wherever_the_schema_puts_them() {
        let schema = schema(&json!({
            "$defs": {"login": {"properties": {"password": {"writeOnly": true}}}},
            "properties": {
                "token": {"type": "string", "writeOnly": true},
                "logins": {"type": "array", "items": {"$ref": "#/$defs/login"}},
                "a/b": {"anyOf": [{"type": "integer"}, {"writeOnly": true}]},
            },
            "additionalProperties": {"properties": {"key": {"writeOnly": true}}},
        }));
        let config = json!({
            "token": "x", "logins": [{"user": 1}, {"password": {"deep": 1}}], "a/b": 1,
            "other": {"key": 1, "open": 2},
        });
        let mut places = schema.secret_places(&config);
        places.sort();
        assert_eq!(
            places,
            ["/a~1b", "/logins/1/password", "/other/key", "/token"]
        );
    }
}

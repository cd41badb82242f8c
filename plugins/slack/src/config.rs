//! What a hook says about its messages, read strictly: a wrong field is named, never ignored.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::{Map, Value};
use whisperer_sdk::{Path, Template};

/// Slack shows ten fields a section and fifty blocks a message; nobody reads more than this.
const FIELDS_MAX: usize = 40;

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The text; by default the event's type.
    #[serde(default)]
    pub template: Option<Template>,
    /// Old webhooks of Slack obey this; those of apps ignore it.
    #[serde(default)]
    #[schemars(length(max = 80))]
    pub channel: Option<String>,
    /// As `channel`.
    #[serde(default)]
    #[schemars(length(max = 80))]
    pub username: Option<String>,
    /// Labels with the paths to their values.
    #[serde(default)]
    pub fields: Fields,
}

/// Labels and the paths to their values, in the order in which they are written.
#[derive(Debug, Default, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub struct Fields(pub(crate) Vec<(String, Path)>);

impl JsonSchema for Fields {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Fields".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "maxProperties": FIELDS_MAX,
            "additionalProperties": generator.subschema_for::<Path>(),
        })
    }
}

impl TryFrom<Map<String, Value>> for Fields {
    type Error = String;

    fn try_from(map: Map<String, Value>) -> Result<Self, String> {
        if map.len() > FIELDS_MAX {
            return Err(format!(
                "fields: at most {FIELDS_MAX}, there are {}",
                map.len()
            ));
        }
        let mut fields = Vec::with_capacity(map.len());
        for (label, path) in map {
            let Some(text) = path.as_str() else {
                return Err(format!("fields.{label}: not a path but {path}"));
            };
            let path = Path::parse(text).map_err(|why| format!("fields.{label}: {why}"))?;
            fields.push((label, path));
        }
        Ok(Self(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::Config;

    #[test]
    fn a_wrong_configuration_names_its_field() {
        let cases = [
            (r#"{"text": "x"}"#, "text"),
            (r#"{"template": "a {b"}"#, "byte 2"),
            (r#"{"template": "a } b"}"#, "byte 2"),
            (r#"{"template": "{a..b}"}"#, "template"),
            (r#"{"fields": {"To": 7}}"#, "fields.To"),
            (r#"{"fields": {"To": "["}}"#, "fields.To"),
        ];
        for (config, named) in cases {
            let why = serde_json::from_str::<Config>(config)
                .unwrap_err()
                .to_string();
            assert!(why.contains(named), "{config}: {why}");
        }
    }
}

//! An event in the form of CloudEvents 1.0, structured or binary, with the attributes that its
//! receiver asks for (<https://github.com/cloudevents/spec>, version 1.0.2).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use whisperer_sdk::{Event, Failure, Outcome, Patch, Target, Template};

const STRUCTURED: &str = "application/cloudevents+json";
/// The names that the specification gives a meaning.
const OWN: [&str; 10] = [
    "specversion",
    "id",
    "source",
    "type",
    "subject",
    "time",
    "dataschema",
    "datacontenttype",
    "data",
    "data_base64",
];

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where events come from, a URI reference: `/oms`, `https://shop.example`.
    pub source: Template,
    /// What stands before the event's type: `com.example.`
    #[serde(default)]
    #[schemars(length(max = 200))]
    pub type_prefix: String,
    /// What the event is about; by default the `object_id` that its poster gave.
    #[serde(default)]
    pub subject: Option<Template>,
    /// The URI of the schema of the data.
    #[serde(default)]
    #[schemars(length(max = 2048))]
    pub dataschema: Option<String>,
    /// Attributes of your own. Their names are of a-z and 0-9, 20 characters at most.
    #[serde(default)]
    #[schemars(length(max = 16))]
    pub extensions: BTreeMap<String, Template>,
    #[serde(default)]
    pub mode: Mode,
}

/// `structured` sends one JSON document; `binary` sends the payload as it is, with the attributes
/// as headers `ce-…`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    #[default]
    Structured,
    Binary,
}

/// The transform. What it makes goes out bare: it is an envelope itself.
///
/// # Errors
/// Rejects extension names that CloudEvents does not allow, and a payload that is not JSON.
pub fn cloudevents(event: Event, _target: Target, config: Config) -> Result<Outcome, Failure> {
    let attributes = attributes(&event, &config)?;
    match config.mode {
        Mode::Structured => structured(&event, &attributes),
        Mode::Binary => Ok(binary(attributes)),
    }
}

type Attributes = Vec<(String, String)>;

fn attributes(event: &Event, config: &Config) -> Result<Attributes, Failure> {
    let filled = |name: &str, template: &Template| {
        template
            .fill(event, |path| event.text_at(path))
            .map_err(|path| {
                Failure::reject(
                    "missing-value",
                    format!("{name}: there is nothing at {path}"),
                )
            })
    };
    let mut attributes = vec![
        ("specversion".to_owned(), "1.0".to_owned()),
        ("id".to_owned(), event.id.clone()),
        ("source".to_owned(), filled("source", &config.source)?),
        (
            "type".to_owned(),
            format!("{}{}", config.type_prefix, event.event_type),
        ),
        ("time".to_owned(), event.occurred_at()),
    ];
    let subject = match &config.subject {
        Some(template) => Some(filled("subject", template)?),
        None => event.attribute("object-id").map(str::to_owned),
    };
    attributes.extend(subject.map(|subject| ("subject".to_owned(), subject)));
    let dataschema = config.dataschema.iter();
    attributes.extend(dataschema.map(|uri| ("dataschema".to_owned(), uri.clone())));
    for (name, template) in &config.extensions {
        check_name(name)?;
        attributes.push((name.clone(), filled(name, template)?));
    }
    Ok(attributes)
}

/// Section "Naming conventions" of the specification.
fn check_name(name: &str) -> Result<(), Failure> {
    let allowed = name
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    if allowed && (1..=20).contains(&name.len()) && !OWN.contains(&name) {
        return Ok(());
    }
    Err(Failure::reject(
        "bad-config",
        format!(
            "extensions.{name}: a name has 1 to 20 of a-z and 0-9, and is not one of the specification's own"
        ),
    ))
}

fn structured(event: &Event, attributes: &Attributes) -> Result<Outcome, Failure> {
    let data: &RawValue = event.json()?;
    let mut out = String::from("{");
    for (name, value) in attributes {
        // A name is plain, a value may be anything.
        out.push_str(&format!("\"{name}\":{},", Value::from(value.as_str())));
    }
    let content_type = Value::from(event.content_type.as_str());
    out.push_str(&format!(
        "\"datacontenttype\":{content_type},\"data\":{}}}",
        data.get()
    ));
    Ok(Patch::default()
        .payload(out)
        .content_type(STRUCTURED)
        .bare()
        .into())
}

fn binary(attributes: Attributes) -> Outcome {
    let patch = Patch::default().bare();
    let with = |patch: Patch, (name, value): (String, String)| {
        patch.set_header(format!("ce-{name}"), percent_encoded(&value))
    };
    attributes.into_iter().fold(patch, with).into()
}

/// Section 3.1.3.2 of the HTTP binding: space, quote, percent and all that is not printable ASCII
/// stand as the percent-encoded bytes of UTF-8.
fn percent_encoded(value: &str) -> String {
    let mut out = String::new();
    for byte in value.bytes() {
        match byte {
            b' ' | b'"' | b'%' => out.push_str(&format!("%{byte:02X}")),
            b'!'..=b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

whisperer_sdk::plugin! {
    transform: cloudevents,
    summary: "Makes an event a CloudEvent 1.0",
    config_example: r#"{"source": "/oms", "type_prefix": "com.example.", "subject": "{number}"}"#,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use whisperer_sdk::{Event, Failure, Outcome, Patch, Target};

    use super::cloudevents;

    fn run(config: Value) -> Result<Outcome, Failure> {
        let mut event = Event::sample("package.created", br#"{"number": "P 1\u00e4", "n": 1.10}"#);
        event
            .attributes
            .push(("object-id".to_owned(), "42".to_owned()));
        cloudevents(
            event,
            Target::sample(),
            serde_json::from_value(config).unwrap(),
        )
    }

    fn patch(config: Value) -> Patch {
        match run(config) {
            Ok(Outcome::Modified(patch)) if patch.bare => patch,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_structured_event_keeps_the_bytes_of_its_data() {
        let made = patch(json!({"source": "/oms", "extensions": {"tenant": "acme"}}));
        assert_eq!(
            made.content_type.as_deref(),
            Some("application/cloudevents+json")
        );
        let text = String::from_utf8(made.payload.unwrap()).unwrap();
        assert!(
            text.ends_with(r#""data":{"number": "P 1\u00e4", "n": 1.10}}"#),
            "{text}"
        );
        let read: Value = serde_json::from_str(&text).unwrap();
        let expected = json!({
            "specversion": "1.0", "id": "evt_sample", "source": "/oms", "type": "package.created",
            "time": "2023-11-14T22:13:20.000Z", "subject": "42", "tenant": "acme",
            "datacontenttype": "application/json", "data": {"number": "P 1ä", "n": 1.10},
        });
        assert_eq!(read, expected);
    }

    #[test]
    fn a_binary_event_has_its_attributes_in_headers() {
        let made = patch(json!({"source": "/oms", "mode": "binary", "subject": "{number}"}));
        assert_eq!(made.payload, None);
        let header = |name: &str| {
            let found = made.set_headers.iter().find(|header| header.name == name);
            found.map(|header| header.value.as_str())
        };
        assert_eq!(header("ce-specversion"), Some("1.0"));
        assert_eq!(header("ce-subject"), Some("P%201%C3%A4"));
    }

    #[test]
    fn what_cannot_be_is_rejected_by_its_name() {
        let cases = [
            (json!({"source": "{nothing}"}), "nothing"),
            (
                json!({"source": "/", "extensions": {"my-tenant": "x"}}),
                "my-tenant",
            ),
            (json!({"source": "/", "extensions": {"data": "x"}}), "data"),
        ];
        for (config, word) in cases {
            let Err(Failure::Reject(reason)) = run(config) else {
                panic!("{word} was taken");
            };
            assert!(reason.message.contains(word), "{}", reason.message);
        }
    }
}

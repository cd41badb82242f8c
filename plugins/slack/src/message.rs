//! The message itself: a text for notifications, and blocks that say the same with fields.

use serde_json::{Value, json};
use whisperer_sdk::json::readable;
use whisperer_sdk::{Event, Path, Piece};

use crate::config::Config;
use crate::mrkdwn::{push_escaped, push_plain};

/// Slack's limits, in characters.
const TEXT_CHARS_MAX: usize = 3000;
const FIELD_CHARS_MAX: usize = 2000;
const FIELDS_PER_SECTION_MAX: usize = 10;

pub(crate) fn of(event: &Event, payload: &Value, config: &Config) -> Value {
    let text = text(event, config);
    let mut blocks = vec![json!({
        "type": "section",
        "text": {"type": "mrkdwn", "text": text},
    })];
    for chunk in fields(event, payload, config).chunks(FIELDS_PER_SECTION_MAX) {
        blocks.push(json!({"type": "section", "fields": chunk}));
    }
    let mut message = json!({"text": text, "blocks": blocks});
    for (name, value) in [("channel", &config.channel), ("username", &config.username)] {
        if let Some(value) = value {
            message[name] = Value::from(value.as_str());
        }
    }
    message
}

fn text(event: &Event, config: &Config) -> String {
    let mut out = String::new();
    match &config.template {
        Some(template) => {
            for piece in template.pieces() {
                push_piece(&mut out, event, piece);
            }
        }
        None => {
            out.push('*');
            push_escaped(&mut out, &event.event_type, TEXT_CHARS_MAX - 1);
            out.push('*');
        }
    }
    if out.trim().is_empty() {
        // Slack refuses a message without text.
        push_escaped(&mut out, &event.event_type, TEXT_CHARS_MAX);
    }
    out
}

fn push_piece(out: &mut String, event: &Event, piece: &Piece) {
    match piece {
        Piece::Text(text) => push_plain(out, text, TEXT_CHARS_MAX),
        Piece::Type => push_escaped(out, &event.event_type, TEXT_CHARS_MAX),
        Piece::Id => push_escaped(out, &event.id, TEXT_CHARS_MAX),
        Piece::Value(path) => push_escaped(out, &value(event, path), TEXT_CHARS_MAX),
    }
}

/// The configured fields; without any, the plain members at the top of the payload.
fn fields(event: &Event, payload: &Value, config: &Config) -> Vec<Value> {
    if !config.fields.0.is_empty() {
        let configured = config.fields.0.iter();
        return configured
            .map(|(label, path)| field(label, &value(event, path)))
            .collect();
    }
    if config.template.is_some() {
        return Vec::new();
    }
    let members = payload.as_object().into_iter().flatten();
    members
        .filter(|(_, value)| !value.is_object() && !value.is_array())
        .take(FIELDS_PER_SECTION_MAX)
        .map(|(name, value)| field(name, &readable(&value.to_string())))
        .collect()
}

fn field(label: &str, value: &str) -> Value {
    let mut text = String::from("*");
    push_escaped(&mut text, label, FIELD_CHARS_MAX / 2);
    text.push_str("*\n");
    push_escaped(&mut text, value, FIELD_CHARS_MAX);
    json!({"type": "mrkdwn", "text": text})
}

/// A dash for nothing.
fn value(event: &Event, path: &Path) -> String {
    event.text_at(path).unwrap_or_else(|| "-".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use whisperer_sdk::{Event, Failure, Outcome, Target};

    use crate::slack;

    const PACKAGE: &str = r#"{"number": "P-7", "weight": 1.50, "customer": {"name": "<!channel> & co"},
        "items": [{"sku": "a"}, {"sku": "b"}]}"#;

    fn message(payload: &str, config: Value) -> Value {
        let event = Event::sample("package.created", payload.as_bytes());
        let config = serde_json::from_value(config).unwrap();
        match slack(event, Target::sample(), config) {
            Ok(Outcome::Modified(patch)) => {
                assert!(patch.bare);
                serde_json::from_slice(&patch.payload.unwrap()).unwrap()
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn without_configuration_the_type_and_the_plain_members_are_shown() {
        let made = message(PACKAGE, json!({}));
        assert_eq!(made["text"], "*package.created*");
        assert_eq!(
            made["blocks"][1]["fields"],
            json!([
                {"type": "mrkdwn", "text": "*number*\nP-7"},
                {"type": "mrkdwn", "text": "*weight*\n1.5"},
            ])
        );
    }

    #[test]
    fn a_template_takes_values_which_are_escaped() {
        let made = message(
            PACKAGE,
            json!({
                "template": "<!here> *{number}* {{{@type}}} for {customer.name}: {items[*].sku}{none}",
                "fields": {"Weight": "weight", "Who": "customer.name"},
                "channel": "#orders", "username": "Whisperer",
            }),
        );
        let text = "<!here> *P-7* {package.created} for &lt;!channel&gt; &amp; co: a, b-";
        assert_eq!(made["text"], text);
        assert_eq!(made["blocks"][0]["text"]["text"], text);
        assert_eq!(made["blocks"][1]["fields"][0]["text"], "*Weight*\n1.50");
        assert_eq!(
            (&made["channel"], &made["username"]),
            (&json!("#orders"), &json!("Whisperer"))
        );
    }

    #[test]
    fn the_limits_of_slack_are_kept() {
        let long = "&".repeat(10_000);
        let fields: serde_json::Map<_, _> =
            (0..25).map(|n| (format!("f{n}"), json!("long"))).collect();
        let payload = json!({"long": long}).to_string();
        let made = message(
            &payload,
            json!({"template": "{long}{long}", "fields": fields}),
        );
        assert!(made["text"].as_str().unwrap().chars().count() <= 3000);
        let blocks = made["blocks"].as_array().unwrap();
        assert_eq!(blocks.len(), 1 + 3);
        for field in blocks[1]["fields"].as_array().unwrap() {
            assert!(field["text"].as_str().unwrap().chars().count() <= 2000);
        }
    }

    #[test]
    fn a_payload_that_is_not_json_is_rejected() {
        let event = Event::sample("package.created", b"hello");
        let outcome = slack(event, Target::sample(), crate::Config::default());
        assert!(matches!(outcome, Err(Failure::Reject(reason)) if reason.code == "bad-payload"));
    }
}

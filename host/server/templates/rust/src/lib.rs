//! Greets the partner, and keeps internal events in the house. Make it yours.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use whisperer_sdk::{Event, Failure, Outcome, Target};

/// What a hook says for this plugin. Its JSON Schema is made from this type: a hook whose
/// configuration does not fit is refused, with the field's name.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// How the partner is greeted.
    #[schemars(length(min = 1, max = 100))]
    greeting: String,
}

fn transform(event: Event, _target: Target, config: Config) -> Result<Outcome, Failure> {
    let payload: Value = event.json()?;
    if payload["internal"] == true {
        return Ok(Outcome::discard("internal", "stays in the house"));
    }
    whisperer_sdk::info(format!("greeting for {}", event.id));
    Outcome::json(&json!({
        "greeting": config.greeting,
        "what": event.event_type,
        "about": payload,
    }))
}

whisperer_sdk::plugin! {
    transform: transform,
    summary: "Greets the partner",
    config_example: r#"{"greeting": "Good morning"}"#,
}

#[cfg(test)]
mod tests {
    use whisperer_sdk::{Event, Outcome, Target};

    use super::{Config, transform};

    #[test]
    fn internal_events_stay_in_the_house() {
        let event = Event::sample("package.created", br#"{"internal": true}"#);
        let config = Config { greeting: "Hello".to_owned() };
        let outcome = transform(event, Target::sample(), config);
        assert!(matches!(outcome, Ok(Outcome::Discard(_))));
    }
}

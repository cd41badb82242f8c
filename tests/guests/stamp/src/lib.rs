//! A well-behaved guest for the tests: adds a field and a header, and runs on every package.

use serde_json::Value;
use whisperer_sdk::{Event, Failure, Outcome, Patch, Target};

/// The transform. `config.field` names the field; `stamp` if nothing is said.
///
/// # Errors
/// Rejects what is not a JSON object.
pub fn stamp(event: Event, _target: Target, config: Value) -> Result<Outcome, Failure> {
    let mut payload: serde_json::Map<String, Value> = event.json()?;
    let field = config
        .get("field")
        .and_then(Value::as_str)
        .unwrap_or("stamp");
    payload.insert(field.to_owned(), Value::from(env!("CARGO_PKG_VERSION")));
    let payload = Value::from(payload).to_string();
    whisperer_sdk::info(format!("stamped {}", event.id));
    Ok(Patch::default()
        .payload(payload)
        .set_header("X-Stamp", field)
        .into())
}

whisperer_sdk::plugin! {
    transform: stamp,
    summary: "Adds a field with its version",
    events: ["package.*"],
}

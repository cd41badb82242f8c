//! Makes another JSON document of a payload, by a template of the wanted one.

mod map;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use whisperer_sdk::{Event, Failure, Outcome, Patch, Target};

use map::{Mapper, Node};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The document as it is to be: text with {path} in it for values of the payload.
    pub output: Value,
    #[serde(default)]
    pub missing: Missing,
    /// Send it without the hook's envelope.
    #[serde(default)]
    pub bare: bool,
}

/// What becomes of a member whose value is not in the payload: `omit` leaves it out, `null` says
/// null, `reject` makes the delivery dead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Missing {
    #[default]
    Omit,
    Null,
    Reject,
}

/// The transform.
///
/// # Errors
/// Rejects a template that is none, a payload that is not JSON, and missing values if told to.
pub fn jsonmap(event: Event, _target: Target, config: Config) -> Result<Outcome, Failure> {
    let node = Node::read(&config.output).map_err(|why| Failure::reject("bad-config", why))?;
    let payload = std::str::from_utf8(&event.payload)
        .map_err(|why| Failure::reject("bad-payload", why.to_string()))?;
    let mapper = Mapper {
        event: &event,
        missing: config.missing,
    };
    let made = mapper.value(&node, payload)?;
    let patch = Patch::default().payload(made.unwrap_or_else(|| "null".to_owned()));
    Ok(if config.bare { patch.bare() } else { patch }.into())
}

whisperer_sdk::plugin! {
    transform: jsonmap,
    summary: "Reshapes a payload by a template",
    config_example: r#"{"output": {"order": "{number}", "to": "{customer.name} <{customer.email}>", "lines": {"$each": "items[*]", "$map": {"article": "{sku}"}}}}"#,
}

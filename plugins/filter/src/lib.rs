//! Lets through what a hook wants, and discards the rest visibly.

mod condition;

use schemars::JsonSchema;
use serde::Deserialize;
use whisperer_sdk::{Event, Failure, Outcome, Target};

pub use condition::Condition;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Events for which this holds go on; the others are discarded.
    pub keep: Condition,
    /// Why, in the words that a discarded delivery shows.
    #[serde(default)]
    #[schemars(length(max = 200))]
    pub reason: Option<String>,
}

/// The transform.
///
/// # Errors
/// Rejects a payload that is not JSON.
pub fn filter(event: Event, _target: Target, config: Config) -> Result<Outcome, Failure> {
    let keep = config.keep.holds(&event).map_err(|why| {
        Failure::reject(
            "bad-payload",
            format!("not JSON, so nothing can be found in it: {why}"),
        )
    })?;
    Ok(if keep {
        Outcome::Unchanged
    } else {
        let reason = config.reason.as_deref();
        Outcome::discard("filtered", reason.unwrap_or("the condition does not hold"))
    })
}

whisperer_sdk::plugin! {
    transform: filter,
    summary: "Discards the events for which a condition does not hold",
    config_example: r#"{"keep": {"all": [{"path": "country", "in": ["DE", "AT"]}, {"path": "total", "gte": 100}]}}"#,
}

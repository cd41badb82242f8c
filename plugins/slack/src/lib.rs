//! An event as a Slack message: the JSON that an incoming webhook of Slack takes.
//!
//! What comes out of the payload is a stranger's text: it is escaped, so that it can make no
//! link, no mention and no `<!channel>`. The template is the operator's, and may.

mod config;
mod message;
mod mrkdwn;

use serde_json::Value;
use whisperer_sdk::{Event, Failure, Outcome, Patch, Target};

pub use config::{Config, Fields};

/// The transform. The message goes out bare: Slack knows nothing of envelopes.
///
/// # Errors
/// Rejects a payload that is not JSON.
pub fn slack(event: Event, _target: Target, config: Config) -> Result<Outcome, Failure> {
    let payload: Value = event.json()?;
    let message = message::of(&event, &payload, &config);
    Ok(Patch::default()
        .payload(message.to_string())
        .content_type("application/json")
        .bare()
        .into())
}

whisperer_sdk::plugin! {
    transform: slack,
    summary: "Turns an event into a message for an incoming webhook of Slack",
    config_example: r#"{"template": "Package *{number}* is on its way", "fields": {"To": "customer.name"}}"#,
}

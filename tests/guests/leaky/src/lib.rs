//! A guest that lets its secret out wherever it can: into its log, a header, a reason and a panic.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use whisperer_sdk::{Event, Failure, Outcome, Patch, Target};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    #[schemars(extend("writeOnly" = true))]
    pub token: String,
}

/// The transform. `leak` in the payload says where the token goes beside log and header.
///
/// # Errors
/// Where the payload says so, with the token for a reason.
///
/// # Panics
/// Likewise.
pub fn leak(event: Event, _target: Target, config: Config) -> Result<Outcome, Failure> {
    let token = config.token;
    whisperer_sdk::info(format!("configured with {token}"));
    let payload: Value = event.json()?;
    match payload["leak"].as_str() {
        Some("discard") => Ok(Outcome::discard("leak", token)),
        Some("reject") => Err(Failure::reject("leak", token)),
        Some("panic") => panic!("configured with {token}"),
        Some(_) | None => {
            let value = format!("Bearer {token}");
            Ok(Patch::default().set_header("X-Plugin-Token", value).into())
        }
    }
}

whisperer_sdk::plugin! {
    transform: leak,
    summary: "Lets out what it was given in confidence",
}

//! A guest that does nothing: what is measured with it is the price of a call itself.

use serde_json::Value;
use whisperer_sdk::{Event, Failure, Outcome, Target};

/// The transform.
///
/// # Errors
/// Never.
pub fn unchanged(_event: Event, _target: Target, _config: Value) -> Result<Outcome, Failure> {
    Ok(Outcome::Unchanged)
}

whisperer_sdk::plugin! { transform: unchanged }

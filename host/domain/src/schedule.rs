//! When to try again: W's four choices, exact at any n, and our schedule.

use serde::{Deserialize, Serialize};

/// The `retry_countdown_config` of a hook, valid by construction. Seconds throughout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum RetryConfig {
    Fixed {
        seconds: u64,
    },
    Linear {
        base: u64,
        limit: Option<u64>,
    },
    Exponential {
        base: u64,
        factor: u64,
        limit: Option<u64>,
    },
    Random {
        min_value: u64,
        max_value: u64,
    },
    Schedule {
        seconds: Vec<u64>,
    },
}

impl RetryConfig {
    /// W's choices send 19 requests in all; a schedule its length and the first.
    #[must_use]
    pub fn max_attempts_default(&self) -> u32 {
        match self {
            Self::Fixed { .. }
            | Self::Linear { .. }
            | Self::Exponential { .. }
            | Self::Random { .. } => 19,
            Self::Schedule { seconds } => u32::try_from(seconds.len()).unwrap_or(99) + 1,
        }
    }
}

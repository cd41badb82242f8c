//! A lane's rest after a deferral: its plugins cannot run, or its secrets cannot be read, and
//! that will be no different for its next delivery. When the rest ends, one delivery probes.

use std::time::Duration;

use whisperer_domain::time::Timestamp;

use crate::config::{DeliveryConfig, doubling};

/// What a paused lane waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Pinned deliveries need none and go on.
    Plugins,
    Secrets,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Pause {
    pub(crate) until: Timestamp,
    pub(crate) cause: Cause,
    /// Of the hook when the lane was paused: another one may cure it.
    pub(crate) hook_revision: u64,
    rests: u32,
}

impl Pause {
    /// What a deferral of now should wait for.
    pub(crate) fn next_wait(earlier: Option<&Self>, config: &DeliveryConfig) -> Duration {
        let rests = earlier.map_or(0, |pause| pause.rests);
        doubling(config.defer_wait_min, config.defer_wait_max, rests + 1)
    }

    /// The rest that follows a deferral. Deferrals of attempts that began together are one.
    pub(crate) fn after(
        earlier: Option<&Self>,
        cause: Cause,
        now: Timestamp,
        hook_revision: u64,
        config: &DeliveryConfig,
    ) -> Self {
        match earlier {
            Some(pause) if pause.until > now && pause.hook_revision == hook_revision => *pause,
            Some(_) | None => Self {
                until: now.after(Self::next_wait(earlier, config)),
                cause,
                hook_revision,
                rests: earlier.map_or(0, |pause| pause.rests).saturating_add(1),
            },
        }
    }
}

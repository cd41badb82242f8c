//! How much of everything: the whole measurement, or a short run that only tries the tool out.

use std::time::Duration;

#[derive(Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) pairs: u32,
    pub(crate) hooks: u32,
    pub(crate) hooks_per_second: u64,
    /// How long a server works before anything counts.
    pub(crate) warm_up: Duration,
    /// What counts, with and without holes.
    pub(crate) measure: Duration,
    /// What does not count where half of the hooks are holes.
    pub(crate) half_first: Duration,
    pub(crate) slow_messages: u64,
    pub(crate) slow_measure: Duration,
    pub(crate) pending: u64,
    pub(crate) restarts: u32,
    pub(crate) backlog: u64,
    pub(crate) drain_alone: Duration,
    pub(crate) ordered: u64,
}

impl Plan {
    pub(crate) fn whole(pairs: u32) -> Self {
        Self {
            pairs,
            hooks: 1_000,
            hooks_per_second: 500,
            warm_up: Duration::from_secs(5),
            measure: Duration::from_secs(60),
            half_first: Duration::from_secs(60),
            slow_messages: 600,
            slow_measure: Duration::from_secs(30),
            pending: 1_000_000,
            restarts: 3,
            backlog: 200_000,
            drain_alone: Duration::from_secs(30),
            ordered: 10_000,
        }
    }

    /// Its figures mean nothing.
    pub(crate) fn quick() -> Self {
        Self {
            pairs: 1,
            hooks: 100,
            hooks_per_second: 200,
            warm_up: Duration::from_secs(1),
            measure: Duration::from_secs(4),
            half_first: Duration::from_secs(12),
            slow_messages: 100,
            slow_measure: Duration::from_secs(4),
            pending: 20_000,
            restarts: 1,
            backlog: 5_000,
            drain_alone: Duration::from_secs(3),
            ordered: 600,
        }
    }
}

//! The bounds of delivering, each with a name, and the world it works on.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use whisperer_domain::health::Patience;
use whisperer_domain::port::{Catalog, Clock, Lanes, Transform, Transport};

/// Every bound of this crate. The memory it can take is the sum of `buffer_bytes`,
/// `unsettled_bytes_max`, `reads_max` times `read_bytes`, and `attempts_bytes_max` with what
/// plugins made of it.
#[derive(Clone, Debug)]
pub struct DeliveryConfig {
    /// Attempts at one time, over all lanes, and what they may hold. Half of either is kept from
    /// lanes that are slow.
    pub attempts_max: usize,
    pub attempts_bytes_max: usize,
    /// Payloads that lanes hold ready; what does not fit stays in the store until its turn.
    pub buffer_bytes: usize,
    /// Deliveries that one lane holds ready.
    pub lane_rows_max: usize,
    /// Commits heard of and not yet looked at.
    pub feed_rows_max: usize,
    /// A lane that is behind reads again when it holds fewer than this.
    pub read_below_rows: usize,
    pub read_rows: usize,
    pub read_bytes: usize,
    /// Lanes that read at one time.
    pub reads_max: usize,
    /// Results in one call of the store.
    pub settle_batch: usize,
    /// Results not yet on disk: beyond it no attempt begins.
    pub unsettled_max: usize,
    pub unsettled_bytes_max: usize,
    /// How long a lane waits whose plugins cannot run: doubling from the first to the second.
    pub defer_wait_min: Duration,
    pub defer_wait_max: Duration,
    /// How long to leave a store alone that failed: doubling from the first to the second.
    pub store_wait_min: Duration,
    pub store_wait_max: Duration,
    /// For how long a hook may fail.
    pub patience: Patience,
    /// Of jitter and attempt ids: must differ from one start to the next.
    pub seed: u64,
}

impl DeliveryConfig {
    /// The defaults, with chance of the caller's.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            attempts_max: 1024,
            attempts_bytes_max: 128 << 20,
            buffer_bytes: 64 << 20,
            lane_rows_max: 4096,
            feed_rows_max: 8192,
            read_below_rows: 32,
            read_rows: 128,
            read_bytes: 1 << 20,
            reads_max: 16,
            settle_batch: 256,
            unsettled_max: 4096,
            unsettled_bytes_max: 64 << 20,
            defer_wait_min: Duration::from_secs(1),
            defer_wait_max: Duration::from_secs(60),
            store_wait_min: Duration::from_millis(100),
            store_wait_max: Duration::from_secs(5),
            patience: Patience::default(),
            seed,
        }
    }
}

/// The world, as far as delivering needs it.
#[derive(Clone)]
pub struct Ports {
    pub ledger: Arc<dyn Lanes>,
    pub catalog: Arc<dyn Catalog>,
    pub transform: Arc<dyn Transform>,
    pub transport: Arc<dyn Transport>,
    pub clock: Arc<dyn Clock>,
    /// None: where everything else is.
    pub background: Option<Background>,
}

/// Where lanes work off their backlogs. Nobody waits for these: their threads should give way to
/// those of what is fresh, and their connections be others, which such threads would slow down.
#[derive(Clone)]
pub struct Background {
    pub runtime: Handle,
    pub transport: Arc<dyn Transport>,
}

/// The wait after `failures` failures in a row, of which there was at least one.
pub(crate) fn doubling(min: Duration, max: Duration, failures: u32) -> Duration {
    min.saturating_mul(1 << failures.saturating_sub(1).min(16))
        .min(max)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::doubling;

    #[test]
    fn waits_double_up_to_their_end() {
        let secs = |failures| {
            let (min, max) = (Duration::from_secs(1), Duration::from_secs(60));
            doubling(min, max, failures).as_secs()
        };
        let waits: Vec<u64> = [1, 2, 3, 6, 7, 99, u32::MAX].map(secs).to_vec();
        assert_eq!(waits, [1, 2, 4, 32, 60, 60, 60]);
    }
}

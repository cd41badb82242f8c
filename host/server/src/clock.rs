//! The only place that reads the wall clock; everything else asks the [`Clock`] port.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use whisperer_domain::port::{BoxFuture, Clock};
use whisperer_domain::time::Timestamp;

/// The machine's clock and tokio's timer.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[allow(
            clippy::disallowed_methods,
            reason = "the one place where the port meets the machine"
        )]
        let now = SystemTime::now();
        // A clock set before 1970 reads as 1970.
        let since_epoch = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
    }

    fn sleep(&self, wait: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(wait))
    }
}

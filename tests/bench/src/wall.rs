//! The machine's clock in microseconds: the one by which times noted in two processes compare.

use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) fn now_us() -> u64 {
    #[allow(
        clippy::disallowed_methods,
        reason = "a generator and a receiver in two processes have no other clock in common"
    )]
    let now = SystemTime::now();
    // A clock before 1970 would read as 1970, and so would every time that is compared with it.
    let since_epoch = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX)
}

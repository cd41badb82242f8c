//! What is to go: pure, so that every store gives up the same.

use whisperer_domain::port::Retention;
use whisperer_domain::time::Timestamp;

/// A policy at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cutoff {
    /// What was accepted before it is too old.
    before: Option<Timestamp>,
    bytes: Option<u64>,
}

impl Cutoff {
    pub(crate) fn of(retention: Retention, now: Timestamp) -> Self {
        let back = |age: std::time::Duration| {
            let millis = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
            Timestamp(now.0.saturating_sub(millis))
        };
        Self {
            before: retention.age.map(back),
            bytes: retention.bytes,
        }
    }

    /// Whether the oldest event is given up. If it is not, no younger one is.
    pub(crate) fn takes(&self, accepted_at: Timestamp, live_bytes: u64) -> bool {
        self.before.is_some_and(|before| accepted_at < before)
            || self.bytes.is_some_and(|bytes| live_bytes > bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Cutoff, Retention, Timestamp};

    #[test]
    fn age_and_bytes_each_take_and_what_is_unbounded_stays() {
        let day = Duration::from_secs(86_400);
        let now = Timestamp(10 * 86_400_000);
        let of = |age, bytes| Cutoff::of(Retention { age, bytes }, now);
        let old = Timestamp(9 * 86_400_000 - 1);
        let young = Timestamp(9 * 86_400_000);
        assert!(of(Some(day), None).takes(old, 0));
        assert!(!of(Some(day), None).takes(young, u64::MAX));
        assert!(of(None, Some(10)).takes(young, 11));
        assert!(!of(None, Some(10)).takes(Timestamp(0), 10));
        assert!(!of(None, None).takes(Timestamp(0), u64::MAX));
        // Longer than there has been time.
        assert!(!of(Some(Duration::MAX), None).takes(Timestamp(0), 0));
    }
}

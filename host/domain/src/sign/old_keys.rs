//! Keys on their way out: after a rotation a hook's earlier key still signs, until its time is up,
//! so that a receiver may change over when it suits it.
//!
//! Whether one still holds is asked with the time of the attempt at hand: nothing has to happen
//! at that moment for a key to end.

use std::fmt;

use crate::time::Timestamp;

/// As many of each kind may hold at one time. Each is one more signature in a header, whose
/// length receivers bound: ten and the newest are 1.5 KiB of `v1` and `v1a` together.
pub const OLD_KEYS_MAX: usize = 10;

#[derive(Clone, PartialEq, Eq)]
pub struct OldKey<K> {
    pub key: K,
    /// The last moment at which it holds.
    pub until: Timestamp,
}

impl<K> OldKey<K> {
    fn holds(&self, now: Timestamp) -> bool {
        now <= self.until
    }
}

/// Oldest first. Some may be over: they are dropped when their hook is written.
#[derive(Clone, PartialEq, Eq)]
pub struct OldKeys<K>(Vec<OldKey<K>>);

impl<K> OldKeys<K> {
    pub fn retire(&mut self, key: K, until: Timestamp) {
        self.0.push(OldKey { key, until });
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    pub fn drop_expired(&mut self, now: Timestamp) {
        self.0.retain(|old| old.holds(now));
    }

    /// Those that hold at `now`, oldest first.
    pub fn holding(&self, now: Timestamp) -> impl DoubleEndedIterator<Item = &OldKey<K>> {
        self.0.iter().filter(move |old| old.holds(now))
    }

    /// All that are kept, oldest first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &OldKey<K>> {
        self.0.iter()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<K> Default for OldKeys<K> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K> FromIterator<OldKey<K>> for OldKeys<K> {
    fn from_iter<I: IntoIterator<Item = OldKey<K>>>(keys: I) -> Self {
        Self(keys.into_iter().collect())
    }
}

/// How many and until when, whatever `K` would print.
impl<K> fmt::Debug for OldKeys<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|old| old.until))
            .finish()
    }
}

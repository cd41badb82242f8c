//! New keys for a hook, while the earlier ones hold for some time longer.

use std::time::Duration;

use super::Hook;
use crate::secret::Secret;
use crate::sign::{KeyPair, OLD_KEYS_MAX, OldKeys};
use crate::time::Timestamp;

/// A week: who has not changed over by then does not know that there is something to change.
pub const OVERLAP_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
pub const OVERLAP_DEFAULT: Duration = Duration::from_secs(24 * 3600);

/// What a hook is to sign with from now on. A pair only for one that signs with it.
#[derive(Debug)]
pub struct FreshKeys {
    pub secret: Secret,
    pub pair: Option<KeyPair>,
}

/// As many old keys hold already as may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyOldKeys {
    /// When the first of them ends.
    pub until: Timestamp,
}

impl Hook {
    /// The earlier keys hold until the overlap is over. Without one (zero) nothing old holds any
    /// more, what earlier rotations left included: that is what one does with a key that leaked.
    ///
    /// # Errors
    /// Nothing is changed then, but that old keys which are over are gone.
    pub fn rotate(
        &mut self,
        fresh: FreshKeys,
        overlap: Duration,
        now: Timestamp,
    ) -> Result<(), TooManyOldKeys> {
        self.drop_expired_keys(now);
        if overlap.is_zero() {
            self.old_secret_keys.clear();
            self.old_key_pairs.clear();
        } else {
            let until = now.after(overlap);
            let retires_secret = self.secret_key.is_some();
            let retires_pair = fresh.pair.is_some() && self.key_pair.is_some();
            check_room(&self.old_secret_keys, retires_secret)?;
            check_room(&self.old_key_pairs, retires_pair)?;
            if let Some(old) = self.secret_key.take() {
                self.old_secret_keys.retire(old, until);
            }
            if retires_pair && let Some(old) = self.key_pair.take() {
                self.old_key_pairs.retire(old, until);
            }
        }
        self.secret_key = Some(fresh.secret);
        if let Some(pair) = fresh.pair {
            self.key_pair = Some(pair);
        }
        Ok(())
    }

    /// When the last of the old keys ends; none if no rotation is under way.
    #[must_use]
    pub fn rotating_until(&self, now: Timestamp) -> Option<Timestamp> {
        let secrets = self.old_secret_keys.holding(now).map(|old| old.until);
        let pairs = self.old_key_pairs.holding(now).map(|old| old.until);
        secrets.chain(pairs).max()
    }

    /// Whoever writes a hook leaves in it no key that is over.
    pub fn drop_expired_keys(&mut self, now: Timestamp) {
        self.old_secret_keys.drop_expired(now);
        self.old_key_pairs.drop_expired(now);
    }
}

fn check_room<K>(old: &OldKeys<K>, one_more: bool) -> Result<(), TooManyOldKeys> {
    if !one_more || old.iter().len() < OLD_KEYS_MAX {
        return Ok(());
    }
    let until = old.iter().map(|old| old.until).min();
    Err(TooManyOldKeys {
        until: until.unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{FreshKeys, OVERLAP_DEFAULT, TooManyOldKeys};
    use crate::event_type::EventPattern;
    use crate::hook::Hook;
    use crate::id::Owner;
    use crate::secret::Secret;
    use crate::sign::KeyPair;
    use crate::target_url::TargetUrl;
    use crate::time::Timestamp;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn bare() -> Hook {
        let target = TargetUrl::parse("https://a.example/").unwrap();
        Hook::new(Owner::parse("ann").unwrap(), target, EventPattern::All)
    }

    fn fresh(number: u8, with_pair: bool) -> FreshKeys {
        FreshKeys {
            secret: Secret::new(number.to_string()),
            pair: with_pair.then(|| KeyPair::from_seed(&[number; 32])),
        }
    }

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    /// The secrets by their numbers: the newest, and the old ones with their ends.
    fn secrets(hook: &Hook) -> (Option<String>, Vec<(String, u64)>) {
        let text = |secret: &Secret| secret.expose().to_string();
        let old = hook.old_secret_keys.iter();
        (
            hook.secret_key.as_ref().map(text),
            old.map(|old| (text(&old.key), old.until.0)).collect(),
        )
    }

    #[test]
    fn the_first_keys_retire_nothing() {
        let mut hook = bare();
        hook.rotate(fresh(1, true), OVERLAP_DEFAULT, NOW).unwrap();
        assert_eq!(secrets(&hook), (Some("1".to_owned()), vec![]));
        assert!(hook.key_pair.is_some() && hook.old_key_pairs.is_empty());
        assert_eq!(hook.rotating_until(NOW), None);
    }

    #[test]
    fn both_kinds_go_together_and_the_pair_stays_where_none_is_given() {
        let mut hook = bare();
        for (number, with_pair) in [(1, true), (2, true), (3, false)] {
            hook.rotate(fresh(number, with_pair), secs(10), NOW)
                .unwrap();
        }
        let old = |number: &str| (number.to_owned(), NOW.0 + 10_000);
        let expected = (Some("3".to_owned()), vec![old("1"), old("2")]);
        assert_eq!(secrets(&hook), expected);
        assert_eq!(hook.key_pair, Some(KeyPair::from_seed(&[2; 32])));
        let pairs: Vec<_> = hook.old_key_pairs.iter().map(|old| &old.key).collect();
        assert_eq!(pairs, [&KeyPair::from_seed(&[1; 32])]);
    }

    #[test]
    fn an_overlap_ends_with_its_last_millisecond() {
        let mut hook = bare();
        hook.rotate(fresh(1, false), secs(1), NOW).unwrap();
        hook.rotate(fresh(2, false), secs(1), NOW).unwrap();
        let end = Timestamp(NOW.0 + 1_000);
        let after = Timestamp(end.0 + 1);
        assert_eq!(hook.rotating_until(end), Some(end));
        assert_eq!(hook.rotating_until(after), None);
        hook.drop_expired_keys(end);
        assert_eq!(hook.old_secret_keys.iter().len(), 1);
        hook.drop_expired_keys(after);
        assert!(hook.old_secret_keys.is_empty());
    }

    #[test]
    fn the_eleventh_old_key_is_one_too_many_until_the_first_is_over() {
        let mut hook = bare();
        for number in 0..=10 {
            let overlap = secs(100 - u64::from(number));
            hook.rotate(fresh(number, false), overlap, NOW).unwrap();
        }
        let before = hook.clone();
        let first_end = Timestamp(NOW.0 + 90_000);
        let refused = hook.rotate(fresh(11, false), secs(1), first_end);
        assert_eq!(refused, Err(TooManyOldKeys { until: first_end }));
        assert_eq!(hook, before);
        let later = Timestamp(first_end.0 + 1);
        hook.rotate(fresh(11, false), secs(1), later).unwrap();
        assert_eq!(hook.old_secret_keys.iter().len(), 10);
    }

    #[test]
    fn without_an_overlap_nothing_old_holds_any_more() {
        let mut hook = bare();
        for number in 0..=10 {
            hook.rotate(fresh(number, true), secs(100), NOW).unwrap();
        }
        hook.rotate(fresh(11, false), Duration::ZERO, NOW).unwrap();
        assert_eq!(secrets(&hook), (Some("11".to_owned()), vec![]));
        assert!(hook.old_key_pairs.is_empty());
        assert_eq!(hook.rotating_until(NOW), None);
    }
}

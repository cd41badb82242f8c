//! What a hook signs with beside its secret key, as it stands at the end of the sealed text: its
//! old secret keys, its ed25519 pair and the old ones of these, each with its end.

use serde::{Deserialize, Serialize};
use whisperer_domain::hook::Hook;
use whisperer_domain::secret::Secret;
use whisperer_domain::sign::{KeyPair, OldKey, OldKeys};
use whisperer_domain::time::Timestamp;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Wiped when dropped.
#[derive(Default, PartialEq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub(super) struct KeysRecord {
    old_secrets: Vec<OldRecord>,
    pair: Option<String>,
    old_pairs: Vec<OldRecord>,
}

#[derive(PartialEq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
struct OldRecord {
    key: String,
    #[zeroize(skip)]
    until: Timestamp,
}

/// The same as a hook has them.
#[derive(Default)]
pub(super) struct SigningKeys {
    pub(super) old_secrets: OldKeys<Secret>,
    pub(super) pair: Option<KeyPair>,
    pub(super) old_pairs: OldKeys<KeyPair>,
}

impl KeysRecord {
    pub(super) fn of(hook: &Hook) -> Self {
        let text = |secret: &Secret| secret.expose().to_owned();
        let old = |key: &Secret, until| OldRecord {
            key: text(key),
            until,
        };
        let old_secrets = hook.old_secret_keys.iter();
        let old_pairs = hook.old_key_pairs.iter();
        Self {
            old_secrets: old_secrets.map(|it| old(&it.key, it.until)).collect(),
            pair: hook.key_pair.as_ref().map(|pair| text(pair.private())),
            old_pairs: old_pairs
                .map(|it| old(it.key.private(), it.until))
                .collect(),
        }
    }

    /// None if what is said to be a pair is none.
    pub(super) fn keys(&self) -> Option<SigningKeys> {
        let secret = |text: &String| Secret::new(text.clone());
        let pair = |text| KeyPair::parse(secret(text));
        let old_secrets = self.old_secrets.iter().map(|old| OldKey {
            key: secret(&old.key),
            until: old.until,
        });
        let old_pairs = self.old_pairs.iter().map(|old| {
            Some(OldKey {
                key: pair(&old.key)?,
                until: old.until,
            })
        });
        Some(SigningKeys {
            old_secrets: old_secrets.collect(),
            pair: match &self.pair {
                Some(text) => Some(pair(text)?),
                None => None,
            },
            old_pairs: old_pairs.collect::<Option<_>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use whisperer_domain::time::Timestamp;

    use super::{KeysRecord, OldRecord};
    use crate::redb_store::frame;

    fn old(key: &str, until: u64) -> OldRecord {
        OldRecord {
            key: key.to_owned(),
            until: Timestamp(until),
        }
    }

    fn pair() -> String {
        "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbc=".to_owned()
    }

    #[test]
    fn keys_keep_their_bytes() {
        let keys = KeysRecord {
            old_secrets: vec![old("ab", 300)],
            pair: Some("p".to_owned()),
            old_pairs: vec![old("q", 1)],
        };
        let bytes = frame::appended(&keys);
        assert_eq!(bytes, b"\x01\x02ab\xac\x02\x01\x01p\x01\x01q\x01");
        let read: KeysRecord = frame::read_appended("t", &1, &bytes).unwrap();
        assert!(read == keys);
        assert!(frame::appended(&KeysRecord::default()).is_empty());
    }

    #[test]
    fn what_is_no_pair_does_not_pass_for_one() {
        let record = |key: String, old_key: &str| KeysRecord {
            pair: Some(key),
            old_pairs: vec![old(old_key, 1)],
            old_secrets: Vec::new(),
        };
        assert!(record(pair(), &pair()).keys().is_some());
        assert!(record("whsk_x".to_owned(), &pair()).keys().is_none());
        assert!(record(pair(), "").keys().is_none());
    }
}

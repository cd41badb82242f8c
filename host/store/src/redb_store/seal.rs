//! Secrets at rest: XChaCha20-Poly1305 under the keys of the key file.
//!
//! Nonces are random: with 24 bytes they may be. Whom and what a text belongs to is bound in as
//! associated data, so a sealed text moved to another hook does not open. Each says under which key
//! it was sealed, so that there may be several while they are exchanged.

use std::fmt;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::fault::Fault;
use super::key::Key;

const NONCE_BYTES: usize = 24;

/// Tells which key it is, and nothing about it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct KeyId([u8; 8]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a sealed text was sealed with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct With {
    pub(super) key_id: KeyId,
    nonce: [u8; NONCE_BYTES],
}

/// A sealed text, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sealed {
    pub(super) with: With,
    pub(super) text: Vec<u8>,
}

/// The keys of the key file, the one that seals first. Never empty.
#[derive(Clone)]
pub(super) struct Seal {
    first: Known,
    others: Vec<Known>,
}

#[derive(Clone)]
struct Known {
    key: Key,
    id: KeyId,
}

impl Known {
    fn new(key: Key) -> Self {
        let mut digest = Sha256::new();
        digest.update(b"whisperer key id\0");
        digest.update(*key.bare());
        let digest: [u8; 32] = digest.finalize().into();
        let [a, b, c, d, e, f, g, h, ..] = digest;
        let id = KeyId([a, b, c, d, e, f, g, h]);
        Self { key, id }
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.key.bare()).into())
    }
}

impl Seal {
    pub(super) fn new(first: Key) -> Self {
        Self {
            first: Known::new(first),
            others: Vec::new(),
        }
    }

    /// None without a key.
    pub(super) fn of(ring: Vec<Key>) -> Option<Self> {
        let mut ring = ring.into_iter().map(Known::new);
        Some(Self {
            first: ring.next()?,
            others: ring.collect(),
        })
    }

    /// With this key before the others.
    pub(super) fn after(&self, first: Key) -> Self {
        Self {
            first: Known::new(first),
            others: self.known().cloned().collect(),
        }
    }

    /// The first key, and of the others those that are `kept`.
    pub(super) fn only(&self, kept: impl Fn(KeyId) -> bool) -> Self {
        let others = self.others.iter().filter(|known| kept(known.id));
        Self {
            first: self.first.clone(),
            others: others.cloned().collect(),
        }
    }

    fn known(&self) -> impl Iterator<Item = &Known> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// As they stand in the key file.
    pub(super) fn ring(&self) -> Vec<Key> {
        self.known().map(|known| known.key.clone()).collect()
    }

    /// Of the key that seals.
    pub(super) fn key_id(&self) -> KeyId {
        self.first.id
    }

    pub(super) fn key_ids(&self) -> Vec<KeyId> {
        self.known().map(|known| known.id).collect()
    }

    pub(super) fn knows(&self, id: KeyId) -> bool {
        self.known().any(|known| known.id == id)
    }

    /// Whether keys are being exchanged.
    pub(super) fn has_others(&self) -> bool {
        !self.others.is_empty()
    }

    pub(super) fn seal(&self, belongs_to: &[u8], text: &[u8]) -> Result<Sealed, Fault> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(Fault::Random)?;
        let payload = Payload {
            msg: text,
            aad: belongs_to,
        };
        // The cipher refuses only texts beyond 256 GiB; ours are bounded far below.
        let text = self
            .first
            .cipher()
            .encrypt(&XNonce::from(nonce), payload)
            .expect("what is sealed is below the cipher's limit");
        Ok(Sealed {
            with: With {
                key_id: self.first.id,
                nonce,
            },
            text,
        })
    }

    /// None: sealed under another key, for something else, or altered.
    pub(super) fn open(&self, belongs_to: &[u8], sealed: &Sealed) -> Option<Zeroizing<Vec<u8>>> {
        self.open_parts(belongs_to, &sealed.with, &sealed.text)
    }

    pub(super) fn open_parts(
        &self,
        belongs_to: &[u8],
        with: &With,
        text: &[u8],
    ) -> Option<Zeroizing<Vec<u8>>> {
        let known = self.known().find(|known| known.id == with.key_id)?;
        let payload = Payload {
            msg: text,
            aad: belongs_to,
        };
        let text = known
            .cipher()
            .decrypt(&XNonce::from(with.nonce), payload)
            .ok()?;
        Some(Zeroizing::new(text))
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::Seal;
    use crate::redb_store::key::Key;

    fn key(byte: u8) -> Key {
        Key::new(&Zeroizing::new([byte; 32]))
    }

    #[test]
    fn a_text_opens_only_where_it_belongs_and_unaltered() {
        let seal = Seal::new(key(7));
        let mut sealed = seal.seal(b"hook 1", b"hunter2").unwrap();
        assert_eq!(
            seal.open(b"hook 1", &sealed).unwrap().as_slice(),
            b"hunter2"
        );
        assert_eq!(seal.open(b"hook 2", &sealed), None);
        let other = Seal::new(key(8));
        assert_eq!(other.open(b"hook 1", &sealed), None);
        sealed.text[0] ^= 1;
        assert_eq!(seal.open(b"hook 1", &sealed), None);
    }

    #[test]
    fn the_first_key_seals_and_the_others_open() {
        let old = Seal::new(key(0xa7));
        let sealed = old.seal(b"hook 1", b"hunter2").unwrap();
        let both = old.after(key(8));
        assert!(both.open(b"hook 1", &sealed).is_some());
        let anew = both.seal(b"hook 1", b"hunter2").unwrap();
        assert_eq!(old.open(b"hook 1", &anew), None);
        let new = both.only(|_| false);
        assert_eq!(new.key_ids(), [both.key_id()]);
        assert!(new.open(b"hook 1", &anew).is_some());
        assert_eq!(new.open(b"hook 1", &sealed), None);
        assert_eq!(*both.ring()[1].bare(), [0xa7; 32], "as it was given");
    }
}

//! Secrets at rest: XChaCha20-Poly1305 under the key of the key file.
//!
//! Nonces are random: with 24 bytes they may be. Whom and what a text belongs to is bound in as
//! associated data, so a sealed text moved to another hook does not open.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::fault::Fault;
use super::key::Key;

const NONCE_BYTES: usize = 24;

pub(super) type KeyId = [u8; 8];

/// A sealed text, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sealed {
    /// Which key: one day there may be two, while they are exchanged.
    key_id: KeyId,
    nonce: [u8; NONCE_BYTES],
    text: Vec<u8>,
}

pub(super) struct Seal {
    cipher: XChaCha20Poly1305,
    key_id: KeyId,
}

impl Seal {
    pub(super) fn new(key: &Key) -> Self {
        let mut digest = Sha256::new();
        digest.update(b"whisperer key id\0");
        digest.update(&key[..]);
        let digest: [u8; 32] = digest.finalize().into();
        let [a, b, c, d, e, f, g, h, ..] = digest;
        Self {
            cipher: XChaCha20Poly1305::new((&**key).into()),
            key_id: [a, b, c, d, e, f, g, h],
        }
    }

    /// Tells which key it is, and nothing about it.
    pub(super) fn key_id(&self) -> KeyId {
        self.key_id
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
            .cipher
            .encrypt(&XNonce::from(nonce), payload)
            .expect("a hook's secrets are below the cipher's limit");
        Ok(Sealed {
            key_id: self.key_id,
            nonce,
            text,
        })
    }

    /// None: sealed under another key, for something else, or altered.
    pub(super) fn open(&self, belongs_to: &[u8], sealed: &Sealed) -> Option<Zeroizing<Vec<u8>>> {
        if sealed.key_id != self.key_id {
            return None;
        }
        let payload = Payload {
            msg: &sealed.text,
            aad: belongs_to,
        };
        let text = self
            .cipher
            .decrypt(&XNonce::from(sealed.nonce), payload)
            .ok()?;
        Some(Zeroizing::new(text))
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::Seal;

    #[test]
    fn a_text_opens_only_where_it_belongs_and_unaltered() {
        let seal = Seal::new(&Zeroizing::new([7; 32]));
        let mut sealed = seal.seal(b"hook 1", b"hunter2").unwrap();
        assert_eq!(
            seal.open(b"hook 1", &sealed).unwrap().as_slice(),
            b"hunter2"
        );
        assert_eq!(seal.open(b"hook 2", &sealed), None);
        let other = Seal::new(&Zeroizing::new([8; 32]));
        assert_eq!(other.open(b"hook 1", &sealed), None);
        sealed.text[0] ^= 1;
        assert_eq!(seal.open(b"hook 1", &sealed), None);
    }
}

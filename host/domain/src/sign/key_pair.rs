//! An ed25519 key pair in the text forms of Standard Webhooks: `whsk_` and the base64 of the
//! private key, `whpk_` and that of the public one.
//!
//! Its private half is the 32-byte seed of RFC 8032 and stays in a [`Secret`]. What signing takes
//! is made of the seed at each signature and wiped after it, rather than kept open in memory for
//! as long as the hook is there: that costs a third of what signing costs in any case
//! (`benches/sign.rs`).

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::SigningKey;
use ed25519_dalek::ed25519::signature::MultipartSigner;
use zeroize::Zeroizing;

use crate::secret::Secret;

const PRIVATE_PREFIX: &str = "whsk_";
const PUBLIC_PREFIX: &str = "whpk_";
/// RFC 8410: the frame around the 32 bytes of an ed25519 key, as `SubjectPublicKeyInfo`.
const SPKI_HEAD: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];
pub const SEED_BYTES: usize = 32;

#[derive(Clone, PartialEq, Eq)]
pub struct KeyPair {
    /// Valid: [`seed_of`] reads it.
    private: Secret,
}

impl KeyPair {
    #[must_use]
    pub fn from_seed(seed: &[u8; SEED_BYTES]) -> Self {
        let mut text = String::with_capacity(PRIVATE_PREFIX.len() + SEED_BYTES.div_ceil(3) * 4);
        text.push_str(PRIVATE_PREFIX);
        STANDARD.encode_string(seed, &mut text);
        Self {
            private: Secret::new(text),
        }
    }

    /// As [`KeyPair::private`] told it; none if it is something else.
    #[must_use]
    pub fn parse(private: Secret) -> Option<Self> {
        seed_of(&private)?;
        Some(Self { private })
    }

    /// For sealing only.
    #[must_use]
    pub fn private(&self) -> &Secret {
        &self.private
    }

    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.signing_key().verifying_key().to_bytes())
    }

    /// The signature of these parts, one after the other.
    pub(super) fn sign(&self, parts: &[&[u8]]) -> [u8; 64] {
        self.signing_key().multipart_sign(parts).to_bytes()
    }

    /// Wiped when dropped.
    fn signing_key(&self) -> SigningKey {
        let seed = seed_of(&self.private).expect("both ways to make a pair take valid text only");
        SigningKey::from_bytes(&seed)
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}

fn seed_of(private: &Secret) -> Option<Zeroizing<[u8; SEED_BYTES]>> {
    let text = private.expose();
    let encoded = text.strip_prefix(PRIVATE_PREFIX)?;
    // Longer than what it must be, for the padding that is not there in the end.
    let mut bytes = Zeroizing::new([0; SEED_BYTES + 1]);
    let length = STANDARD.decode_slice(encoded, &mut bytes[..]).ok()?;
    let seed = bytes[..length].try_into().ok()?;
    Some(Zeroizing::new(seed))
}

/// What a receiver verifies with. No secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// RFC 7468, one line of base64.
    #[must_use]
    pub fn pem(&self) -> String {
        let der = [&SPKI_HEAD[..], &self.0].concat();
        format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
            STANDARD.encode(der)
        )
    }

    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PUBLIC_PREFIX}{}", STANDARD.encode(self.0))
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::KeyPair;
    use crate::secret::Secret;

    /// Seed and public key of the vector in Standard Webhooks' own tests.
    const VECTOR: &str =
        "6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";

    fn vector() -> (KeyPair, [u8; 32]) {
        let bytes = STANDARD.decode(VECTOR).unwrap();
        let seed = bytes[..32].try_into().unwrap();
        (KeyPair::from_seed(&seed), bytes[32..].try_into().unwrap())
    }

    #[test]
    fn the_public_key_is_that_of_the_vector_in_both_forms() {
        let (pair, public) = vector();
        assert_eq!(pair.public().as_bytes(), &public);
        assert_eq!(
            pair.public().to_string(),
            "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
        );
        // As `openssl pkey -pubin` writes it.
        assert_eq!(
            pair.public().pem(),
            "-----BEGIN PUBLIC KEY-----\n\
             MCowBQYDK2VwAyEA1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=\n\
             -----END PUBLIC KEY-----\n"
        );
    }

    #[test]
    fn the_private_text_is_read_back_and_nothing_else_is() {
        let (pair, _) = vector();
        let text = pair.private().expose().to_owned();
        assert_eq!(text, "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbc=");
        assert_eq!(KeyPair::parse(Secret::new(text.clone())), Some(pair));
        let bad = [
            String::new(),
            "whsk_".to_owned(),
            text.trim_end_matches('=').to_owned(),
            text.replace('/', "_"),
            text.replace("whsk_", "whsec_"),
            format!("{text}\n"),
            format!("whsk_{}", STANDARD.encode([7; 31])),
            format!("whsk_{}", STANDARD.encode([7; 33])),
            format!("whsk_{VECTOR}"),
        ];
        for text in bad {
            assert_eq!(KeyPair::parse(Secret::new(text.clone())), None, "{text:?}");
        }
    }

    #[test]
    fn debug_shows_nothing() {
        let (pair, _) = vector();
        assert_eq!(format!("{pair:?}"), "[REDACTED]");
    }
}

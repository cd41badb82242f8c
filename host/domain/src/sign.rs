//! Signatures over exactly the bytes that are sent.
//!
//! W's form and GitHub's take the secret's text as it is, also when it begins `whsec_`: their
//! receivers know nothing of that prefix. Only Standard Webhooks decodes it.
//!
//! While a rotation is under way, Standard Webhooks' header carries a signature for each key that
//! holds, and its receivers take any one of them. The other two forms have room for one: it stays
//! the oldest key's to the end, because a receiver that has both keys can try both, and one that
//! was not told yet has the old one.

mod key_pair;
mod old_keys;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::secret::Secret;
use crate::time::Timestamp;

pub use key_pair::{KeyPair, PublicKey, SEED_BYTES};
pub use old_keys::{OLD_KEYS_MAX, OldKey, OldKeys};

/// The most characters of a secret key.
pub const SECRET_CHARS_MAX: usize = 1024;

const STANDARD_PREFIX: &str = "whsec_";

/// Which signature headers a hook's requests carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SignatureForm {
    /// `X-Whisperer-Signature`
    Whisperer,
    /// Standard Webhooks: `webhook-id`, `webhook-timestamp`, `webhook-signature`
    Standard,
    /// `X-Hub-Signature-256`
    Github,
    /// Standard Webhooks' `v1a`: verified with a public key
    Ed25519,
}

/// All that a hook has to sign with. Which of the old ones hold is up to the time of the attempt.
#[derive(Clone, Copy, Debug)]
pub struct Keys<'a> {
    pub secret: Option<&'a Secret>,
    pub old_secrets: &'a OldKeys<Secret>,
    pub pair: Option<&'a KeyPair>,
    pub old_pairs: &'a OldKeys<KeyPair>,
}

impl<'a> Keys<'a> {
    /// Newest first.
    fn secrets(&self, now: Timestamp) -> impl Iterator<Item = &'a Secret> {
        let old = self.old_secrets.holding(now).rev().map(|old| &old.key);
        self.secret.into_iter().chain(old)
    }

    /// Newest first.
    fn pairs(&self, now: Timestamp) -> impl Iterator<Item = &'a KeyPair> {
        let old = self.old_pairs.holding(now).rev().map(|old| &old.key);
        self.pair.into_iter().chain(old)
    }
}

/// Checks a secret key before it is taken. Control characters are refused because they come
/// of an accident (a line end that was read along with a file), and then no receiver agrees.
///
/// # Errors
/// A sentence for the `secret_key` field, without the secret.
pub fn check_secret(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("Must not be empty; null means unsigned.".to_owned());
    }
    if text.chars().count() > SECRET_CHARS_MAX {
        return Err(format!("Must have at most {SECRET_CHARS_MAX} characters."));
    }
    if text.chars().any(char::is_control) {
        return Err("Must not contain control characters.".to_owned());
    }
    if text.starts_with(STANDARD_PREFIX) && decode(text).is_none() {
        return Err(
            "After \"whsec_\" must come standard base64, with padding, of 24 to 64 bytes."
                .to_owned(),
        );
    }
    Ok(())
}

/// The key of Standard Webhooks: what follows `whsec_`, decoded; any other text as its UTF-8
/// bytes, never guessed at.
#[must_use]
pub fn key(secret: &Secret) -> Zeroizing<Vec<u8>> {
    let text = secret.expose();
    decode(&text).unwrap_or_else(|| Zeroizing::new(text.as_bytes().to_vec()))
}

fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let encoded = text.strip_prefix(STANDARD_PREFIX)?;
    let key = Zeroizing::new(STANDARD.decode(encoded).ok()?);
    (24..=64).contains(&key.len()).then_some(key)
}

/// The signature headers of one attempt, in the order of `forms`. `id` is the delivery's and
/// stays the same over all attempts; `now` is the attempt's. Without a key a request is unsigned,
/// but Standard Webhooks' id and timestamp still let the receiver tell repetitions.
#[must_use]
pub fn headers(
    forms: &[SignatureForm],
    keys: &Keys<'_>,
    id: &str,
    now: Timestamp,
    body: &[u8],
) -> Vec<(String, String)> {
    let mut headers = Vec::new();
    let mut add = |name: &str, value: String| headers.push((name.to_owned(), value));
    let mut standard_is_there = false;
    for (position, form) in forms.iter().enumerate() {
        if forms[..position].contains(form) {
            continue;
        }
        match form {
            SignatureForm::Whisperer => {
                if let Some(value) = single(keys, now, body) {
                    add("X-Whisperer-Signature", value);
                }
            }
            SignatureForm::Github => {
                if let Some(value) = single(keys, now, body) {
                    add("X-Hub-Signature-256", value);
                }
            }
            SignatureForm::Standard | SignatureForm::Ed25519 if standard_is_there => {}
            SignatureForm::Standard | SignatureForm::Ed25519 => {
                standard_is_there = true;
                let timestamp = now.as_secs().to_string();
                let text = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body];
                let signatures = standard(forms, keys, now, &text);
                add("webhook-id", id.to_owned());
                add("webhook-timestamp", timestamp);
                if !signatures.is_empty() {
                    add("webhook-signature", signatures);
                }
            }
        }
    }
    headers
}

/// The value of a header that takes one signature only.
fn single(keys: &Keys<'_>, now: Timestamp, body: &[u8]) -> Option<String> {
    let oldest = keys.secrets(now).last()?;
    let mac = hmac(oldest.expose().as_bytes(), &[body]);
    Some(format!("sha256={}", hex::encode(mac)))
}

/// The value of `webhook-signature`: what the hook's forms name of it, newest first.
fn standard(forms: &[SignatureForm], keys: &Keys<'_>, now: Timestamp, text: &[&[u8]]) -> String {
    let named = |form| forms.contains(&form);
    let secrets = keys.secrets(now).filter(|_| named(SignatureForm::Standard));
    let pairs = keys.pairs(now).filter(|_| named(SignatureForm::Ed25519));
    let secrets = secrets.map(|secret| format!("v1,{}", STANDARD.encode(hmac(&key(secret), text))));
    let pairs = pairs.map(|pair| format!("v1a,{}", STANDARD.encode(pair.sign(text))));
    secrets.chain(pairs).collect::<Vec<_>>().join(" ")
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    // HMAC takes keys of any length (RFC 2104, section 2): longer ones are hashed first.
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("an HMAC key has no wrong length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests;

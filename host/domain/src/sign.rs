//! Signatures over exactly the bytes that are sent.
//!
//! W's form and GitHub's take the secret's text as it is, also when it begins `whsec_`: their
//! receivers know nothing of that prefix. Only Standard Webhooks decodes it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::secret::Secret;
use crate::time::Timestamp;

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
/// stays the same over all attempts; `now` is the attempt's. Without a secret a request is
/// unsigned, but Standard Webhooks' id and timestamp still let the receiver tell repetitions.
#[must_use]
pub fn headers(
    forms: &[SignatureForm],
    secret: Option<&Secret>,
    id: &str,
    now: Timestamp,
    body: &[u8],
) -> Vec<(String, String)> {
    let mut headers = Vec::new();
    let mut add = |name: &str, value: String| headers.push((name.to_owned(), value));
    let raw = |secret: &Secret| {
        let mac = hmac(secret.expose().as_bytes(), &[body]);
        format!("sha256={}", hex::encode(mac))
    };
    for (position, form) in forms.iter().enumerate() {
        if forms[..position].contains(form) {
            continue;
        }
        match (form, secret) {
            (SignatureForm::Whisperer, Some(secret)) => add("X-Whisperer-Signature", raw(secret)),
            (SignatureForm::Github, Some(secret)) => add("X-Hub-Signature-256", raw(secret)),
            (SignatureForm::Whisperer | SignatureForm::Github, None) => {}
            (SignatureForm::Standard, secret) => {
                let timestamp = now.as_secs().to_string();
                add("webhook-id", id.to_owned());
                add("webhook-timestamp", timestamp.clone());
                if let Some(secret) = secret {
                    add("webhook-signature", standard(secret, id, &timestamp, body));
                }
            }
        }
    }
    headers
}

fn standard(secret: &Secret, id: &str, timestamp: &str, body: &[u8]) -> String {
    let parts = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body];
    format!("v1,{}", STANDARD.encode(hmac(&key(secret), &parts)))
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
mod tests {
    use super::{SignatureForm, check_secret, headers};
    use crate::secret::Secret;
    use crate::time::Timestamp;

    const MSG: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";

    fn sign(form: SignatureForm, secret: &str, id: &str, secs: u64, body: &str) -> Vec<String> {
        let secret = Secret::new(secret.to_owned());
        let now = Timestamp(secs * 1000 + 999);
        headers(&[form, form], Some(&secret), id, now, body.as_bytes())
            .into_iter()
            .map(|(name, value)| format!("{name}: {value}"))
            .collect()
    }

    #[test]
    fn standard_webhooks_vectors() {
        let body = r#"{"test": 2432232314}"#;
        let cases = [
            (
                "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                MSG,
                1_614_265_330,
                body,
                "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            ),
            (
                "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
                "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
                1_649_367_553,
                r#"{"email":"test@example.com","username":"test_user"}"#,
                "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
            ),
            (
                "my-secret-key",
                MSG,
                1_614_265_330,
                body,
                "v1,drRCR7i/rUD0PqIb/DoKqZ4zFj6WxUvEUH2KI0gHpNE=",
            ),
        ];
        for (secret, id, secs, body, signature) in cases {
            let expected = [
                format!("webhook-id: {id}"),
                format!("webhook-timestamp: {secs}"),
                format!("webhook-signature: {signature}"),
            ];
            assert_eq!(
                sign(SignatureForm::Standard, secret, id, secs, body),
                expected
            );
        }
    }

    #[test]
    fn raw_forms_take_the_secret_as_text() {
        let hello = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        for (form, name) in [
            (SignatureForm::Github, "X-Hub-Signature-256"),
            (SignatureForm::Whisperer, "X-Whisperer-Signature"),
        ] {
            let got = sign(form, "It's a Secret to Everybody", MSG, 1, "Hello, World!");
            assert_eq!(got, [format!("{name}: sha256={hello}")]);
        }
        // Computed with OpenSSL: the key is the whole text, prefix and all.
        let prefixed = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let got = sign(SignatureForm::Whisperer, prefixed, MSG, 1, "Hello, World!");
        assert_eq!(
            got,
            [
                "X-Whisperer-Signature: sha256=7ad4fd21c74c164320d9ac01f24d0797c8be594bf356ab332fdd61a03b78cec0"
            ]
        );
    }

    #[test]
    fn without_a_secret_only_id_and_timestamp_are_sent() {
        let forms = [
            SignatureForm::Whisperer,
            SignatureForm::Standard,
            SignatureForm::Github,
        ];
        let got = headers(&forms, None, "id", Timestamp(5_000), b"x");
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            got,
            [pair("webhook-id", "id"), pair("webhook-timestamp", "5")]
        );
    }

    #[test]
    fn secrets_are_taken_or_refused_by_the_rule() {
        use base64::Engine;
        let whsec = |bytes: usize| {
            let text = base64::engine::general_purpose::STANDARD.encode(vec![0xfb; bytes]);
            format!("whsec_{text}")
        };
        let taken = [
            "x",
            "my-secret-key",
            "🔑",
            " a b ",
            "WHSEC_x",
            &"x".repeat(1024),
        ];
        for secret in taken {
            assert_eq!(check_secret(secret), Ok(()), "{secret:?}");
        }
        for bytes in [24, 25, 64] {
            assert_eq!(check_secret(&whsec(bytes)), Ok(()), "{bytes} bytes");
        }
        let refused = [
            String::new(),
            "x".repeat(1025),
            "a\n".to_owned(),
            "a\0b".to_owned(),
            "whsec_".to_owned(),
            "whsec_no base64".to_owned(),
            whsec(23),
            whsec(65),
            whsec(25).trim_end_matches('=').to_owned(),
            whsec(24).replace('+', "-").replace('/', "_"),
            whsec(24) + "\n",
        ];
        for secret in refused {
            let reason = check_secret(&secret).unwrap_err();
            assert!(secret.len() < 8 || !reason.contains(&secret), "{reason}");
        }
    }
}

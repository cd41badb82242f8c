//! Signatures checked by code that is not ours: the official Standard Webhooks library, ring for
//! ed25519, and for the original form and GitHub's, which are plain HMAC, ring as well.

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use ring::signature::{ED25519, UnparsedPublicKey};

use super::receiver::Received;

/// Panics unless both signatures hold for the bytes that arrived.
pub(crate) fn signatures_hold(request: &Received, secret: &str) {
    let (headers, body) = (&request.headers, &request.body);
    assert!(
        standard_holds(secret, headers, body),
        "the Standard Webhooks signature holds"
    );
    assert!(
        raw_holds("x-whisperer-signature", secret, headers, body),
        "the original signature holds"
    );
}

/// One of the header's `v1`, by the official library. It takes bodies of text only.
pub(crate) fn standard_holds(secret: &str, headers: &HeaderMap, body: &[u8]) -> bool {
    let webhook = standardwebhooks::Webhook::from_bytes(standard_key(secret)).expect("a key");
    webhook.verify(body, headers).is_ok()
}

pub(crate) fn github_holds(secret: &str, headers: &HeaderMap, body: &[u8]) -> bool {
    raw_holds("x-hub-signature-256", secret, headers, body)
}

fn raw_holds(name: &str, secret: &str, headers: &HeaderMap, body: &[u8]) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = text(headers, name).and_then(|it| it.strip_prefix("sha256="));
    let tag = tag.and_then(|tag| hex::decode(tag).ok());
    tag.is_some_and(|tag| hmac::verify(&key, body, &tag).is_ok())
}

/// One of the header's `v1a`. `public_key`: its 32 bytes.
pub(crate) fn ed25519_holds(public_key: &[u8], headers: &HeaderMap, body: &[u8]) -> bool {
    let part = |name| text(headers, name).unwrap_or_default();
    let mut signed = format!("{}.{}.", part("webhook-id"), part("webhook-timestamp")).into_bytes();
    signed.extend_from_slice(body);
    let key = UnparsedPublicKey::new(&ED25519, public_key);
    part("webhook-signature")
        .split(' ')
        .filter_map(|it| STANDARD.decode(it.strip_prefix("v1a,")?).ok())
        .any(|signature| key.verify(&signed, &signature).is_ok())
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn standard_key(secret: &str) -> Vec<u8> {
    match secret.strip_prefix("whsec_") {
        Some(text) => STANDARD.decode(text).expect("base64"),
        None => secret.as_bytes().to_vec(),
    }
}

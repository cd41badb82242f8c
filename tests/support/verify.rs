//! Signatures checked by code that is not ours: the official Standard Webhooks library, and
//! plain HMAC for the original form.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::receiver::Received;

/// Panics unless both signatures hold for the bytes that arrived.
pub(crate) fn signatures_hold(request: &Received, secret: &str) {
    let webhook = standardwebhooks::Webhook::from_bytes(standard_key(secret)).expect("a key");
    webhook
        .verify(&request.body, &request.headers)
        .expect("the Standard Webhooks signature holds");

    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key");
    mac.update(&request.body);
    let expected = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
    assert_eq!(request.header("x-whisperer-signature"), expected);
}

fn standard_key(secret: &str) -> Vec<u8> {
    use base64::Engine;
    match secret.strip_prefix("whsec_") {
        Some(text) => base64::engine::general_purpose::STANDARD
            .decode(text)
            .expect("base64"),
        None => secret.as_bytes().to_vec(),
    }
}

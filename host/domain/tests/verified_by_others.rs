//! What we sign, held against libraries that are not ours: the official one of Standard Webhooks,
//! and ring for ed25519. Also that they refuse it with one bit turned, or too old.

#![allow(
    clippy::unwrap_used,
    reason = "what a test cannot go on without ends it, with the place"
)]

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;
use ring::signature::{ED25519, UnparsedPublicKey};
use standardwebhooks::Webhook;
use whisperer_domain::secret::Secret;
use whisperer_domain::sign::{KeyPair, Keys, OldKey, OldKeys, SignatureForm, headers};
use whisperer_domain::time::Timestamp;

const OLD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NEW: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const ID: &str = "0199c0ffee";

#[allow(
    clippy::disallowed_methods,
    reason = "the official verifier compares with the machine's clock"
)]
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp(since.as_millis().try_into().unwrap())
}

/// The headers of an attempt amid a rotation: v1 by the new and the old, v1a likewise.
fn sent(at: Timestamp, body: &[u8]) -> HeaderMap {
    let until = Timestamp(u64::MAX);
    let secret = |text: &str| Secret::new(text.to_owned());
    let old_secrets: OldKeys<_> = [OldKey {
        key: secret(OLD),
        until,
    }]
    .into_iter()
    .collect();
    let old_pairs: OldKeys<_> = [OldKey {
        key: old_pair(),
        until,
    }]
    .into_iter()
    .collect();
    let keys = Keys {
        secret: Some(&secret(NEW)),
        old_secrets: &old_secrets,
        pair: Some(&new_pair()),
        old_pairs: &old_pairs,
    };
    let forms = [SignatureForm::Standard, SignatureForm::Ed25519];
    headers(&forms, &keys, ID, at, body)
        .into_iter()
        .map(|(name, value)| {
            (
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_str(&value).unwrap(),
            )
        })
        .collect()
}

fn new_pair() -> KeyPair {
    KeyPair::from_seed(&[7; 32])
}

fn old_pair() -> KeyPair {
    KeyPair::from_seed(&[6; 32])
}

/// By the official library.
fn v1_holds(secret: &str, body: &[u8], headers: &HeaderMap) -> bool {
    Webhook::new(secret).unwrap().verify(body, headers).is_ok()
}

/// By ring, as a receiver would write it: any one of the header's `v1a`.
fn v1a_holds(pair: &KeyPair, body: &[u8], headers: &HeaderMap) -> bool {
    let text = |name: &str| headers[name].to_str().unwrap().to_owned();
    let mut signed = format!("{}.{}.", text("webhook-id"), text("webhook-timestamp")).into_bytes();
    signed.extend_from_slice(body);
    let key = UnparsedPublicKey::new(&ED25519, pair.public().as_bytes().to_vec());
    text("webhook-signature")
        .split(' ')
        .filter_map(|it| it.strip_prefix("v1a,"))
        .filter_map(|it| STANDARD.decode(it).ok())
        .any(|signature| key.verify(&signed, &signature).is_ok())
}

fn all_hold(body: &[u8], headers: &HeaderMap) -> [bool; 4] {
    [
        v1_holds(NEW, body, headers),
        v1_holds(OLD, body, headers),
        v1a_holds(&new_pair(), body, headers),
        v1a_holds(&old_pair(), body, headers),
    ]
}

proptest! {
    #[test]
    fn any_text_verifies_with_each_key_that_holds(body in any::<String>()) {
        let body = body.as_bytes();
        let headers = sent(now(), body);
        prop_assert_eq!(all_hold(body, &headers), [true; 4]);
        prop_assert!(!v1_holds("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", body, &headers));
        prop_assert!(!v1a_holds(&KeyPair::from_seed(&[5; 32]), body, &headers));
    }

    /// The official library takes UTF-8 only, so that this one is ring's alone.
    #[test]
    fn any_bytes_verify_too(body in proptest::collection::vec(any::<u8>(), 0..3000)) {
        let headers = sent(now(), &body);
        prop_assert!(v1a_holds(&new_pair(), &body, &headers));
        prop_assert!(v1a_holds(&old_pair(), &body, &headers));
    }

    #[test]
    fn one_turned_bit_of_body_id_or_timestamp_is_refused(
        body in ".{1,100}",
        place in any::<prop::sample::Index>(),
        bit in 0..8u8,
    ) {
        let body = body.into_bytes();
        let headers = sent(now(), &body);
        let mut turned = body.clone();
        turned[place.index(body.len())] ^= 1 << bit;
        prop_assert_eq!(all_hold(&turned, &headers), [false; 4]);
        for name in ["webhook-id", "webhook-timestamp"] {
            let mut value = headers[name].as_bytes().to_vec();
            // Digits and letters stay what a header may hold when their lowest bit is turned.
            let place = place.index(value.len());
            value[place] ^= 1;
            let mut changed = headers.clone();
            changed.insert(name, HeaderValue::from_bytes(&value).unwrap());
            prop_assert_eq!(all_hold(&body, &changed), [false; 4], "{}", name);
        }
    }

    #[test]
    fn one_turned_bit_of_a_signature_is_refused(
        body in ".{0,100}",
        place in any::<prop::sample::Index>(),
        bit in 0..8u8,
    ) {
        let body = body.into_bytes();
        let whole = sent(now(), &body);
        let signatures: Vec<_> = whole["webhook-signature"].to_str().unwrap().split(' ').collect();
        prop_assert_eq!(signatures.len(), 4);
        for (number, signature) in signatures.iter().enumerate() {
            let (kind, text) = signature.split_once(',').unwrap();
            let mut bytes = STANDARD.decode(text).unwrap();
            bytes[place.index(text.len() / 2)] ^= 1 << bit;
            let mut alone = whole.clone();
            let mut only = |signature: &str| {
                alone.insert("webhook-signature", HeaderValue::from_str(signature).unwrap());
                all_hold(&body, &alone)
            };
            // Alone it holds for its own key, turned for none.
            let mut expected = [false; 4];
            expected[number] = true;
            prop_assert_eq!(only(signature), expected);
            let turned = format!("{kind},{}", STANDARD.encode(&bytes));
            prop_assert_eq!(only(&turned), [false; 4]);
        }
    }
}

#[test]
fn what_is_301_seconds_off_is_refused_by_the_official_library() {
    let body = br#"{"test": 1}"#;
    let now = now();
    let secs = |secs: u64| std::time::Duration::from_secs(secs);
    let earlier = |by: u64| Timestamp(now.0 - by * 1000);
    for (at, holds) in [
        (now, true),
        (earlier(290), true),
        (now.after(secs(290)), true),
        (earlier(301), false),
        (now.after(secs(310)), false),
    ] {
        let headers = sent(at, body);
        assert_eq!(v1_holds(NEW, body, &headers), holds, "{at:?} at {now:?}");
    }
}

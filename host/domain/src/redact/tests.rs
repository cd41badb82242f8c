//! What is masked of an attempt, and what is left.

use bytes::Bytes;

use super::Redaction;
use crate::attempt::{RESPONSE_KEPT_BYTES_MAX, Response};
use crate::event_type::EventPattern;
use crate::header::HeaderOp;
use crate::hook::{BasicAuth, ChainLink, Hook, PluginChoice};
use crate::id::Owner;
use crate::outcome::Outcome;
use crate::plugin::PluginName;
use crate::secret::{MASK, Secret};
use crate::sign::KeyPair;
use crate::target_url::TargetUrl;
use crate::time::Timestamp;

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

fn hook() -> Hook {
    let config = r#"{"token": "plugin \"token\"", "more": {"list": ["inner-secret", 1234567]}, "open": "open-value"}"#;
    Hook {
        secret_key: Some(secret("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")),
        auth: Some(BasicAuth {
            username: "ann".to_owned(),
            password: secret("open sesame"),
        }),
        additional_headers: Some(vec![
            ("x-key".to_owned(), secret("Bearer header-secret")),
            ("x-short".to_owned(), secret("on")),
        ]),
        plugins: PluginChoice::Chain(vec![ChainLink {
            hidden: vec!["/token".to_owned(), "/more".to_owned()],
            ..ChainLink::new(PluginName::parse("p").unwrap(), secret(config))
        }]),
        ..Hook::new(
            Owner::parse("ann").unwrap(),
            TargetUrl::parse("https://a.example/").unwrap(),
            EventPattern::All,
        )
    }
}

fn masked(text: &str, cut: bool) -> String {
    let mut text = text.to_owned();
    Redaction::of(&hook()).text(&mut text, cut);
    text
}

#[test]
fn each_secret_is_masked_wherever_it_stands() {
    for (text, expected) in [
        ("a header-secret b header-secret", "a ******** b ********"),
        ("x: Bearer header-secret", "x: ********"),
        ("open sesame", "********"),
        ("Basic YW5uOm9wZW4gc2VzYW1l!", "Basic ********!"),
        ("key=whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "key=********"),
        ("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.", "********."),
        (r#"plugin "token""#, "********"),
        (r#"{"t": "plugin \"token\""}"#, r#"{"t": "********"}"#),
        ("inner-secret, 1234567", "********, ********"),
        ("ünï header-secret cödé", "ünï ******** cödé"),
    ] {
        assert_eq!(masked(text, false), expected);
    }
}

#[test]
fn what_is_no_secret_stays() {
    for text in ["", "it goes on and on", "open-value", "header-secre", "ann"] {
        assert_eq!(masked(text, false), text);
    }
}

#[test]
fn the_beginning_of_a_secret_at_a_cut_is_masked_too() {
    assert_eq!(masked("so header-secre", true), "so ********");
    assert_eq!(masked("so header", true), "so ********");
    assert_eq!(masked("so heade", true), "so heade", "too little to tell");
    assert_eq!(masked("header-secre goes on", true), "header-secre goes on");
}

#[test]
fn an_answer_that_grows_by_masks_keeps_its_bound() {
    let mut hook = hook();
    hook.additional_headers = Some(vec![("x".to_owned(), secret("secret"))]);
    let mut response = Response {
        status: 200,
        headers: vec![("x-echo".to_owned(), "a secret".to_owned())],
        body: Bytes::from("secret".repeat(RESPONSE_KEPT_BYTES_MAX / 6)),
        truncated: false,
    };
    Redaction::of(&hook).response(&mut response);
    assert_eq!(response.headers[0].1, format!("a {MASK}"));
    assert_eq!(response.body.len(), RESPONSE_KEPT_BYTES_MAX);
    assert!(response.truncated);
    assert!(response.body.iter().all(|byte| *byte == b'*'));
}

#[test]
fn what_plugins_put_into_credentials_headers_is_masked() {
    let set = |name: &str, value: &str| HeaderOp::Set {
        name: name.to_owned(),
        value: secret(value),
    };
    let ops = [
        set("Authorization", "Digest made-of-it"),
        set("X-Order", "order-4711"),
    ];
    let redaction = Redaction::of(&hook()).and(&ops);
    let mut outcome = Outcome::Internal {
        message: "made-of-it, order-4711, header-secret".to_owned(),
    };
    redaction.outcome(&mut outcome);
    let message = "********, order-4711, ********".to_owned();
    assert_eq!(outcome, Outcome::Internal { message });
}

#[test]
fn keys_that_are_on_their_way_out_and_private_halves_are_masked() {
    let mut hook = hook();
    let until = Timestamp(1);
    hook.old_secret_keys.retire(secret("the old one"), until);
    let pair = KeyPair::from_seed(&[1; 32]);
    let old_pair = KeyPair::from_seed(&[2; 32]);
    hook.key_pair = Some(pair.clone());
    hook.old_key_pairs.retire(old_pair.clone(), until);
    let redaction = Redaction::of(&hook);
    for private in [
        "the old one",
        &pair.private().expose(),
        &old_pair.private().expose(),
    ] {
        let mut text = format!("{{\"echo\": \"{private}\"}}");
        redaction.text(&mut text, false);
        assert_eq!(text, "{\"echo\": \"********\"}");
    }
}

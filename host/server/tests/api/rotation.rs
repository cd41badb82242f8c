//! `POST /hooks/{id}/secret/rotate/`: what signs when, what is refused, and what is remembered.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use standardwebhooks::Webhook;
use whisperer_domain::catalog::CatalogChange;
use whisperer_domain::hook::Hook;
use whisperer_domain::id::HookId;
use whisperer_domain::port::{Catalog as _, Clock as _};
use whisperer_domain::sign;

use crate::app::{Answer, TestApp};

const OLD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const BODY: &[u8] = br#"{"test": 1}"#;

fn stored(app: &TestApp) -> Hook {
    let snapshot = app.store.snapshot();
    let hook = snapshot.hooks.get(&HookId(1)).expect("there is a hook");
    Hook::clone(hook)
}

/// The signature headers of an attempt that is made now.
fn signed(app: &TestApp) -> BTreeMap<String, String> {
    let hook = stored(app);
    let now = app.clock.now();
    let headers = sign::headers(&hook.signatures, &hook.keys(), "msg_1", now, BODY);
    headers.into_iter().collect()
}

/// What the official library signs with these secrets, at the app's time.
fn official(app: &TestApp, secrets: &[&str]) -> Vec<String> {
    let secs = i64::try_from(app.clock.now().as_secs()).unwrap();
    let sign = |secret: &&str| Webhook::new(secret).unwrap().sign("msg_1", secs, BODY);
    secrets.iter().map(|it| sign(it).unwrap()).collect()
}

fn single(secret: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(BODY);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

async fn rotate(app: &TestApp, body: Value) -> Answer {
    app.root("POST", "/hooks/1/secret/rotate/", &body).await
}

async fn rotated(app: &TestApp, body: Value) -> Value {
    let answer = rotate(app, body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

/// The messages of a refusal, by their field.
async fn refused(app: &TestApp, body: Value, field: &str) -> String {
    let before = stored(app);
    let answer = rotate(app, body.clone()).await;
    assert_eq!(answer.status, 400, "{body}: {}", answer.text);
    assert_eq!(stored(app), before, "{body}");
    let shown = answer.json();
    let found = shown.pointer(&format!("/errors/{field}/0"));
    found.unwrap_or_else(|| panic!("{shown}")).to_string()
}

async fn state(app: &TestApp) -> Value {
    let mut shown = app.root("GET", "/hooks/1/", &Value::Null).await.json();
    shown["state"]["rotating_until"].take()
}

#[tokio::test]
async fn each_key_signs_for_as_long_as_it_holds() {
    let app = TestApp::new().await;
    let forms = json!(["whisperer", "standard", "github", "ed25519"]);
    app.hook(json!({"secret_key": OLD, "signatures": forms}))
        .await;
    let v1a_count = |header: &str| {
        header
            .split(' ')
            .filter(|it| it.starts_with("v1a,"))
            .count()
    };
    let before = signed(&app);
    let [old] = &official(&app, &[OLD])[..] else {
        panic!("one secret, one signature");
    };
    assert!(before["webhook-signature"].starts_with(&format!("{old} v1a,")));

    let answer = rotated(&app, json!({"overlap_seconds": 3_600})).await;
    let new = answer["secret_key"].as_str().unwrap();
    assert_eq!(answer["rotating_until"], "2025-11-25T11:00:00.000Z");
    for step in [0, 3_599_999, 1] {
        app.clock.advance(Duration::from_millis(step));
        let within = signed(&app);
        let v1 = official(&app, &[new, OLD]).join(" ");
        let header = &within["webhook-signature"];
        assert!(header.starts_with(&format!("{v1} v1a,")), "{header}");
        assert_eq!(v1a_count(header), 2);
        assert_eq!(within["X-Whisperer-Signature"], single(OLD));
        assert_eq!(within["X-Hub-Signature-256"], single(OLD));
        assert_eq!(state(&app).await, "2025-11-25T11:00:00.000Z");
    }
    app.clock.advance(Duration::from_millis(1));
    let after = signed(&app);
    let v1 = official(&app, &[new]).join(" ");
    let header = &after["webhook-signature"];
    assert!(header.starts_with(&format!("{v1} v1a,")), "{header}");
    assert_eq!(v1a_count(header), 1);
    assert_eq!(after["X-Whisperer-Signature"], single(new));
    assert_eq!(after["X-Hub-Signature-256"], single(new));
    assert_eq!(state(&app).await, Value::Null);

    // Whatever is written next takes what is over out of the record.
    assert_eq!(stored(&app).old_secret_keys.iter().len(), 1);
    let paused = app.root("POST", "/hooks/1/pause/", &Value::Null).await;
    assert_eq!(paused.status, 200);
    let hook = stored(&app);
    assert!(hook.old_secret_keys.is_empty() && hook.old_key_pairs.is_empty());
}

#[tokio::test]
async fn a_hook_without_a_secret_gets_its_first_and_no_body_means_a_day() {
    let app = TestApp::new().await;
    app.hook(json!({})).await;
    let first = rotated(&app, Value::Null).await;
    assert_eq!(first["rotating_until"], Value::Null);
    assert_eq!(
        first["public_key"],
        Value::Null,
        "it does not sign with one"
    );
    let text = first["secret_key"].as_str().unwrap();
    let bytes = STANDARD.decode(text.strip_prefix("whsec_").unwrap());
    assert_eq!(bytes.unwrap().len(), 32);
    let second = rotated(&app, json!({"overlap_seconds": null, "secret_key": null})).await;
    assert_eq!(second["rotating_until"], "2025-11-26T10:00:00.000Z");
    assert_ne!(first["secret_key"], second["secret_key"]);
    assert!(stored(&app).key_pair.is_none());
}

#[tokio::test]
async fn an_own_secret_is_taken_by_the_same_rule_as_in_a_hook() {
    let app = TestApp::new().await;
    app.hook(json!({"secret_key": "first"})).await;
    let whsec = |bytes: usize| format!("whsec_{}", STANDARD.encode(vec![0xfb; bytes]));
    for good in [
        "x".to_owned(),
        "🔑".to_owned(),
        "y".repeat(1024),
        whsec(24),
        whsec(64),
    ] {
        let answer = rotated(&app, json!({"secret_key": good})).await;
        assert_eq!(answer["secret_key"], good.as_str());
        let again = refused(&app, json!({"secret_key": good}), "secret_key").await;
        assert!(again.contains("already"), "{again}");
        assert!(!again.contains(&good), "{again}");
    }
    for bad in [
        json!(""),
        json!("z".repeat(1025)),
        json!("a\n"),
        json!("a\0b"),
        json!("whsec_"),
        json!("whsec_no base64"),
        json!(whsec(23)),
        json!(whsec(65)),
        json!(whsec(25).trim_end_matches('=')),
        json!(whsec(24).replace('/', "_").replace('+', "-")),
        json!("********"),
        json!(7),
        json!(["a"]),
    ] {
        refused(&app, json!({"secret_key": bad}), "secret_key").await;
    }
    for bad in [
        json!(-1),
        json!(604_801),
        json!(1.5),
        json!("soon"),
        json!([]),
    ] {
        refused(&app, json!({"overlap_seconds": bad}), "overlap_seconds").await;
    }
    let words = refused(&app, json!({"overlap_secs": 1}), "overlap_secs").await;
    assert!(words.contains("overlap_seconds"), "{words}");
    assert_eq!(rotate(&app, json!([])).await.status, 400);
}

#[tokio::test]
async fn the_eleventh_old_key_is_refused_with_the_ways_out() {
    let app = TestApp::new().await;
    app.hook(json!({"secret_key": "0", "signatures": ["standard", "ed25519"]}))
        .await;
    for number in 1..=10 {
        let body = json!({"secret_key": number.to_string(), "overlap_seconds": 100 + number});
        rotated(&app, body).await;
    }
    assert_eq!(signed(&app)["webhook-signature"].split(' ').count(), 22);
    let words = refused(&app, json!({}), "non_field_errors").await;
    assert!(words.contains("2025-11-25T10:01:41.000Z"), "{words}");
    assert!(words.contains("\\\"overlap_seconds\\\": 0"), "{words}");

    // Both ways out are as they were told.
    app.clock.advance(Duration::from_millis(101_001));
    rotated(&app, json!({})).await;
    refused(&app, json!({}), "non_field_errors").await;
    let ended = rotated(&app, json!({"overlap_seconds": 0, "secret_key": "last"})).await;
    assert_eq!(ended["rotating_until"], Value::Null);
    assert_eq!(signed(&app)["webhook-signature"].split(' ').count(), 2);
}

#[tokio::test]
async fn a_secret_that_is_written_takes_effect_at_once_and_ends_old_ones() {
    for (fields, old_left, secret) in [
        (json!({"timeout_ms": 500}), 1, Some("new")),
        (json!({"secret_key": "********"}), 1, Some("new")),
        (json!({"secret_key": "new"}), 1, Some("new")),
        (json!({"secret_key": "other"}), 0, Some("other")),
        (json!({"secret_key": null}), 0, None),
    ] {
        for method in ["PATCH", "PUT"] {
            let app = TestApp::new().await;
            let forms = json!(["standard", "ed25519"]);
            app.hook(json!({"secret_key": "old", "signatures": forms}))
                .await;
            rotated(&app, json!({"secret_key": "new"})).await;
            let pair = stored(&app).key_pair;
            let mut body = fields.clone();
            if method == "PUT" {
                body["target_url"] = json!("https://example.com/in");
                body["event_type"] = json!("package.created");
            }
            let answer = app.root(method, "/hooks/1/", &body).await;
            assert_eq!(answer.status, 200, "{method} {fields}: {}", answer.text);
            let hook = stored(&app);
            let place = format!("{method} {fields}");
            assert_eq!(hook.old_secret_keys.iter().len(), old_left, "{place}");
            let text = hook.secret_key.as_ref().map(|it| it.expose().to_owned());
            assert_eq!(text.as_deref(), secret, "{place}");
            assert_eq!(hook.key_pair, pair, "{place}");
            assert_eq!(hook.old_key_pairs.iter().len(), 1, "{place}");
        }
    }
}

#[tokio::test]
async fn only_its_owner_rotates_and_only_what_he_saw() {
    let app = TestApp::new().await;
    let hook = json!({"target_url": "https://example.com/in", "event_type": "package.created"});
    let made = app
        .call("alice", "POST", "/hooks/", &hook.to_string())
        .await;
    assert_eq!(made.status, 201, "{}", made.text);
    let path = "/hooks/1/secret/rotate/";
    for path in [path, "/hooks/x/secret/rotate/", "/hooks/2/secret/rotate"] {
        assert_eq!(
            app.call("bob", "POST", path, "").await.status,
            404,
            "{path}"
        );
    }
    let stale = [("if-match", "\"0\"")];
    let refused = app.call_with("alice", "POST", path, "", &stale).await;
    assert_eq!(refused.status, 412, "{}", refused.text);
    assert!(stored(&app).secret_key.is_none());
    let seen = [("if-match", made.header("etag"))];
    let done = app.call_with("alice", "POST", path, "", &seen).await;
    assert_eq!(done.status, 200, "{}", done.text);
    let now = app.root("GET", "/hooks/1/", &Value::Null).await;
    assert_eq!(done.header("etag"), now.header("etag"));
    assert_ne!(done.header("etag"), made.header("etag"));
}

/// What an admin hears of may not be led elsewhere by a lesser token; neither may it get the key.
#[tokio::test]
async fn a_hook_of_operational_events_is_rotated_by_an_admin_only() {
    let app = TestApp::new().await;
    app.hook(json!({"event_type": "whisperer.*", "secret_key": "x"}))
        .await;
    let lesser = json!({"owner": "root", "scopes": ["hooks:write"]});
    let lesser = app.root("POST", "/tokens/", &lesser).await.json();
    let lesser = lesser["token"].as_str().unwrap();
    let refused = app
        .call(lesser, "POST", "/hooks/1/secret/rotate/", "")
        .await;
    assert_eq!(refused.status, 400, "{}", refused.text);
    assert!(refused.json().pointer("/errors/event_type").is_some());
    rotated(&app, json!({})).await;
}

#[tokio::test]
async fn a_rotation_is_in_the_audit_without_its_secrets_and_nothing_of_it_is_kept_on_the_way() {
    let app = TestApp::new().await;
    let forms = json!(["standard", "ed25519"]);
    app.hook(json!({"secret_key": "the-old-key", "signatures": forms}))
        .await;
    let answer = rotate(&app, json!({})).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let shown = answer.json();
    let secret = shown["secret_key"].as_str().unwrap();
    assert!(shown["public_key"].as_str().unwrap().starts_with("whpk_"));
    let audit = app.root("GET", "/audit/", &Value::Null).await;
    let entry = &audit.json()[0];
    assert_eq!(entry["action"], "secret rotated");
    assert_eq!(entry["object"], "hooks/1");
    assert_eq!(entry["before"]["state"]["rotating_until"], Value::Null);
    let until = &entry["after"]["state"]["rotating_until"];
    assert_eq!(until, "2025-11-26T10:00:00.000Z");
    let read = app.root("GET", "/hooks/1/", &Value::Null).await;
    for text in [&audit.text, &read.text] {
        for secret in [secret, "the-old-key", "whsk_", "whsec_"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
    let input = json!({"owner": "carol"});
    let token = app.root("POST", "/tokens/", &input).await;
    assert_eq!(token.status, 201);
    assert_eq!(token.header("cache-control"), "no-store");
}

/// The key file is another one: the hook waits, and nothing may be put over what it has.
#[tokio::test]
async fn keys_that_cannot_be_read_are_neither_rotated_nor_written() {
    let app = TestApp::new().await;
    let auth = json!({"auth_type": "basic", "username": "ann", "password": "of ann"});
    let fields = json!({
        "secret_key": "old",
        "additional_headers": {"X-Key": "of the header"},
        "config": {"auth": auth},
    });
    app.hook(fields).await;
    let unreadable = Hook {
        secret_key: None,
        secrets_unreadable: true,
        ..stored(&app)
    };
    let change = CatalogChange::ReplaceHook(Box::new(unreadable));
    app.store.change(change).await.unwrap();
    for (method, path) in [
        ("POST", "/hooks/1/secret/rotate/"),
        ("GET", "/hooks/1/public-key/"),
    ] {
        let answer = app.root(method, path, &Value::Null).await;
        assert_eq!(answer.status, 409, "{path}: {}", answer.text);
        assert!(answer.text.contains("key file"), "{}", answer.text);
    }
    for (fields, field) in [
        (json!({"secret_key": "new"}), "secret_key"),
        (json!({"secret_key": null}), "secret_key"),
        (
            json!({"additional_headers": {"X-Key": "new"}}),
            "additional_headers",
        ),
        (json!({"additional_headers": null}), "additional_headers"),
        (json!({"config": {}}), "config"),
        (json!({"plugins": []}), "plugins"),
        (json!({"signatures": ["standard", "ed25519"]}), "signatures"),
    ] {
        let answer = app.root("PATCH", "/hooks/1/", &fields).await;
        assert_eq!(answer.status, 400, "{fields}: {}", answer.text);
        assert!(
            answer.json()["errors"][field][0]
                .as_str()
                .unwrap()
                .contains("key file")
        );
    }
    let answer = app
        .root("PATCH", "/hooks/1/", &json!({"timeout_ms": 500}))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(stored(&app).key_pair.is_none());
}

//! `GET /hooks/{id}/public-key/`: the key pair that a hook gets by naming ed25519.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::app::TestApp;

const PATH: &str = "/hooks/1/public-key/";

async fn public_key(app: &TestApp) -> Value {
    let answer = app.root("GET", PATH, &Value::Null).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

#[tokio::test]
async fn a_hook_that_names_ed25519_gets_a_pair_and_keeps_it() {
    let app = TestApp::new().await;
    app.hook(json!({})).await;
    let none = app.root("GET", PATH, &Value::Null).await;
    assert_eq!(none.status, 404);
    assert!(none.text.contains("ed25519"), "{}", none.text);

    let patch = async |fields: Value| {
        let answer = app.root("PATCH", "/hooks/1/", &fields).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    };
    let shown = patch(json!({"signatures": ["ed25519"]})).await;
    assert_eq!(shown["signatures"], json!(["ed25519"]));
    let first = public_key(&app).await;
    let text = first["public_key"].as_str().unwrap();
    let key = STANDARD
        .decode(text.strip_prefix("whpk_").unwrap())
        .unwrap();
    assert_eq!(key.len(), 32);
    let pem = first["pem"].as_str().unwrap();
    let inner = pem
        .strip_prefix("-----BEGIN PUBLIC KEY-----\n")
        .and_then(|rest| rest.strip_suffix("\n-----END PUBLIC KEY-----\n"));
    let der = STANDARD.decode(inner.unwrap()).unwrap();
    assert_eq!(hex::encode(&der[..12]), "302a300506032b6570032100");
    assert_eq!(der[12..], key);
    assert_eq!(first["previous"], json!([]));

    for fields in [
        json!({"timeout_ms": 500}),
        json!({"signatures": ["standard"]}),
        json!({"signatures": ["standard", "ed25519"]}),
        json!({"secret_key": "another"}),
        json!({"target_url": "https://elsewhere.example/in"}),
    ] {
        patch(fields.clone()).await;
        assert_eq!(public_key(&app).await, first, "{fields}");
    }
    let put = json!({"target_url": "https://example.com/in", "event_type": "*"});
    assert_eq!(app.root("PUT", "/hooks/1/", &put).await.status, 200);
    assert_eq!(public_key(&app).await, first);

    let other = json!({"event_type": "*", "target_url": "https://b.example/",
        "signatures": ["ed25519"]});
    let other = app
        .call("alice", "POST", "/hooks/", &other.to_string())
        .await;
    assert_eq!(other.status, 201, "{}", other.text);
    let path = format!("/hooks/{}/public-key/", other.json()["id"]);
    let own = app.call("alice", "GET", &path, "").await;
    assert_eq!(own.status, 200);
    assert_ne!(own.json()["public_key"], first["public_key"]);
    assert_eq!(app.call("bob", "GET", &path, "").await.status, 404);
}

#[tokio::test]
async fn the_keys_before_are_shown_newest_first_until_they_end() {
    let app = TestApp::new().await;
    app.hook(json!({"signatures": ["ed25519"]})).await;
    let mut seen = vec![public_key(&app).await["public_key"].clone()];
    for overlap in [60, 120] {
        let body = json!({"overlap_seconds": overlap});
        let answer = app.root("POST", "/hooks/1/secret/rotate/", &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        seen.push(answer.json()["public_key"].clone());
    }
    let [first, second, third] = &seen[..] else {
        panic!("{seen:?}");
    };
    let previous = |key: &Value, until: &str| json!({"public_key": key, "until": until});
    let first = previous(first, "2025-11-25T10:01:00.000Z");
    let second = previous(second, "2025-11-25T10:02:00.000Z");
    for (step, expected) in [
        (0, json!([second, first])),
        (60_000, json!([second, first])),
        (1, json!([second])),
        (60_000, json!([])),
    ] {
        app.clock.advance(Duration::from_millis(step));
        let shown = public_key(&app).await;
        assert_eq!(shown["public_key"], *third);
        assert_eq!(shown["previous"], expected);
    }
}

//! Posting events.

use serde_json::{Value, json};
use whisperer_domain::id::Sequence;
use whisperer_domain::port::{Ledger as _, Scope};

use crate::app::TestApp;

#[tokio::test]
async fn an_event_goes_to_the_hooks_that_match() {
    let app = TestApp::new().await;
    app.hook(json!({"target_url": "https://example.com/1"}))
        .await;
    app.hook(json!({"target_url": "https://example.com/2", "event_type": "package.*"}))
        .await;
    app.hook(json!({"target_url": "https://example.com/3", "event_type": "*", "config": {"region": "eu"}}))
        .await;
    app.hook(json!({"target_url": "https://example.com/4", "event_type": "shipment.created"}))
        .await;
    app.hook(json!({"target_url": "https://example.com/5", "is_active": false}))
        .await;
    for (event_type, filter, deliveries) in [
        ("package.created", Value::Null, 3),
        ("package.created", json!({"region": "eu"}), 1),
        ("package.created", json!({"region": "us"}), 0),
        ("package.created", json!({}), 3),
        ("package.status.packed", Value::Null, 2),
        ("shipment.created", Value::Null, 2),
        ("transfer.status.created", Value::Null, 1),
    ] {
        let event = json!({"type": event_type, "payload": {}, "config_filter": filter});
        let answer = app.event(event).await;
        assert_eq!(answer["deliveries"], deliveries, "{event_type} {filter}");
        assert!(answer["id"].is_string());
        assert_eq!(answer.as_object().unwrap().len(), 2);
    }
}

#[tokio::test]
async fn the_payload_is_kept_byte_for_byte() {
    let app = TestApp::new().await;
    app.hook(json!({})).await;
    let payload = "{\"b\" : 1.0,\t\"a\":12345678901234567890123, \"b\":\"\\u00e9\"}";
    let body = format!("{{\"type\":\"package.created\", \"payload\":  {payload}  }}");
    assert_eq!(
        app.call("root", "POST", "/events/", &body).await.status,
        202
    );
    let stored = app
        .store
        .find(Sequence(1), Scope::All)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(stored.view.event.payload, payload.as_bytes());
    let shown = app.root("GET", "/hook_events/1/", &Value::Null).await.text;
    assert!(shown.contains(payload), "{shown}");
}

#[tokio::test]
async fn everything_said_of_an_event_is_kept() {
    let app = TestApp::new().await;
    app.hook(json!({})).await;
    let answer = app
        .event(json!({
            "type": "package.created", "payload": null, "id": "order/7", "object_id": 42,
            "occurred_at": "2025-11-25T12:00:00+02:00",
        }))
        .await;
    assert_eq!(answer, json!({"id": "order/7", "deliveries": 1}));
    let stored = app
        .store
        .find(Sequence(1), Scope::All)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(stored.view.event.occurred_at.0, 1_764_064_800_000);
    assert_eq!(stored.view.event.object_id.as_deref(), Some("42"));
}

#[tokio::test]
async fn what_is_wrong_is_named_and_nothing_is_stored() {
    let app = TestApp::new().await;
    app.hook(json!({"event_type": "*"})).await;
    for (body, field, words) in [
        (json!({"payload": 1}), "type", "This field is required."),
        (
            json!({"type": "package.created"}),
            "payload",
            "This field is required.",
        ),
        (
            json!({"type": 7, "payload": 1}),
            "type",
            "Not a valid string.",
        ),
        (
            json!({"type": "package.creatd", "payload": 1}),
            "type",
            "\"package.creatd\" is not a valid choice.",
        ),
        (
            json!({"type": "package-created", "payload": 1}),
            "type",
            "\"package-created\" is not a valid choice.",
        ),
        (
            json!({"type": "package.created", "payload": 1, "idd": "x"}),
            "idd",
            "Unknown field. Did you mean \"id\"?",
        ),
        (
            json!({"type": "package.created", "payload": 1, "id": ""}),
            "id",
            "Must have 1 to 255 bytes, has 0.",
        ),
        (
            json!({"type": "package.created", "payload": 1, "id": 5}),
            "id",
            "Not a valid string.",
        ),
        (
            json!({"type": "package.created", "payload": 1, "occurred_at": "soon"}),
            "occurred_at",
            "Must be an RFC 3339 time since 1970: 2026-01-31T12:00:00Z.",
        ),
        (
            json!({"type": "package.created", "payload": 1, "object_id": "a\r\nb"}),
            "object_id",
            "Must not contain control characters.",
        ),
        (
            json!({"type": "package.created", "payload": 1, "object_id": 1.5}),
            "object_id",
            "Must be a string or an integer.",
        ),
        (
            json!({"type": "package.created", "payload": 1, "config_filter": []}),
            "config_filter",
            "Invalid data. Expected a dictionary, but got list.",
        ),
    ] {
        let (status, answer) = app.root("POST", "/events/", &body).await.parts();
        assert_eq!(status, 400, "{body}");
        assert_eq!(answer["errors"][field][0], words, "{answer}");
    }
    let twice = "{\"type\": \"package.created\", \"payload\": 1, \"payload\": 2}";
    let (status, answer) = app.call("root", "POST", "/events/", twice).await.parts();
    assert_eq!(
        (status, &answer["errors"]["payload"][0]),
        (400, &json!("Given twice."))
    );
    let (status, answer) = app.call("root", "POST", "/events/", "[]").await.parts();
    assert_eq!(
        (status, &answer["non_field_errors"][0]),
        (
            400,
            &json!("Invalid data. Expected a dictionary, but got list.")
        )
    );
    assert_eq!(
        app.root("GET", "/hook_events/", &Value::Null).await.json(),
        json!([])
    );
}

#[tokio::test]
async fn an_unknown_type_names_the_nearest() {
    let app = TestApp::new().await;
    let body = json!({"type": "package.creatd", "payload": 1});
    let (_, answer) = app.root("POST", "/events/", &body).await.parts();
    let near = answer["errors"]["type"][1].as_str().unwrap();
    assert!(near.starts_with("Nearest: package.created"), "{near}");
}

#[tokio::test]
async fn an_id_is_taken_once() {
    let app = TestApp::new().await;
    app.hook(json!({})).await;
    let event = json!({"type": "package.created", "payload": 1, "id": "one"});
    assert_eq!(
        app.event(event.clone()).await,
        json!({"id": "one", "deliveries": 1})
    );
    // The same again answers the same and delivers nothing anew.
    let again = app.root("POST", "/events/", &event).await;
    assert_eq!(again.parts(), (202, json!({"id": "one", "deliveries": 1})));
    assert_eq!(again.header("idempotent-replayed"), "true");
    let other = json!({"type": "package.created", "payload": 2, "id": "one"});
    assert_eq!(app.root("POST", "/events/", &other).await.status, 409);
    let list = app.root("GET", "/hook_events/", &Value::Null).await.json();
    assert_eq!(list.as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn an_idempotency_key_holds_per_owner() {
    let app = TestApp::new().await;
    let body = "{\"type\": \"package.created\", \"payload\": 1}";
    let other = "{\"type\": \"package.created\", \"payload\": 2}";
    let key = [("idempotency-key", "k1")];
    let first = app.call_with("alice", "POST", "/events/", body, &key).await;
    assert_eq!(first.status, 202);
    let again = app.call_with("alice", "POST", "/events/", body, &key).await;
    assert_eq!(again.parts(), first.parts());
    let reused = app
        .call_with("alice", "POST", "/events/", other, &key)
        .await;
    assert_eq!(reused.status, 409);
    let elsewhere = app.call_with("bob", "POST", "/events/", other, &key).await;
    assert_eq!(elsewhere.status, 202);
    for key in ["", &"k".repeat(256), "k\u{e9}"] {
        let answer = app
            .call_with(
                "alice",
                "POST",
                "/events/",
                body,
                &[("idempotency-key", key)],
            )
            .await;
        assert_eq!(answer.status, 400, "{key}");
        assert!(answer.json()["errors"]["Idempotency-Key"].is_array());
    }
}

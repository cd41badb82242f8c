//! Events after they were accepted: read, replayed, tried on a plugin.

use serde_json::{Value, json};

use crate::app::TestApp;

#[tokio::test]
async fn an_event_is_replayed_to_those_that_want_it_now_or_to_those_named() {
    let app = TestApp::new().await;
    app.hook(json!({"config": {"region": "eu"}})).await;
    app.event(json!({
        "type": "package.created", "payload": 1, "id": "of eu",
        "config_filter": {"region": "eu"},
    }))
    .await;
    app.hook(json!({"target_url": "https://example.com/2", "config": {"region": "us"}}))
        .await;
    app.hook(
        json!({"target_url": "https://example.com/3", "event_type": "shipment.*",
        "config": {"region": "eu"}}),
    )
    .await;
    app.hook(json!({"target_url": "https://example.com/4", "is_active": false}))
        .await;
    let path = "/events/of%20eu/replay/";
    let made = |deliveries: u64, dry_run: bool| json!({"id": "of eu", "deliveries": deliveries, "dry_run": dry_run});
    let dry = app.root("POST", path, &json!({"dry_run": true})).await;
    assert_eq!(dry.parts(), (200, made(1, true)));
    let matching = app.root("POST", path, &Value::Null).await;
    assert_eq!(matching.parts(), (202, made(1, false)), "the filter holds");
    let named = app.root("POST", path, &json!({"hooks": [3, 2, 3]})).await;
    assert_eq!(named.parts(), (202, made(2, false)));
    let list = app
        .root("GET", "/hook_events/?event_id=of+eu", &Value::Null)
        .await
        .json();
    let hooks: Vec<_> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["webhook"]["id"].as_u64().unwrap())
        .collect();
    assert_eq!(hooks, [3, 2, 1, 1]);

    for (body, expected) in [
        (json!({"hooks": [4]}), 400),
        (json!({"hooks": [99]}), 400),
        (json!({"hooks": []}), 400),
        (json!({"hooks": 1}), 400),
        (json!({"hook": [1]}), 400),
    ] {
        assert_eq!(
            app.root("POST", path, &body).await.status,
            expected,
            "{body}"
        );
    }
    let unknown = app.root("POST", "/events/x/replay/", &Value::Null).await;
    assert_eq!(unknown.status, 404);
    assert_eq!(app.call("alice", "POST", path, "").await.status, 403);
}

#[tokio::test]
async fn events_are_read_by_admins_with_their_deliveries() {
    let app = TestApp::new().await;
    app.hook(json!({})).await;
    app.event(json!({
        "type": "package.created", "payload": {"n": 1.50}, "id": "e/1", "object_id": "o1",
        "occurred_at": "2025-11-25T09:00:00Z", "config_filter": {},
    }))
    .await;
    app.event(json!({"type": "shipment.created", "payload": 2, "id": "e2"}))
        .await;
    let first = json!({
        "id": "e/1", "type": "package.created", "object_id": "o1",
        "occurred_at": "2025-11-25T09:00:00.000Z", "created_date": "2025-11-25T10:00:00.000Z",
        "content_type": "application/json", "payload": {"n": 1.50},
    });
    let list = app
        .root("GET", "/events/?type=package.*", &Value::Null)
        .await;
    assert_eq!(list.parts(), (200, json!([first])));
    let (status, mut one) = app
        .root("GET", "/events/e%2F1/", &Value::Null)
        .await
        .parts();
    assert_eq!(status, 200, "{one}");
    let deliveries = one["deliveries"].take();
    assert_eq!(deliveries.as_array().unwrap().len(), 1);
    let shown = app.root("GET", "/hook_events/", &Value::Null).await.json();
    assert_eq!(deliveries, shown);
    let mut expected = first.clone();
    expected["config_filter"] = json!({});
    expected["deliveries"] = Value::Null;
    assert_eq!(one, expected);

    let ids = async |path: &str| {
        let answer = app.root("GET", path, &Value::Null).await;
        let list = answer.json();
        let list = list.as_array().unwrap().iter();
        list.map(|item| item["id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(ids("/events/").await, ["e2", "e/1"]);
    assert_eq!(ids("/events/?object_id=o1").await, ["e/1"]);
    assert_eq!(
        ids("/events/?created_date__gt=2025-11-25T10:00:00Z").await,
        [""; 0]
    );
    let page = app.root("GET", "/events/?limit=1", &Value::Null).await;
    let link = page.header("link").strip_prefix("</whisperer").unwrap();
    let next = link.strip_suffix(">; rel=\"next\"").unwrap();
    assert_eq!(ids(next).await, ["e/1"]);

    for _ in 0..30 {
        app.root("POST", "/events/e%2F1/replay/", &Value::Null)
            .await;
    }
    let one = app.root("GET", "/events/e%2F1/", &Value::Null).await;
    assert_eq!(one.json()["deliveries"].as_array().unwrap().len(), 20);
    let link = one.header("link").strip_prefix("</whisperer").unwrap();
    let rest = link.strip_suffix(">; rel=\"next\"").unwrap();
    let rest = app.root("GET", rest, &Value::Null).await.json();
    assert_eq!(rest.as_array().unwrap().len(), 11);

    for path in ["/events/", "/events/e2/"] {
        assert_eq!(app.call("alice", "GET", path, "").await.status, 403);
    }
    assert_eq!(
        app.root("GET", "/events/e3/", &Value::Null).await.status,
        404
    );
    let wrong = app
        .root("GET", "/events/?type=a..b&limit=0&x=1", &Value::Null)
        .await;
    let (status, answer) = wrong.parts();
    assert_eq!(status, 400);
    for field in ["type", "limit", "x"] {
        assert!(answer["errors"][field].is_array(), "{answer}");
    }
}

#[tokio::test]
async fn a_stored_event_is_tried_on_a_plugin_by_its_id() {
    let app = TestApp::new().await;
    app.event(json!({"type": "package.created", "payload": {"n": 1}, "id": "e1"}))
        .await;
    let path = "/plugins/redact/try/";
    let tried = app.root("POST", path, &json!({"event_id": "e1"})).await;
    assert_eq!(tried.status, 200, "{}", tried.text);
    for (who, body, field) in [
        ("root", json!({"event_id": "e2"}), "event_id"),
        ("root", json!({"event_id": ""}), "event_id"),
        ("alice", json!({"event_id": "e1"}), "event_id"),
        ("root", json!({"event_id": "e1", "delivery_id": 1}), "event"),
    ] {
        let answer = app.call(who, "POST", path, &body.to_string()).await;
        let (status, answer) = answer.parts();
        assert_eq!(status, 400, "{body}: {answer}");
        assert!(answer["errors"][field].is_array(), "{body}: {answer}");
    }
}

//! Reading deliveries, in the fields of the OMS and in ours.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use uuid::Uuid;
use whisperer_domain::attempt::{Attempt, PluginRun, Response, Timing};
use whisperer_domain::id::{AttemptId, Digest, Sequence};
use whisperer_domain::outcome::Outcome;
use whisperer_domain::plugin::PluginName;
use whisperer_domain::port::{Lanes as _, Settlement, Verdict};
use whisperer_domain::time::Timestamp;

use crate::app::TestApp;

const STARTED: Timestamp = Timestamp(1_764_064_801_000);

pub(crate) fn attempt(status: u16) -> Attempt {
    Attempt {
        id: AttemptId(Uuid::from_u128(7)),
        number: 1,
        started_at: STARTED,
        outcome: if status == 200 {
            Outcome::Delivered { status }
        } else {
            Outcome::Refused {
                status,
                retry_after_secs: None,
            }
        },
        timing: Timing {
            plugin_us: 1_000,
            connect_us: 20_000,
            wait_us: 230_000,
            total_us: 251_000,
        },
        response: Some(Response {
            status,
            headers: vec![("server".to_owned(), "x".to_owned())],
            body: Bytes::from_static(b"caf\xc3\xa9 \xff"),
            truncated: false,
        }),
        chain: vec![PluginRun {
            plugin: PluginName::parse("redact").unwrap(),
            digest: Digest([0xab; 32]),
            took_us: 900,
            result: "modified".to_owned(),
            log: vec!["masked 1".to_owned()],
        }],
        pinned: false,
    }
}

/// Of a delivery of the first hook that has any pending.
pub(crate) async fn settlement(
    app: &TestApp,
    sequence: u64,
    attempt: Attempt,
    verdict: Verdict,
) -> Settlement {
    let leases = app.store.acquire(None, 10).await.unwrap();
    Settlement {
        lease: leases[0].lease,
        sequence: Sequence(sequence),
        attempt: Some(attempt),
        verdict,
        pin: None,
        effect: None,
        health: None,
        news: None,
    }
}

async fn settle(app: &TestApp, sequence: u64, attempt: Attempt, verdict: Verdict) {
    let settlement = settlement(app, sequence, attempt, verdict).await;
    app.store.settle([settlement].into()).await.unwrap();
}

#[tokio::test]
async fn a_delivery_shows_every_field() {
    let app = TestApp::new().await;
    let mut hook = app.hook(json!({"secret_key": "hush"})).await;
    // Within a delivery nothing is said of the hook's lane.
    hook["state"] = json!({"status": "active", "secrets": null, "rotating_until": null});
    app.event(json!({
        "type": "package.created", "payload": {"n": 1}, "id": "e1", "object_id": "o1",
    }))
    .await;
    let pending = app
        .root("GET", "/hook_events/1/", &Value::Null)
        .await
        .json();
    let uuid = pending["uuid"].as_str().unwrap().to_owned();
    assert_eq!(uuid.len(), 32);
    let mut expected = json!({
        "id": 1, "uuid": uuid, "webhook": hook, "event_id": "e1",
        "event_type": "package.created", "object_id": "o1", "content_type": null,
        "delivered": false, "response_http_status": null, "response_content": null,
        "response_time": null, "retry_count": 0, "request_payload": {"n": 1},
        "request_datetimes": [], "created_date": "2025-11-25T10:00:00.000Z",
        "modified_date": "2025-11-25T10:00:00.000Z", "state": "pending", "state_reason": null,
        "next_attempt_at": "2025-11-25T10:00:00.000Z", "waiting_for": null, "attempts": [],
    });
    assert_eq!(pending, expected);

    let after = Duration::from_secs(60);
    settle(&app, 1, attempt(500), Verdict::Retry { after }).await;
    let failed = app
        .root("GET", "/hook_events/1/", &Value::Null)
        .await
        .json();
    expected["response_http_status"] = json!(500);
    expected["response_content"] = json!("café \u{fffd}");
    expected["response_time"] = json!(0.25);
    expected["request_datetimes"] = json!(["2025-11-25T10:00:01.000Z"]);
    expected["next_attempt_at"] = json!("2025-11-25T10:01:00.000Z");
    expected["attempts"] = json!([{
        "number": 1, "started_at": "2025-11-25T10:00:01.000Z", "outcome": "refused",
        "status": 500, "error": "the receiver answered 500",
        "duration": {"plugin": 0.001, "connect": 0.02, "wait": 0.23, "total": 0.251},
        "response": {"status": 500, "headers": [["server", "x"]], "body": "café \u{fffd}",
            "truncated": false},
        "chain": [{"plugin": "redact", "digest": "ab".repeat(32), "result": "modified",
            "time": 0.0009, "log": ["masked 1"]}],
        "pinned": false,
    }]);
    assert_eq!(failed, expected);

    // The list shows the same but for the attempts.
    expected.as_object_mut().unwrap().remove("attempts");
    let list = app.root("GET", "/hook_events/", &Value::Null).await.json();
    assert_eq!(list, json!([expected]));
}

#[tokio::test]
async fn a_deleted_hook_leaves_its_history() {
    let app = TestApp::new().await;
    let hook = app.hook(json!({})).await;
    app.event(json!({"type": "package.created", "payload": 1}))
        .await;
    let path = format!("/hooks/{}/", hook["id"]);
    assert_eq!(app.root("DELETE", &path, &Value::Null).await.status, 204);
    let shown = app
        .root("GET", "/hook_events/1/", &Value::Null)
        .await
        .json();
    assert_eq!(shown["state"], "cancelled", "{shown}");
    assert_eq!(shown["state_reason"], "the hook was deleted");
    assert_eq!(shown["webhook"]["id"], hook["id"]);
}

#[tokio::test]
async fn lists_are_filtered() {
    let app = TestApp::new().await;
    app.hook(json!({})).await;
    app.hook(json!({"target_url": "https://example.com/2", "event_type": "shipment.*"}))
        .await;
    app.event(json!({"type": "package.created", "payload": 1, "object_id": "a"}))
        .await;
    app.event(json!({"type": "package.created", "payload": 2, "object_id": "b"}))
        .await;
    app.event(json!({"type": "shipment.created", "payload": 3}))
        .await;
    settle(&app, 1, attempt(200), Verdict::Delivered).await;
    let first = app
        .root("GET", "/hook_events/1/", &Value::Null)
        .await
        .json();
    let uuid = first["uuid"].as_str().unwrap();
    let dashed = Uuid::parse_str(uuid).unwrap().to_string();
    let by_uuid = format!("?uuid={uuid}");
    let by_dashed = format!("?uuid={dashed}");
    for (query, expected) in [
        ("", vec![3, 2, 1]),
        ("?webhook=2", vec![3]),
        ("?event_type=PACKAGE.created", vec![2, 1]),
        ("?event_type=shipment.*", vec![3]),
        ("?object_id=b", vec![2]),
        ("?delivered=True", vec![1]),
        ("?delivered=0", vec![3, 2]),
        ("?state=pending", vec![3, 2]),
        ("?response_http_status=200", vec![1]),
        ("?created_date__gte=2025-11-25T10:00:00Z", vec![3, 2, 1]),
        ("?created_date__gt=2025-11-25T10:00:00Z", vec![]),
        (
            "?created_date__lte=2025-11-25T12:00:00+02:00",
            vec![3, 2, 1],
        ),
        ("?created_date__lt=2025-11-25T10:00:00", vec![]),
        ("?created_date=2025-11-25", vec![]),
        (by_uuid.as_str(), vec![1]),
        (by_dashed.as_str(), vec![1]),
    ] {
        let answer = app
            .root("GET", &format!("/hook_events/{query}"), &Value::Null)
            .await;
        let list = answer.json();
        let ids: Vec<_> = list
            .as_array()
            .unwrap()
            .iter()
            .map(|item| &item["id"])
            .collect();
        assert_eq!(json!(ids), json!(expected), "{query}");
    }
    for query in [
        "?uuid=1",
        "?delivered=perhaps",
        "?response_http_status=ok",
        "?webhook=x",
        "?created_date__gt=soon",
        "?state=lost",
        "?event_type=a..b",
        "?limit=-1",
        "?cursor=1",
        "?delivred=1",
    ] {
        let (status, answer) = app
            .root("GET", &format!("/hook_events/{query}"), &Value::Null)
            .await
            .parts();
        assert_eq!(status, 400, "{query}");
        let field = query[1..].split('=').next().unwrap();
        assert!(answer["errors"][field].is_array(), "{answer}");
    }
}

#[tokio::test]
async fn pages_join_without_gap_or_repetition() {
    let app = TestApp::new().await;
    app.hook(json!({})).await;
    for number in 0..41 {
        app.event(json!({"type": "package.created", "payload": number}))
            .await;
    }
    let mut seen = Vec::new();
    let mut path = "/hook_events/?limit=20&delivered=false".to_owned();
    loop {
        let answer = app.root("GET", &path, &Value::Null).await;
        for item in answer.json().as_array().unwrap() {
            seen.push(item["id"].as_u64().unwrap());
        }
        assert!(seen.len() <= 41);
        let Some(next) = answer.header("link").strip_prefix("</whisperer") else {
            break;
        };
        path = next.strip_suffix(">; rel=\"next\"").unwrap().to_owned();
    }
    assert_eq!(seen, (1..=41).rev().collect::<Vec<u64>>());
}

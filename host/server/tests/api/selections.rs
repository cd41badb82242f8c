//! Many deliveries at once: brought back and called off by filter, held and let go, listed while
//! they wait.

use serde_json::{Value, json};
use whisperer_domain::port::Verdict;

use crate::app::{Answer, TestApp};
use crate::directed::{dead, posted, settle};

async fn states(app: &TestApp) -> Vec<String> {
    let list = app.root("GET", "/hook_events/", &Value::Null).await.json();
    let list = list.as_array().unwrap().iter().rev();
    list.map(|item| item["state"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn deliveries_are_retried_and_cancelled_by_filter() {
    let app = TestApp::new().await;
    app.hook(json!({})).await;
    app.hook(json!({"target_url": "https://example.com/2", "event_type": "shipment.*"}))
        .await;
    posted(&app, 3).await;
    app.event(json!({"type": "shipment.created", "payload": 3}))
        .await;
    dead(&app, 1).await;
    settle(&app, 2, 200, Verdict::Delivered).await;
    let before = ["dead", "delivered", "pending", "pending"];
    assert_eq!(states(&app).await, before);

    let count = |deliveries: u64, dry_run: bool| json!({"deliveries": deliveries, "deliveries_at_least": false, "dry_run": dry_run});
    for (path, body, expected) in [
        ("/deliveries/retry/", json!({"hook": 1, "dry_run": true}), 1),
        ("/deliveries/retry/", json!({"hook": 2, "dry_run": true}), 0),
        (
            "/deliveries/retry/",
            json!({"state": "delivered", "dry_run": true}),
            1,
        ),
        (
            "/deliveries/cancel/",
            json!({"state": "pending", "dry_run": true}),
            2,
        ),
        (
            "/deliveries/cancel/",
            json!({"event_type": "SHIPMENT.created", "dry_run": true}),
            1,
        ),
        (
            "/deliveries/cancel/",
            json!({"created_date__gt": "2025-11-25T10:00:00Z", "dry_run": "true"}),
            0,
        ),
        (
            "/deliveries/cancel/",
            json!({"created_date__gte": "2025-11-25T10:00:00Z", "dry_run": true}),
            2,
        ),
    ] {
        let answer = app.root("POST", path, &body).await;
        assert_eq!(
            answer.parts(),
            (200, count(expected, true)),
            "{path} {body}"
        );
    }
    assert_eq!(states(&app).await, before, "nothing was done");

    let of_alice = app
        .call(
            "alice",
            "POST",
            "/deliveries/cancel/",
            "{\"state\": \"pending\"}",
        )
        .await;
    assert_eq!(of_alice.parts(), (202, count(0, false)));
    let cancelled = app
        .root(
            "POST",
            "/deliveries/cancel/",
            &json!({"event_type": "shipment.*"}),
        )
        .await;
    assert_eq!(cancelled.parts(), (202, count(1, false)));
    let retried = app
        .root("POST", "/deliveries/retry/", &json!({"hook": 1}))
        .await;
    assert_eq!(retried.parts(), (202, count(1, false)));
    assert_eq!(
        states(&app).await,
        ["pending", "delivered", "pending", "cancelled"]
    );
    let shown = app
        .root("GET", "/hook_events/4/", &Value::Null)
        .await
        .json();
    assert_eq!(shown["state_reason"], "cancelled by hand");
}

#[tokio::test]
async fn what_is_directed_is_remembered_as_it_was_asked() {
    let app = TestApp::new().await;
    app.hook(json!({})).await;
    app.event(json!({"id": "one", "type": "package.created", "payload": 1}))
        .await;
    let asked = json!({"hook": 1, "state": "pending"});
    let cancel = app.root("POST", "/deliveries/cancel/", &asked).await;
    assert_eq!(cancel.status, 202, "{}", cancel.text);
    let counted = json!({"hook": 1, "dry_run": true});
    let counted = app.root("POST", "/deliveries/retry/", &counted).await;
    assert_eq!(counted.status, 200);
    let replay = app.root("POST", "/events/one/replay/", &Value::Null).await;
    assert_eq!(replay.status, 202);
    let audit = app
        .root("GET", "/audit/?limit=2", &Value::Null)
        .await
        .json();
    assert_eq!(audit[0]["object"], "events/one");
    assert_eq!(audit[0]["action"], "replayed");
    assert_eq!(audit[1]["object"], "deliveries");
    assert_eq!(audit[1]["action"], "cancelled");
    assert_eq!(audit[1]["after"], asked);
}

#[tokio::test]
async fn selections_that_say_nothing_or_nonsense_are_refused() {
    let app = TestApp::new().await;
    app.hook(json!({})).await;
    for (body, field) in [
        (json!({}), "non_field_errors"),
        (json!({"dry_run": true}), "non_field_errors"),
        (json!({"hook": null}), "non_field_errors"),
        (json!({"hook": 9}), "hook"),
        (json!({"hook": "one"}), "hook"),
        (json!({"event_type": "a..b"}), "event_type"),
        (json!({"state": "lost"}), "state"),
        (json!({"created_date__lt": "soon"}), "created_date__lt"),
        (json!({"created_date__lt": 5}), "created_date__lt"),
        (json!({"hook": 1, "dry_run": "perhaps"}), "dry_run"),
        (json!({"hook": 1, "webhok": 1}), "webhok"),
    ] {
        for path in ["/deliveries/retry/", "/deliveries/cancel/"] {
            let (status, answer) = app.root("POST", path, &body).await.parts();
            assert_eq!(status, 400, "{path} {body}");
            assert!(
                answer["errors"][field].is_array(),
                "{path} {body}: {answer}"
            );
        }
    }
    let dead = json!({"state": "dead"});
    let (status, answer) = app.root("POST", "/deliveries/cancel/", &dead).await.parts();
    assert_eq!(status, 400, "{answer}");
    let foreign = app
        .call("alice", "POST", "/deliveries/retry/", "{\"hook\": 1}")
        .await;
    assert_eq!(
        foreign.status, 400,
        "another's hook is none: {}",
        foreign.text
    );
}

#[tokio::test]
async fn a_paused_hook_gets_and_holds_until_it_is_resumed() {
    let app = TestApp::new().await;
    app.hook(json!({})).await;
    for _ in 0..2 {
        let paused = app.root("POST", "/hooks/1/pause/", &Value::Null).await;
        assert_eq!(paused.status, 200, "{}", paused.text);
        let paused = paused.json();
        assert_eq!(paused["is_active"], true);
        assert_eq!(paused["state"]["status"], "paused");
        assert_eq!(paused["state"]["since"], "2025-11-25T10:00:00.000Z");
    }
    posted(&app, 2).await;
    assert_eq!(states(&app).await, ["pending", "pending"]);
    // What a client reads and writes back keeps it paused.
    let shown = app.root("GET", "/hooks/1/", &Value::Null).await.json();
    assert_eq!(shown["state"]["pending"], 2);
    assert_eq!(shown["state"]["next_attempt_at"], Value::Null);
    for method in ["PUT", "PATCH"] {
        let written = app.root(method, "/hooks/1/", &shown).await;
        assert_eq!(
            written.json()["state"]["status"],
            "paused",
            "{}",
            written.text
        );
    }
    for _ in 0..2 {
        let resumed = app.root("POST", "/hooks/1/resume/", &Value::Null).await;
        assert_eq!(resumed.status, 200);
        assert_eq!(resumed.json()["state"]["status"], "active");
    }
    let off = app
        .root("PATCH", "/hooks/1/", &json!({"is_active": false}))
        .await;
    assert_eq!(off.json()["state"]["status"], "inactive");
    for action in ["pause", "resume"] {
        let path = format!("/hooks/1/{action}/");
        let refused = app.root("POST", &path, &Value::Null).await;
        assert_eq!(refused.status, 409, "{}", refused.text);
        assert_eq!(app.call("alice", "POST", &path, "").await.status, 404);
    }
}

#[tokio::test]
async fn the_queue_shows_what_is_pending() {
    let app = TestApp::new().await;
    app.hook(json!({})).await;
    posted(&app, 5).await;
    settle(&app, 2, 200, Verdict::Delivered).await;
    dead(&app, 4).await;
    let ids = |answer: &Answer| -> Vec<u64> {
        let list = answer.json();
        let list = list.as_array().unwrap().iter();
        list.map(|item| item["id"].as_u64().unwrap()).collect()
    };
    let all = app.root("GET", "/event_queues/", &Value::Null).await;
    assert_eq!(ids(&all), [5, 3, 1]);
    let first = app
        .root("GET", "/event_queues/?limit=2", &Value::Null)
        .await;
    assert_eq!(ids(&first), [5, 3]);
    let link = first.header("link").strip_prefix("</whisperer").unwrap();
    let path = link.strip_suffix(">; rel=\"next\"").unwrap();
    assert_eq!(ids(&app.root("GET", path, &Value::Null).await), [1]);
    let none = app.call("alice", "GET", "/event_queues/", "").await;
    assert_eq!(ids(&none), [0; 0]);
    let wrong = app.root("GET", "/event_queues/?x=1", &Value::Null).await;
    assert_eq!(wrong.status, 400);
}

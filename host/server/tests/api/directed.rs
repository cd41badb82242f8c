//! One delivery retried by hand, or a sample sent, and what it came to waited for. The test plays
//! the lane.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;
use whisperer_domain::delivery::{DeadCause, Waiting};
use whisperer_domain::id::{AttemptId, HookId, Sequence};
use whisperer_domain::plugin::PluginName;
use whisperer_domain::port::{FeedItem, FeedSink, Fence, Lanes as _, Lease, Settlement, Verdict};

use crate::app::{Answer, TestApp};
use crate::hook_events::attempt;

const MINUTE: Duration = Duration::from_secs(60);

fn settlement(hook: u64, sequence: u64, status: Option<u16>, verdict: Verdict) -> Settlement {
    Settlement {
        lease: Lease {
            hook: HookId(hook),
            fence: Fence(1),
        },
        sequence: Sequence(sequence),
        attempt: status.map(|status| {
            let mut made = attempt(status);
            made.id = AttemptId(Uuid::new_v4());
            made
        }),
        verdict,
        pin: None,
        effect: None,
        health: None,
        news: None,
    }
}

pub(crate) async fn settle(app: &TestApp, sequence: u64, status: u16, verdict: Verdict) {
    let settlement = settlement(1, sequence, Some(status), verdict);
    app.store.settle([settlement].into()).await.unwrap();
}

pub(crate) async fn dead(app: &TestApp, sequence: u64) {
    settle(app, sequence, 500, Verdict::Dead(DeadCause::Exhausted)).await;
}

pub(crate) async fn posted(app: &TestApp, events: usize) {
    for number in 0..events {
        app.event(json!({"type": "package.created", "payload": number}))
            .await;
    }
}

/// Stands for the lanes: as soon as a delivery is told of, it is settled so.
struct Lane {
    told: tokio::sync::mpsc::Sender<Sequence>,
}

impl FeedSink for Lane {
    fn push(&self, item: FeedItem) {
        match item {
            FeedItem::Urgent { ready, .. } | FeedItem::Fresh { ready, .. } => {
                self.told.try_send(ready.delivery.sequence).unwrap();
            }
            FeedItem::Look(_) | FeedItem::Recall(_) | FeedItem::Catalog(_) => {}
        }
    }
}

/// Makes a call while a lane settles what it causes with `status` and `verdict`.
async fn while_settled(
    app: &TestApp,
    (path, body): (&str, &str),
    status: Option<u16>,
    verdict: Verdict,
) -> Answer {
    let (told, mut heard) = tokio::sync::mpsc::channel(4);
    app.store.feed(Arc::new(Lane { told }));
    let lane = async {
        let sequence = heard.recv().await.unwrap();
        let settlement = settlement(1, sequence.0, status, verdict);
        app.store.settle([settlement].into()).await.unwrap();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        answer = app.call("root", "POST", path, body) => answer,
        () = lane => unreachable!("the lane does not end"),
    }
}

#[tokio::test]
async fn a_retry_is_waited_for_and_answers_in_the_words_of_the_oms() {
    let app = TestApp::new().await;
    app.hook(json!({})).await;
    posted(&app, 1).await;
    dead(&app, 1).await;
    let call = ("/hook_events/1/retry/", "{\"force\": false}");

    let failed = while_settled(&app, call, Some(503), Verdict::Retry { after: MINUTE }).await;
    let (status, body) = failed.parts();
    assert_eq!(status, 406, "{body}");
    assert_eq!(
        failed.header("content-type"),
        "application/problem+json",
        "{body}"
    );
    for (member, value) in [
        ("detail", json!("Webhook event delivery failed")),
        ("response_status", json!(503)),
        ("response_content", json!("café \u{fffd}")),
        ("response_time", json!(0.25)),
        ("delivered", json!(false)),
        ("error", json!("the receiver answered 503")),
        ("state", json!("pending")),
    ] {
        assert_eq!(body[member], value, "{member}");
    }

    let call = ("/hook_events/1/retry/", "{\"force\": true}");
    let delivered = while_settled(&app, call, Some(200), Verdict::Delivered).await;
    assert_eq!(
        delivered.parts(),
        (
            200,
            json!({
                "detail": "Webhook event delivered successfully", "response_status": 200,
                "response_content": "café \u{fffd}", "response_time": 0.25, "delivered": true,
                "error": null, "state": "delivered",
            })
        )
    );
    let shown = app
        .root("GET", "/hook_events/1/", &Value::Null)
        .await
        .json();
    assert_eq!(shown["retry_count"], 2);
    assert_eq!(shown["attempts"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn what_cannot_be_tried_is_said_at_once() {
    let app = TestApp::new().await;
    app.hook(json!({})).await;
    posted(&app, 1).await;
    let waits = Verdict::Defer {
        after: MINUTE,
        waiting_for: Waiting::PluginMissing(PluginName::parse("slack").unwrap()),
    };
    let call = ("/hook_events/1/retry/", "{\"force\": true}");
    let (status, body) = while_settled(&app, call, None, waits).await.parts();
    assert_eq!((status, &body["delivered"]), (202, &json!(false)), "{body}");
    assert_eq!(
        body["error"],
        "it waits for plugin slack, which is not in the folder"
    );
    let expired = Verdict::Dead(DeadCause::Expired);
    let (status, body) = while_settled(&app, call, None, expired).await.parts();
    assert_eq!(
        (status, &body["error"]),
        (406, &json!("older than max_age"))
    );
    assert_eq!(body["response_status"], Value::Null);
}

#[tokio::test(start_paused = true)]
async fn a_wait_has_a_bound() {
    let app = TestApp::new().await;
    app.hook(json!({"timeout_ms": 3000})).await;
    posted(&app, 1).await;
    let began = tokio::time::Instant::now();
    let retry = app.call("root", "POST", "/hook_events/1/retry/", "{\"force\": 1}");
    let (status, body) = retry.await.parts();
    assert_eq!(status, 202, "{body}");
    assert_eq!(body["detail"], "Webhook event is being delivered");
    assert_eq!(began.elapsed().as_secs(), 13);
}

#[tokio::test]
async fn a_retry_without_need_is_refused_with_the_codes_of_the_oms() {
    let app = TestApp::new().await;
    app.hook(json!({})).await;
    posted(&app, 3).await;
    settle(&app, 1, 200, Verdict::Delivered).await;
    dead(&app, 3).await;
    for (delivery, body, code, words) in [
        (1, "", "event_100_3", "Event already delivered"),
        (1, "{}", "event_100_3", "Event already delivered"),
        (2, "", "event_100_6", "Event is still in retry process"),
        (
            2,
            "{\"force\": \"False\"}",
            "event_100_6",
            "Event is still in retry process",
        ),
    ] {
        let path = format!("/hook_events/{delivery}/retry/");
        let (status, answer) = app.call("root", "POST", &path, body).await.parts();
        assert_eq!(status, 406, "{answer}");
        assert_eq!(
            (&answer["code"], &answer["en"]),
            (&json!(code), &json!(words))
        );
    }
    for (who, path, body, expected) in [
        ("root", "/hook_events/9/retry/", "", 404),
        ("root", "/hook_events/x/retry/", "", 404),
        ("alice", "/hook_events/3/retry/", "", 404),
        ("root", "/hook_events/3/retry/", "{\"force\": 7}", 400),
        ("root", "/hook_events/3/retry/", "{\"forse\": true}", 400),
        ("root", "/hook_events/3/retry/", "[]", 400),
    ] {
        let (status, answer) = app.call(who, "POST", path, body).await.parts();
        assert_eq!(status, expected, "{path} {body}: {answer}");
    }
    app.root("POST", "/hooks/1/pause/", &Value::Null).await;
    let (status, answer) = app
        .call("root", "POST", "/hook_events/3/retry/", "")
        .await
        .parts();
    assert_eq!(status, 409, "{answer}");
    app.root("DELETE", "/hooks/1/", &Value::Null).await;
    let (status, answer) = app
        .call("root", "POST", "/hook_events/3/retry/", "")
        .await
        .parts();
    assert_eq!(status, 409, "{answer}");
    assert!(
        answer["detail"].as_str().unwrap().contains("deleted"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_test_goes_to_its_hook_alone_and_answers_with_the_attempt() {
    let app = TestApp::new().await;
    app.hook(json!({"event_type": "shipment.*"})).await;
    app.hook(json!({"target_url": "https://example.com/2", "event_type": "*"}))
        .await;
    let call = ("/hooks/1/test/", "");
    let answer = while_settled(&app, call, Some(200), Verdict::Delivered).await;
    let (status, body) = answer.parts();
    assert_eq!(status, 200, "{body}");
    assert_eq!(
        (&body["delivered"], &body["detail"]),
        (&json!(true), &Value::Null)
    );
    assert_eq!(body["attempt"]["response"]["status"], 200);
    assert_eq!(body["delivery_id"], 1);
    let id = body["event_id"].as_str().unwrap();
    assert!(id.starts_with("test-"), "{id}");
    let shown = app.root("GET", "/hook_events/", &Value::Null).await.json();
    assert_eq!(shown.as_array().unwrap().len(), 1, "{shown}");
    assert_eq!(shown[0]["event_type"], "shipment.cancelled");
    assert_eq!(
        shown[0]["request_payload"],
        json!({"id": 1, "description": "A sample of shipment.cancelled"})
    );

    let example = json!({"example": {"shipment": "as agreed"}});
    let path = "/event-types/shipment.created/";
    assert_eq!(app.root("PUT", path, &example).await.status, 200);
    let call = ("/hooks/1/test/", "{\"type\": \"shipment.created\"}");
    while_settled(&app, call, Some(200), Verdict::Delivered).await;
    let shown = app
        .root("GET", "/hook_events/2/", &Value::Null)
        .await
        .json();
    assert_eq!(shown["request_payload"], example["example"]);

    let own = "{\"type\": \"shipment.created\", \"payload\": [7]}";
    let call = ("/hooks/1/test/", own);
    let after = Verdict::Retry { after: MINUTE };
    let (status, body) = while_settled(&app, call, Some(500), after).await.parts();
    assert_eq!((status, &body["delivered"]), (200, &json!(false)));
    assert_eq!(body["detail"], "the receiver answered 500");
    let shown = app
        .root("GET", "/hook_events/3/", &Value::Null)
        .await
        .json();
    assert_eq!(shown["request_payload"], json!([7]));

    for (who, body, expected) in [
        ("root", "{\"type\": \"package.created\"}", 400),
        ("root", "{\"type\": \"no.such\"}", 400),
        ("root", "{\"tipe\": 1}", 400),
        ("alice", "", 404),
    ] {
        let answer = app.call(who, "POST", "/hooks/1/test/", body).await;
        assert_eq!(answer.status, expected, "{body}: {}", answer.text);
    }
    app.root("POST", "/hooks/1/pause/", &Value::Null).await;
    let paused = app.call("root", "POST", "/hooks/1/test/", "").await;
    assert_eq!(paused.status, 409, "{}", paused.text);
}

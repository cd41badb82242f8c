//! The read-only `state` of hooks: how their lanes stand.

use std::time::Duration;

use serde_json::{Value, json};
use whisperer_domain::health::{Answer, Health, Heard, Patience};
use whisperer_domain::id::Sequence;
use whisperer_domain::port::{Clock as _, HookEffect, Lanes as _, Settlement, Verdict};
use whisperer_domain::time::Timestamp;

use crate::app::TestApp;
use crate::hook_events::{attempt, settlement};

#[tokio::test]
async fn a_hook_tells_what_is_pending_and_how_it_last_went() {
    let app = TestApp::new().await;
    app.hook(json!({})).await;
    app.hook(json!({"event_type": "shipment.created"})).await;
    for number in 1..=3 {
        app.event(json!({"type": "package.created", "payload": number}))
            .await;
    }
    let after = Duration::from_secs(60);
    let failed = settlement(&app, 1, attempt(500), Verdict::Retry { after }).await;
    app.store.settle([failed].into()).await.unwrap();

    let busy = json!({
        "status": "active", "secrets": null, "rotating_until": null, "pending": 3, "pending_at_least": false,
        "next_attempt_at": "2025-11-25T10:00:00.000Z",
        "last_outcome": {
            "outcome": "refused", "status": 500, "at": "2025-11-25T10:00:01.000Z", "delivery": 1,
        },
        "breaker": "closed", "breaker_until": null, "failing_since": null, "paced": null,
        "not_before": null,
    });
    let quiet = json!({
        "status": "active", "secrets": null, "rotating_until": null, "pending": 0, "pending_at_least": false,
        "next_attempt_at": null, "last_outcome": null,
        "breaker": "closed", "breaker_until": null, "failing_since": null, "paced": null,
        "not_before": null,
    });
    let list = app.root("GET", "/hooks/", &Value::Null).await.json();
    assert_eq!(list[0]["state"], quiet);
    assert_eq!(list[1]["state"], busy);
    let one = app.root("GET", "/hooks/1/", &Value::Null).await.json();
    assert_eq!(one["state"], busy);
    let put = app.root("PUT", "/hooks/1/", &one).await.json();
    assert_eq!(put["state"], busy, "what a client sends of it is not read");

    let mut waiting = busy;
    waiting["status"] = json!("inactive");
    waiting["next_attempt_at"] = Value::Null;
    let patch = json!({"is_active": false});
    let patched = app.root("PATCH", "/hooks/1/", &patch).await.json();
    assert_eq!(patched["state"], waiting);
}

#[tokio::test]
async fn a_disabled_hook_tells_why_and_has_nothing_pending() {
    let app = TestApp::new().await;
    app.hook(json!({})).await;
    for number in 1..=2 {
        app.event(json!({"type": "package.created", "payload": number}))
            .await;
    }
    let after = Duration::from_secs(60);
    let gone = Settlement {
        effect: Some(HookEffect::Gone {
            reason: "the receiver answered 410".to_owned(),
        }),
        ..settlement(&app, 1, attempt(410), Verdict::Retry { after }).await
    };
    app.store.settle([gone].into()).await.unwrap();
    let one = app.root("GET", "/hooks/1/", &Value::Null).await.json();
    assert_eq!(
        one["state"],
        json!({
            "status": "disabled", "reason": "the receiver answered 410",
            "since": "2025-11-25T10:00:00.000Z", "secrets": null, "rotating_until": null,
            "pending": 0, "pending_at_least": false, "next_attempt_at": null,
            "last_outcome": {
                "outcome": "refused", "status": 410, "at": "2025-11-25T10:00:01.000Z",
                "delivery": 1,
            },
            "breaker": "closed", "breaker_until": null, "failing_since": null, "paced": null,
            "not_before": null,
        })
    );
}

/// Settles the first delivery as failed, with the health of a lane that heard these answers of as
/// many deliveries, so long ago.
async fn heard(app: &TestApp, answers: &[Answer], secs_ago: u64) {
    let mut health = Health::default();
    let at = Timestamp(app.clock.now().0 - secs_ago * 1000);
    for (delivery, answer) in (1..).zip(answers) {
        let heard = Heard {
            answer: *answer,
            delivery: Sequence(delivery),
            began_at: at,
            rate: 8.0,
        };
        health.hear(&heard, at, &Patience::default());
    }
    let after = Duration::from_secs(5);
    let failed = Settlement {
        health: Some(health),
        ..settlement(app, 1, attempt(503), Verdict::Retry { after }).await
    };
    app.store.settle([failed].into()).await.unwrap();
}

#[tokio::test]
async fn a_lane_that_rests_tells_why_and_until_when() {
    let badly = [Answer::Badly { timed_out: false }; 10];
    let later = [Answer::Later {
        wait: Some(Duration::from_secs(90)),
        down: false,
    }];
    let (now, in_1_s, in_5_s) = (
        "2025-11-25T10:00:00.000Z",
        "2025-11-25T10:00:01.000Z",
        "2025-11-25T10:00:05.000Z",
    );
    for (answers, secs_ago, expected, due, waits) in [
        (
            &badly[..9],
            0,
            json!(["closed", null, now, null, null]),
            in_5_s,
            None,
        ),
        (
            &badly[..],
            0,
            json!(["open", in_1_s, now, null, null]),
            in_5_s,
            Some("which kept failing: not before 2025-11-25T10:00:01.000Z"),
        ),
        (
            &badly[..],
            2,
            json!(["half-open", null, "2025-11-25T09:59:58.000Z", null, null]),
            in_5_s,
            None,
        ),
        (
            &later[..],
            0,
            json!(["closed", null, now, 4.0, "2025-11-25T10:01:30.000Z"]),
            "2025-11-25T10:01:30.000Z",
            Some("which asked to wait: not before 2025-11-25T10:01:30.000Z"),
        ),
        (
            &later[..],
            100,
            json!(["closed", null, "2025-11-25T09:58:20.000Z", 4.0, null]),
            in_5_s,
            None,
        ),
    ] {
        let app = TestApp::new().await;
        app.hook(json!({})).await;
        app.event(json!({"type": "package.created", "payload": 1}))
            .await;
        heard(&app, answers, secs_ago).await;
        let hook = app.root("GET", "/hooks/1/", &Value::Null).await.json();
        let state = &hook["state"];
        let shown = [
            "breaker",
            "breaker_until",
            "failing_since",
            "paced",
            "not_before",
        ]
        .map(|member| &state[member]);
        assert_eq!(json!(shown), expected, "{hook}");
        assert_eq!(state["next_attempt_at"], due, "{hook}");
        let list = app.root("GET", "/hooks/", &Value::Null).await.json();
        assert_eq!(list[0], hook);

        let delivery = app
            .root("GET", "/hook_events/1/", &Value::Null)
            .await
            .json();
        assert_eq!(delivery["next_attempt_at"], due, "{delivery}");
        match (waits, &delivery["waiting_for"]) {
            (None, Value::Null) => {}
            (Some(words), Value::String(said)) if said.contains(words) => {}
            (_, said) => panic!("{said} in place of {waits:?}"),
        }
        // A hook that is changed begins with a clean slate.
        let patch = json!({"timeout_ms": 500});
        let patched = app.root("PATCH", "/hooks/1/", &patch).await.json();
        assert_eq!(patched["state"]["breaker"], "closed");
        assert_eq!(patched["state"]["failing_since"], Value::Null);
    }
}

/// The catalog is in memory: what it knows can be shown whatever the disk does.
#[tokio::test]
async fn a_hook_is_shown_while_the_store_is_down() {
    let app = TestApp::with_the_ledger_down().await;
    let made = app.hook(json!({})).await;
    assert_eq!(
        made["state"],
        json!({"status": "active", "secrets": null, "rotating_until": null})
    );
    let one = app.root("GET", "/hooks/1/", &Value::Null).await;
    assert_eq!(one.parts(), (200, made.clone()));
    let list = app.root("GET", "/hooks/", &Value::Null).await;
    assert_eq!(list.parts(), (200, json!([made])));
}

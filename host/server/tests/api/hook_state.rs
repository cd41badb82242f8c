//! The read-only `state` of hooks: how their lanes stand.

use std::time::Duration;

use serde_json::{Value, json};
use whisperer_domain::port::{HookEffect, Ledger as _, Settlement, Verdict};

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
    app.store.settle(vec![failed]).await.unwrap();

    let busy = json!({
        "status": "active", "secrets": null, "pending": 3, "pending_at_least": false,
        "next_attempt_at": "2025-11-25T10:00:00.000Z",
        "last_outcome": {
            "outcome": "refused", "status": 500, "at": "2025-11-25T10:00:01.000Z", "delivery": 1,
        },
    });
    let quiet = json!({
        "status": "active", "secrets": null, "pending": 0, "pending_at_least": false,
        "next_attempt_at": null, "last_outcome": null,
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
    app.store.settle(vec![gone]).await.unwrap();
    let one = app.root("GET", "/hooks/1/", &Value::Null).await.json();
    assert_eq!(
        one["state"],
        json!({
            "status": "disabled", "reason": "the receiver answered 410",
            "since": "2025-11-25T10:00:00.000Z", "secrets": null,
            "pending": 0, "pending_at_least": false, "next_attempt_at": null,
            "last_outcome": {
                "outcome": "refused", "status": 410, "at": "2025-11-25T10:00:01.000Z",
                "delivery": 1,
            },
        })
    );
}

/// The catalog is in memory: what it knows can be shown whatever the disk does.
#[tokio::test]
async fn a_hook_is_shown_while_the_store_is_down() {
    let app = TestApp::with_the_ledger_down().await;
    let made = app.hook(json!({})).await;
    assert_eq!(made["state"], json!({"status": "active", "secrets": null}));
    let one = app.root("GET", "/hooks/1/", &Value::Null).await;
    assert_eq!(one.parts(), (200, made.clone()));
    let list = app.root("GET", "/hooks/", &Value::Null).await;
    assert_eq!(list.parts(), (200, json!([made])));
}

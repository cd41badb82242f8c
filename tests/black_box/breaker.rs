//! A receiver that keeps failing is left alone, is tried now and then, and is served again once it
//! is back; also when the server was killed meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use crate::support::eventually;
use crate::support::receiver::Receiver;
use crate::support::server::{Server, Setup};

const SOON: Duration = Duration::from_secs(60);
const DELIVERIES: usize = 12;

/// A server with a hook whose receiver fails until it is up, and deliveries to it.
async fn failing(setup: &Setup) -> (Server, u64, Receiver, Arc<AtomicBool>) {
    let server = Server::start(setup).ready().await;
    let up = Arc::new(AtomicBool::new(false));
    let is_up = Arc::clone(&up);
    let receiver = Receiver::answering(move |_, _| {
        if is_up.load(Ordering::SeqCst) {
            StatusCode::OK
        } else {
            StatusCode::INTERNAL_SERVER_ERROR
        }
    })
    .await;
    let hook = server
        .hook(json!({
            "target_url": receiver.url("/"), "event_type": "package.created",
            "retry_countdown_config": {"choice": "fixed", "kwargs": {"seconds": 1}},
            "max_attempts": 100,
        }))
        .await;
    for n in 0..DELIVERIES {
        server.event("package.created", json!(n)).await;
    }
    (server, hook, receiver, up)
}

fn millis(time: &Value) -> i64 {
    let text = time.as_str().expect("a time");
    let at: jiff::Timestamp = text.parse().unwrap();
    at.as_millisecond()
}

/// Waits until the breaker opened for at least so long.
async fn opened(server: &Server, hook: u64, for_millis: i64) -> Value {
    eventually("the breaker opens", SOON, async || {
        let state = server.state(hook).await;
        let now = jiff::Timestamp::now().as_millisecond();
        let is_open =
            state["breaker"] == "open" && millis(&state["breaker_until"]) - now > for_millis;
        is_open.then_some(state)
    })
    .await
}

async fn healed(server: &Server, hook: u64) {
    let state = eventually("all are delivered", SOON, async || {
        let state = server.state(hook).await;
        (state["pending"] == 0).then_some(state)
    })
    .await;
    assert_eq!(
        (&state["breaker"], &state["failing_since"]),
        (&json!("closed"), &Value::Null),
        "{state}"
    );
}

#[tokio::test]
async fn a_dead_receiver_is_left_alone_and_served_again_once_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let (server, hook, receiver, up) = failing(&Setup::in_folder(folder.path())).await;
    // It opens for a second, then for two, then for four: two probes failed by then.
    let state = opened(&server, hook, 2_500).await;
    assert!(millis(&state["failing_since"]) > 0, "{state}");
    assert!(millis(&state["next_attempt_at"]) >= millis(&state["breaker_until"]));
    assert_eq!(state["pending"], DELIVERIES, "{state}");
    // Each would have been tried four times in this while.
    let tried = receiver.count();
    assert!(tried <= DELIVERIES + 8, "{tried} attempts");
    let waiting = server.deliveries(hook).await.remove(0);
    let words = waiting["waiting_for"].as_str().unwrap_or_default();
    assert!(words.contains("kept failing"), "{waiting:#}");
    let metrics = server.http().get(format!("{}/metrics", server.base));
    let metrics = metrics.send().await.unwrap().text().await.unwrap();
    assert!(
        metrics
            .lines()
            .any(|it| it == "whisperer_lanes_breaker_open 1"),
        "{metrics}"
    );

    up.store(true, Ordering::SeqCst);
    healed(&server, hook).await;
}

#[tokio::test]
async fn what_was_learned_of_a_receiver_outlives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::in_folder(folder.path());
    let (server, hook, receiver, up) = failing(&setup).await;
    let before = opened(&server, hook, 2_500).await;
    let tried = receiver.count();
    server.kill();
    let server = Server::start(&setup).ready().await;
    let after = server.state(hook).await;
    assert_eq!(after["failing_since"], before["failing_since"], "{after}");
    assert_ne!(after["breaker"], "closed", "{after}");
    // Not all at once, as if it were unknown: one probe, and then it is left alone for longer.
    let longer = opened(&server, hook, 5_000).await;
    assert_eq!(longer["failing_since"], before["failing_since"]);
    let again = receiver.count() - tried;
    assert!((1..=3).contains(&again), "{again} attempts");

    up.store(true, Ordering::SeqCst);
    healed(&server, hook).await;
}

//! What a receiver asks for is kept: it is not sent more than its `rate_limit`, nothing before its
//! `Retry-After`, and nothing at all, or one thing not again, by `webhook-delivery`.

use std::time::{Duration, Instant};

use http::StatusCode;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::eventually;
use crate::support::receiver::{Receiver, Reply};
use crate::support::server::{Server, Setup};

const SOON: Duration = Duration::from_secs(30);

async fn server() -> (TempDir, Server) {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&Setup::in_folder(folder.path()))
        .ready()
        .await;
    (folder, server)
}

fn subscription(receiver: &Receiver) -> Value {
    json!({
        "target_url": receiver.url("/"), "event_type": "package.created",
        "retry_countdown_config": {"choice": "fixed", "kwargs": {"seconds": 0}},
    })
}

#[tokio::test]
async fn a_rate_limit_holds_whatever_waits() {
    let (_folder, server) = server().await;
    let receiver = Receiver::accepting().await;
    let mut hook = subscription(&receiver);
    hook["rate_limit"] = json!(20);
    hook["max_in_flight"] = json!(256);
    server.hook(hook).await;
    let events: Vec<Value> = (0..100)
        .map(|n| json!({"type": "package.created", "payload": n}))
        .collect();
    let (status, _) = server
        .post_raw("/events/batch/", json!(events).to_string())
        .await;
    assert_eq!(status, 200);
    let got = receiver.wait(100, Duration::from_secs(60)).await;
    let at: Vec<Instant> = got.iter().map(|request| request.at).collect();
    let took = at[99] - at[0];
    // All hundred at this rate, but for the few that may begin together.
    assert!(took >= Duration::from_millis(4_700), "{took:?}");
    for (first, from) in at.iter().enumerate() {
        let window = at[first..]
            .iter()
            .take_while(|it| **it - *from < Duration::from_secs(1));
        // 20, two that may begin at once, and what a busy machine lets pile up on the way.
        let count = window.count();
        assert!(count <= 26, "{count} in one second, from number {first}");
    }
}

/// The next full second that is at least `ahead` away, as HTTP writes it, and when that is.
fn http_date(ahead: Duration) -> (String, Instant) {
    let (now, clock) = (jiff::Timestamp::now(), Instant::now());
    let at = jiff::Timestamp::from_second((now + ahead).as_second() + 1).unwrap();
    let text = at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    (text, clock + at.duration_since(now).unsigned_abs())
}

/// E-04. What is told to one delivery holds for all of the hook; after it, it goes on slowly.
#[tokio::test]
async fn nothing_of_a_hook_is_sent_before_its_retry_after_and_then_it_goes_slower() {
    for status in [
        StatusCode::TOO_MANY_REQUESTS,
        StatusCode::SERVICE_UNAVAILABLE,
    ] {
        let (_folder, server) = server().await;
        let (date, date_at) = http_date(Duration::from_secs(3));
        let (asked, not_before) = if status == StatusCode::TOO_MANY_REQUESTS {
            ("3".to_owned(), None)
        } else {
            (date, Some(date_at))
        };
        let receiver = Receiver::answering(move |number, _| match number {
            0 => Reply::from(status).with("retry-after", asked.clone()),
            _ => Reply::from(StatusCode::OK),
        })
        .await;
        let hook = server.hook(subscription(&receiver)).await;
        server.event("package.created", json!(0)).await;
        let state = eventually("the answer is settled", SOON, async || {
            let state = server.state(hook).await;
            state["paced"].is_number().then_some(state)
        })
        .await;
        assert_eq!(receiver.count(), 1, "{state}");
        // The store's clock is read a little later than the lane's.
        let told = |name: &str| state[name].as_str().unwrap().to_owned();
        assert!(told("next_attempt_at") >= told("not_before"), "{state}");
        assert_eq!(state["last_outcome"]["status"], status.as_u16(), "{state}");
        let waiting = server.deliveries(hook).await.remove(0);
        let words = waiting["waiting_for"].as_str().unwrap();
        assert!(words.contains("asked to wait"), "{words}");
        for n in 1..5 {
            server.event("package.created", json!(n)).await;
        }
        let got = receiver.wait(5, SOON).await;
        let not_before = not_before.unwrap_or(got[0].at + Duration::from_secs(3));
        assert!(
            got[1].at >= not_before,
            "{status}: {:?} too early",
            not_before - got[1].at
        );
        // One a second to begin with, and a tenth more with each success.
        for pair in got[1..].windows(2) {
            let gap = pair[1].at - pair[0].at;
            assert!(gap >= Duration::from_millis(500), "{status}: {gap:?}");
        }
        eventually("all are delivered", SOON, async || {
            let state = server.state(hook).await;
            (state["pending"] == 0).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_receiver_that_asks_to_be_switched_off_is() {
    let (_folder, server) = server().await;
    let receiver = Receiver::answering(|number, _| match number {
        0 => Reply::from(StatusCode::OK).with("webhook-delivery", "Disable"),
        _ => Reply::from(StatusCode::OK),
    })
    .await;
    let mut hook = subscription(&receiver);
    hook["max_in_flight"] = json!(1);
    let hook = server.hook(hook).await;
    let events = json!([
        {"type": "package.created", "payload": 0},
        {"type": "package.created", "payload": 1},
    ]);
    let (status, _) = server.post_raw("/events/batch/", events.to_string()).await;
    assert_eq!(status, 200);
    let state = eventually("it is disabled", SOON, async || {
        let state = server.state(hook).await;
        (state["status"] == "disabled").then_some(state)
    })
    .await;
    let reason = state["reason"].as_str().unwrap();
    assert!(reason.contains("webhook-delivery: disable"), "{reason}");
    assert_eq!(server.event("package.created", json!(2)).await, 0);

    // What was delivered is; what was not waits, and goes once it is wanted again.
    let before = receiver.count();
    server.patch(hook, &json!({"is_active": true})).await;
    receiver.wait(2, SOON).await;
    eventually("both are delivered", SOON, async || {
        let deliveries = server.deliveries(hook).await;
        let mut states = deliveries.iter().map(|it| &it["state"]);
        (deliveries.len() == 2 && states.all(|it| it == "delivered")).then_some(())
    })
    .await;
    assert!((1..=2).contains(&before), "{before}");
    assert_eq!(receiver.count(), 2, "each once");
}

#[tokio::test]
async fn a_refusal_for_good_ends_this_delivery_and_no_other() {
    let (_folder, server) = server().await;
    let receiver = Receiver::answering(|_, request| {
        if request.json()["payload"] == 0 {
            Reply::from(StatusCode::BAD_REQUEST).with("webhook-delivery", "later, abort-message")
        } else {
            Reply::from(StatusCode::OK)
        }
    })
    .await;
    let hook = server.hook(subscription(&receiver)).await;
    for n in 0..2 {
        server.event("package.created", json!(n)).await;
    }
    let deliveries = eventually("none is pending", SOON, async || {
        let deliveries = server.deliveries(hook).await;
        let mut states = deliveries.iter().map(|it| &it["state"]);
        states.all(|it| it != "pending").then_some(deliveries)
    })
    .await;
    let [other, refused] = &deliveries[..] else {
        panic!("{deliveries:#?}");
    };
    assert_eq!(
        (&refused["state"], &other["state"]),
        (&json!("dead"), &json!("delivered"))
    );
    let reason = refused["state_reason"].as_str().unwrap();
    assert!(reason.contains("asked not to be sent it again"), "{reason}");
    assert_eq!(refused["attempts"].as_array().unwrap().len(), 1);
    assert_eq!(receiver.count(), 2);
    assert_eq!(server.state(hook).await["status"], "active");
}

//! E-12: what is ordered arrives in order, whatever fails, is switched, or is killed meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::StatusCode;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::eventually;
use crate::support::receiver::{Received, Receiver};
use crate::support::server::{Server, Setup};

const SOON: Duration = Duration::from_secs(30);

fn payload(request: &Received) -> Value {
    request.json()["payload"].clone()
}

fn payloads(got: &[Received]) -> Vec<Value> {
    got.iter().map(payload).collect()
}

fn numbers(range: std::ops::Range<u32>) -> Vec<Value> {
    range.map(Value::from).collect()
}

fn subscription(receiver: &Receiver, path: &str, ordered: &Value, secs: u32) -> Value {
    json!({
        "target_url": receiver.url(path), "event_type": "package.created", "ordered": ordered,
        "retry_countdown_config": {"choice": "fixed", "kwargs": {"seconds": secs}},
        "max_attempts": 100,
    })
}

async fn post(server: &Server, payloads: &[Value]) {
    let events: Vec<Value> = payloads
        .iter()
        .map(|payload| {
            json!({
                "type": "package.created", "payload": payload,
                "object_id": payload["object"].as_str(),
            })
        })
        .collect();
    let (status, answer) = server
        .post_raw("/events/batch/", json!(events).to_string())
        .await;
    assert_eq!(status, 200, "{answer:#}");
}

#[tokio::test]
async fn a_head_that_fails_holds_up_its_own_hook_alone() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&Setup::in_folder(folder.path()))
        .ready()
        .await;
    let failing = Receiver::answering(|number, _| match number {
        0..3 => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::OK,
    })
    .await;
    let healthy = Receiver::accepting().await;
    let hook = subscription(&failing, "/", &json!(true), 1);
    let hook = server.hook(hook).await;
    server
        .hook(subscription(&healthy, "/", &json!(false), 1))
        .await;
    post(&server, &numbers(0..20)).await;
    let got = failing.wait(23, SOON).await;
    let mut expected = vec![json!(0); 3];
    expected.extend(numbers(0..20));
    assert_eq!(payloads(&got), expected);
    assert!(got[3].at - got[0].at >= Duration::from_millis(2_900));
    // The other hook had all of it before the head was through.
    let others = healthy.wait(20, SOON).await;
    assert!(others[19].at < got[3].at);

    // What is brought back stands behind all that is there.
    server
        .call(Method::POST, &format!("/hooks/{hook}/pause/"), None)
        .await;
    post(&server, &numbers(20..25)).await;
    let selected = json!({"hook": hook, "state": "delivered", "dry_run": true});
    let (_, counted) = server
        .call(Method::POST, "/deliveries/retry/", Some(&selected))
        .await;
    assert_eq!(counted["deliveries"], 20, "{counted}");
    let selected = json!({"hook": hook, "state": "delivered"});
    let (status, _) = server
        .call(Method::POST, "/deliveries/retry/", Some(&selected))
        .await;
    assert_eq!(status, 202);
    eventually("all are back", SOON, async || {
        (server.state(hook).await["pending"] == 25).then_some(())
    })
    .await;
    server
        .call(Method::POST, &format!("/hooks/{hook}/resume/"), None)
        .await;
    let got = failing.wait(48, SOON).await;
    let mut expected = numbers(20..25);
    expected.extend(numbers(0..20));
    assert_eq!(payloads(&got[23..]), expected);
}

#[tokio::test]
async fn an_object_waits_for_itself_alone() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&Setup::in_folder(folder.path()))
        .ready()
        .await;
    let up = Arc::new(AtomicBool::new(false));
    let is_up = Arc::clone(&up);
    let receiver = Receiver::answering(move |_, request| {
        if payload(request)["object"] == "a" && !is_up.load(Ordering::SeqCst) {
            StatusCode::INTERNAL_SERVER_ERROR
        } else {
            StatusCode::OK
        }
    })
    .await;
    let hook = subscription(&receiver, "/", &json!("object"), 1);
    let hook = server.hook(hook).await;
    let events: Vec<Value> = (0..10)
        .flat_map(|n| ["a", "b", ""].map(|object| (n, object)))
        .map(|(n, object)| match object {
            "" => json!({"n": n}),
            object => json!({"n": n, "object": object}),
        })
        .collect();
    post(&server, &events).await;
    let of = |got: &[Received], object: &Value| -> Vec<u64> {
        let about = payloads(got)
            .into_iter()
            .filter(|it| it["object"] == *object);
        about.map(|it| it["n"].as_u64().unwrap()).collect()
    };
    eventually("all but those about a", SOON, async || {
        (server.state(hook).await["pending"] == 10).then_some(())
    })
    .await;
    let got = receiver.got();
    assert_eq!(of(&got, &json!("b")), (0..10).collect::<Vec<_>>());
    let mut without = of(&got, &Value::Null);
    without.sort_unstable();
    assert_eq!(without, (0..10).collect::<Vec<_>>());
    assert!(of(&got, &json!("a")).iter().all(|n| *n == 0), "{got:#?}");
    // Tried again and again, and nothing else about it.
    let tried = of(&got, &json!("a")).len();
    eventually("a second try", SOON, async || {
        (of(&receiver.got(), &json!("a")).len() > tried).then_some(())
    })
    .await;

    up.store(true, Ordering::SeqCst);
    eventually("all", SOON, async || {
        (server.state(hook).await["pending"] == 0).then_some(())
    })
    .await;
    let mut about = of(&receiver.got(), &json!("a"));
    about.dedup();
    assert_eq!(about, (0..10).collect::<Vec<_>>());
}

/// What is pending is put into its order by the change, and let out of it again.
#[tokio::test]
async fn the_order_is_switched_on_and_off_under_what_is_pending() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&Setup::in_folder(folder.path()))
        .ready()
        .await;
    let up = Arc::new(AtomicBool::new(false));
    let is_up = Arc::clone(&up);
    // Number 20 is what it does not like.
    let receiver = Receiver::answering(move |_, request| {
        if payload(request) == 20 && !is_up.load(Ordering::SeqCst) {
            StatusCode::INTERNAL_SERVER_ERROR
        } else {
            StatusCode::OK
        }
    })
    .await;
    let hook = subscription(&receiver, "/", &json!(false), 1);
    let hook = server.hook(hook).await;
    let (pause, resume) = (
        format!("/hooks/{hook}/pause/"),
        format!("/hooks/{hook}/resume/"),
    );
    assert_eq!(server.call(Method::POST, &pause, None).await.0, 200);
    post(&server, &numbers(0..20)).await;
    server.patch(hook, &json!({"ordered": true})).await;
    assert_eq!(server.call(Method::POST, &resume, None).await.0, 200);
    let got = receiver.wait(20, SOON).await;
    assert_eq!(payloads(&got), numbers(0..20));

    post(&server, &numbers(20..30)).await;
    let got = receiver.wait(22, SOON).await;
    assert_eq!(payloads(&got[20..]), vec![json!(20); got.len() - 20]);
    server.patch(hook, &json!({"ordered": false})).await;
    eventually("all but the one", SOON, async || {
        (server.state(hook).await["pending"] == 1).then_some(())
    })
    .await;
    let mut others = payloads(&receiver.got()[20..]);
    others.retain(|it| *it != 20);
    others.sort_by_key(Value::as_u64);
    assert_eq!(others, numbers(21..30));
    up.store(true, Ordering::SeqCst);
    eventually("all", SOON, async || {
        (server.state(hook).await["pending"] == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_order_outlives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::in_folder(folder.path());
    let server = Server::start(&setup).ready().await;
    let up = Arc::new(AtomicBool::new(false));
    let is_up = Arc::clone(&up);
    let receiver = Receiver::answering(move |_, request| {
        if payload(request) == 5 && !is_up.load(Ordering::SeqCst) {
            StatusCode::INTERNAL_SERVER_ERROR
        } else {
            StatusCode::OK
        }
    })
    .await;
    let hook = subscription(&receiver, "/", &json!(true), 1);
    let hook = server.hook(hook).await;
    post(&server, &numbers(0..20)).await;
    receiver.wait(7, SOON).await;
    server.kill();
    let server = Server::start(&setup).ready().await;
    post(&server, &numbers(20..30)).await;
    let tried = receiver.count();
    receiver.wait(tried + 2, SOON).await;
    up.store(true, Ordering::SeqCst);
    eventually("all", SOON, async || {
        (server.state(hook).await["pending"] == 0).then_some(())
    })
    .await;
    // What was under way at the kill may have come twice, one after the other.
    let mut order = payloads(&receiver.got());
    order.dedup();
    assert_eq!(order, numbers(0..30));
}

//! What an operator does about deliveries that went wrong: one retried and watched, all brought
//! back once the partner is up again, a backlog called off, a hook paused.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::StatusCode;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::eventually;
use crate::support::receiver::Receiver;
use crate::support::server::{Server, Setup};

const SOON: Duration = Duration::from_secs(30);

/// A receiver that refuses until it is up, but for what says that it goes well.
async fn down_at_first() -> (Receiver, Arc<AtomicBool>) {
    let up = Arc::new(AtomicBool::new(false));
    let is_up = Arc::clone(&up);
    let receiver = Receiver::answering(move |_, request| {
        if is_up.load(Ordering::SeqCst) || request.json()["payload"]["well"] == true {
            StatusCode::OK
        } else {
            StatusCode::INTERNAL_SERVER_ERROR
        }
    })
    .await;
    (receiver, up)
}

async fn count_of(server: &Server, query: &str) -> usize {
    let path = format!("/hook_events/?limit=1000&{query}");
    let (status, list) = server.call(Method::GET, &path, None).await;
    assert_eq!(status, 200, "{list:#}");
    list.as_array().unwrap().len()
}

async fn wait_for(server: &Server, count: usize, query: &str) {
    let what = format!("{count} of {query}");
    eventually(&what, SOON, async || {
        (count_of(server, query).await == count).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_died_while_the_receiver_was_down_arrives_once_it_is_retried() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&Setup::in_folder(folder.path()))
        .ready()
        .await;
    let (receiver, up) = down_at_first().await;
    let hook = server
        .hook(json!({
            "target_url": receiver.url("/"), "event_type": "package.created",
            "retry_countdown_config": {"choice": "fixed", "kwargs": {"seconds": 0}},
            "max_attempts": 1, "max_in_flight": 1,
        }))
        .await;
    for n in 0..100 {
        server.event("package.created", json!({"n": n})).await;
        // Else it would be left alone, and they would not die so soon.
        server.event("package.created", json!({"well": true})).await;
    }
    wait_for(&server, 100, "state=dead").await;
    wait_for(&server, 100, "state=delivered").await;
    assert_eq!(receiver.count(), 200, "one attempt each");

    // One, while it is still down: the answer says how it went, and the schedule began anew.
    let retry = "/hook_events/1/retry/";
    let (status, answer) = server.call(Method::POST, retry, Some(&json!({}))).await;
    assert_eq!(status, 406, "{answer:#}");
    assert_eq!(answer["detail"], "Webhook event delivery failed");
    assert_eq!(answer["response_status"], 500);
    wait_for(&server, 100, "state=dead").await;
    assert_eq!(receiver.count(), 201);

    up.store(true, Ordering::SeqCst);
    let (status, answer) = server.call(Method::POST, retry, Some(&json!({}))).await;
    assert_eq!(status, 200, "{answer:#}");
    assert_eq!(answer["detail"], "Webhook event delivered successfully");
    assert_eq!(
        (&answer["response_status"], &answer["delivered"]),
        (&json!(200), &json!(true))
    );
    let (status, answer) = server.call(Method::POST, retry, Some(&json!({}))).await;
    assert_eq!(
        (status.as_u16(), &answer["code"]),
        (406, &json!("event_100_3"))
    );

    let all = json!({"hook": hook});
    let (status, answer) = server
        .call(Method::POST, "/deliveries/retry/", Some(&all))
        .await;
    assert_eq!((status.as_u16(), &answer["deliveries"]), (202, &json!(99)));
    wait_for(&server, 200, "state=delivered").await;
    let arrived: BTreeSet<i64> = receiver.got()[201..]
        .iter()
        .map(|request| request.json()["payload"]["n"].as_i64().unwrap())
        .collect();
    assert_eq!(arrived, (0..100).collect());
    assert_eq!(receiver.count(), 301, "each once");
    let (_, list) = server.call(Method::GET, "/event_queues/", None).await;
    assert_eq!(list, json!([]));
}

#[tokio::test]
async fn a_sample_and_a_replay_reach_the_receiver() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&Setup::in_folder(folder.path()))
        .ready()
        .await;
    let receiver = Receiver::accepting().await;
    let hook = server
        .hook(json!({"target_url": receiver.url("/"), "event_type": "shipment.*"}))
        .await;
    let test = format!("/hooks/{hook}/test/");
    let (status, answer) = server.call(Method::POST, &test, None).await;
    assert_eq!(status, 200, "{answer:#}");
    assert_eq!(answer["delivered"], true);
    assert_eq!(answer["attempt"]["response"]["status"], 200);
    let got = receiver.got();
    let sent = got[0].json();
    assert_eq!(sent["event"]["type"], "shipment.cancelled");
    assert!(
        !String::from_utf8_lossy(&got[0].body).contains("test-")
            && !format!("{:?}", got[0].headers).contains("test-"),
        "a receiver sees nothing odd: {:?}",
        got[0]
    );

    let replay = format!("/events/{}/replay/", answer["event_id"].as_str().unwrap());
    let (status, answer) = server.call(Method::POST, &replay, None).await;
    assert_eq!((status.as_u16(), &answer["deliveries"]), (202, &json!(1)));
    let got = receiver.wait(2, SOON).await;
    assert_eq!(got[0].json()["payload"], got[1].json()["payload"]);
    assert_ne!(got[0].header("webhook-id"), got[1].header("webhook-id"));
}

#[tokio::test]
async fn a_paused_hook_holds_and_then_sends_from_the_oldest() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::in_folder(folder.path());
    let server = Server::start(&setup).ready().await;
    let receiver = Receiver::accepting().await;
    let hook = server
        .hook(json!({
            "target_url": receiver.url("/"), "event_type": "package.created", "max_in_flight": 1,
        }))
        .await;
    let pause = format!("/hooks/{hook}/pause/");
    assert_eq!(server.call(Method::POST, &pause, None).await.0, 200);
    for n in 0..20 {
        server.event("package.created", json!(n)).await;
    }
    server.kill();
    let server = Server::start(&setup).ready().await;
    for n in 20..30 {
        server.event("package.created", json!(n)).await;
    }
    let (_, shown) = server
        .call(Method::GET, &format!("/hooks/{hook}/"), None)
        .await;
    assert_eq!(shown["state"]["status"], "paused", "{shown:#}");
    assert_eq!(shown["state"]["pending"], 30);
    assert_eq!(receiver.count(), 0);
    let resume = format!("/hooks/{hook}/resume/");
    assert_eq!(server.call(Method::POST, &resume, None).await.0, 200);
    let got = receiver.wait(30, SOON).await;
    let order: Vec<Value> = got
        .iter()
        .map(|request| request.json()["payload"].clone())
        .collect();
    assert_eq!(json!(order), json!((0..30).collect::<Vec<_>>()));
}

/// A directive that was answered is carried out to its end, whatever happens to the process.
#[tokio::test]
async fn a_backlog_that_is_called_off_is_so_after_a_kill_too() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::in_folder(folder.path());
    let mut server = Server::start(&setup).ready().await;
    for hook in 0..40 {
        let hook = server
            .hook(json!({
                "target_url": format!("http://127.0.0.1:9/{hook}"),
                "event_type": "package.created",
            }))
            .await;
        let pause = format!("/hooks/{hook}/pause/");
        assert_eq!(server.call(Method::POST, &pause, None).await.0, 200);
    }
    for n in 0..300 {
        assert_eq!(server.event("package.created", json!(n)).await, 40);
    }
    // How far it came when the kill fell is chance; that it came half way is wanted once.
    for _ in 0..10 {
        let (status, answer) = server
            .call(
                Method::POST,
                "/deliveries/cancel/",
                Some(&json!({"state": "pending"})),
            )
            .await;
        assert_eq!(status, 202, "{answer:#}");
        assert_eq!(answer["deliveries"], 12_000, "{answer:#}");
        server.kill();
        server = Server::start(&setup).ready().await;
        eventually("nothing is pending", SOON, async || {
            let path = "/event_queues/?limit=1";
            let (_, list) = server.call(Method::GET, path, None).await;
            (list == json!([])).then_some(())
        })
        .await;
        assert_eq!(count_of(&server, "state=cancelled").await, 1000);
        if server.log().contains("a directive is carried out") {
            return;
        }
        let back = json!({"state": "cancelled"});
        let (status, _) = server
            .call(Method::POST, "/deliveries/retry/", Some(&back))
            .await;
        assert_eq!(status, 202);
        let selected = json!({"state": "cancelled", "dry_run": true});
        eventually("all are back", SOON, async || {
            let path = "/deliveries/retry/";
            let (_, answer) = server.call(Method::POST, path, Some(&selected)).await;
            (answer["deliveries"] == 0).then_some(())
        })
        .await;
    }
    panic!("no kill fell while the directive was at work");
}

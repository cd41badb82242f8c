//! How it ends: asked to, told twice, or killed at any moment.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use crate::support::eventually;
use crate::support::receiver::Receiver;
use crate::support::server::{ADMIN, Server, Setup};

/// Invariant 1: what was answered 202 is delivered, whatever happened to the process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_kills_lose_nothing_that_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::in_folder(folder.path());
    // One in five fails at first, so that retries are pending too when the kill comes.
    let receiver = Receiver::answering(|number, _| {
        if number % 5 == 0 {
            http::StatusCode::BAD_GATEWAY
        } else {
            http::StatusCode::OK
        }
    })
    .await;
    let server = Server::start(&setup).ready().await;
    server
        .hook(json!({
            "target_url": receiver.url("/"), "event_type": "package.created",
            "retry_countdown_config": {"choice": "fixed", "kwargs": {"seconds": 1}},
            "max_attempts": 100,
        }))
        .await;
    server.kill();

    let mut random = fastrand::Rng::with_seed(20);
    let mut acknowledged = HashSet::new();
    for cycle in 0..20 {
        let server = Server::start(&setup).ready().await;
        let stop = AtomicBool::new(false);
        let stop = &stop;
        let life = Duration::from_millis(random.u64(50..500));
        let posters = (0..8).map(|poster| post_until(&server, cycle, poster, stop));
        let (posted, ()) = tokio::join!(futures_util::future::join_all(posters), async {
            tokio::time::sleep(life).await;
            server.signal("KILL");
            stop.store(true, Ordering::Relaxed);
        });
        acknowledged.extend(posted.into_iter().flatten());
        server.kill();
    }
    assert!(
        acknowledged.len() > 500,
        "only {} events were acknowledged",
        acknowledged.len()
    );

    let _server = Server::start(&setup).ready().await;
    eventually(
        "every acknowledged event arrives",
        Duration::from_secs(60),
        async || {
            let arrived: HashSet<String> = receiver
                .got()
                .iter()
                .map(|request| request.json()["payload"]["id"].as_str().unwrap().to_owned())
                .collect();
            acknowledged.is_subset(&arrived).then_some(())
        },
    )
    .await;
}

/// Posts one event after the other; answers the ids of those that were answered 202.
async fn post_until(
    server: &Server,
    cycle: usize,
    poster: usize,
    stop: &AtomicBool,
) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let id = format!("{cycle}/{poster}/{number}");
        let body = json!({"id": id, "type": "package.created", "payload": {"id": id}});
        let answer = server
            .http()
            .post(format!("{}/whisperer/events/", server.base))
            .header("authorization", format!("Token {ADMIN}"))
            .body(body.to_string())
            .header("content-type", "application/json")
            .send()
            .await;
        match answer {
            Ok(answer) if answer.status() == 202 => acknowledged.push(id),
            Ok(answer) => panic!("{} while the server lived", answer.status()),
            Err(_) => break,
        }
    }
    acknowledged
}

/// A server with one attempt under way, at a receiver that takes `delay` to answer.
async fn in_flight(delay: Duration) -> (TempDir, Server, Receiver) {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&Setup::in_folder(folder.path()))
        .ready()
        .await;
    let receiver = Receiver::slow(delay).await;
    server
        .hook(json!({"target_url": receiver.url("/"), "event_type": "package.created"}))
        .await;
    server.event("package.created", json!({"n": 1})).await;
    receiver.wait(1, Duration::from_secs(5)).await;
    (folder, server, receiver)
}

#[tokio::test]
async fn sigterm_finishes_what_is_in_flight_and_exits_0() {
    let (folder, mut server, receiver) = in_flight(Duration::from_millis(1500)).await;
    server.signal("TERM");
    let status = server.ended(Duration::from_secs(10)).await;
    assert_eq!(status.code(), Some(0), "{}", server.log());

    // The answer of the slow receiver was waited for: nothing is sent again.
    let again = Server::start(&Setup::in_folder(folder.path()))
        .ready()
        .await;
    let (_, list) = again
        .call(reqwest::Method::GET, "/hook_events/", None)
        .await;
    assert_eq!(list[0]["state"], "delivered", "{list:#}");
    assert_eq!(receiver.count(), 1);
}

#[tokio::test]
async fn a_second_signal_ends_at_once_and_the_delivery_is_sent_again() {
    let (folder, mut server, receiver) = in_flight(Duration::from_secs(8)).await;
    server.signal("TERM");
    eventually(
        "the first signal is noticed",
        Duration::from_secs(5),
        async || server.log().contains("stopping").then_some(()),
    )
    .await;
    server.signal("TERM");
    let status = server.ended(Duration::from_secs(3)).await;
    assert_ne!(status.code(), Some(0));

    let _again = Server::start(&Setup::in_folder(folder.path()))
        .ready()
        .await;
    let got = receiver.wait(2, Duration::from_secs(5)).await;
    assert_eq!(got[0].header("webhook-id"), got[1].header("webhook-id"));
}

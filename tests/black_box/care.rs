//! Care of the data of a server that runs: copies, retention, compacting, checks, by the commands
//! that an operator has.

use std::collections::HashSet;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::support::eventually;
use crate::support::receiver::Receiver;
use crate::support::server::{Server, Setup};
use crate::support::torture::often;

fn command(arguments: &[&str], data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_whisperer"));
    command.args(arguments).arg("--data").arg(data);
    command.stdin(Stdio::null());
    command
}

/// Runs beside the tasks of the test.
async fn run(arguments: &[&str], data: &Path) -> Output {
    let mut command = command(arguments, data);
    let done = tokio::task::spawn_blocking(move || command.output());
    done.await.unwrap().unwrap()
}

fn words(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8(both).unwrap()
}

async fn post(server: &Server, id: &str, payload: &str) -> bool {
    let body = json!({"id": id, "type": "package.created", "payload": payload});
    let (status, _) = server.call(Method::POST, "/events/", Some(&body)).await;
    status == 202
}

async fn has_event(server: &Server, id: &str) -> bool {
    let path = format!("/events/{id}/");
    let (status, answer) = server.call(Method::GET, &path, None).await;
    assert!(status == 200 || status == 404, "{status} {answer}");
    status == 200
}

/// Every event acknowledged before the copy began is in it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_taken_under_load_is_put_back_elsewhere_with_all_that_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = Server::start(&Setup::in_folder(&data)).ready().await;
    let receiver = Receiver::answering(|_, _| http::StatusCode::OK).await;
    server
        .hook(json!({"target_url": receiver.url("/"), "event_type": "*"}))
        .await;
    let copy = folder.path().join("copy.redb");
    let is_over = AtomicBool::new(false);
    let poster = |poster: usize| {
        let (server, is_over) = (&server, &is_over);
        async move {
            let mut number = 0;
            while !is_over.load(Ordering::Relaxed) {
                assert!(post(server, &format!("{poster}-{number}"), "x").await);
                number += 1;
            }
        }
    };
    let posters = futures_util::future::join_all((0..8).map(poster));
    let copying = async {
        for number in 0..50 {
            assert!(post(&server, &format!("before-{number}"), "x").await);
        }
        let output = run(&["backup", copy.to_str().unwrap()], &data).await;
        let again = run(&["backup", copy.to_str().unwrap()], &data).await;
        let checked = run(&["check"], &data).await;
        is_over.store(true, Ordering::Relaxed);
        (output, again, checked)
    };
    let ((output, again, checked), _) = tokio::join!(copying, posters);
    assert!(output.status.success(), "{}", words(&output));
    assert!(words(&output).contains("secrets.key"), "{}", words(&output));
    assert!(!again.status.success());
    assert!(
        words(&again).contains("is there already"),
        "{}",
        words(&again)
    );
    assert!(checked.status.success(), "{}", words(&checked));
    assert!(words(&checked).contains("nothing is wrong"));

    let into_running = run(&["restore", copy.to_str().unwrap()], &data).await;
    assert!(!into_running.status.success(), "{}", words(&into_running));
    let new = folder.path().join("new");
    let restored = run(&["restore", copy.to_str().unwrap()], &new).await;
    assert!(restored.status.success(), "{}", words(&restored));
    assert!(
        words(&restored).contains("key file"),
        "{}",
        words(&restored)
    );
    std::fs::copy(data.join("secrets.key"), new.join("secrets.key")).unwrap();
    let elsewhere = Server::start(&Setup::in_folder(&new)).ready().await;
    for number in 0..50 {
        let id = format!("before-{number}");
        assert!(has_event(&elsewhere, &id).await, "{id}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_not_be_kept_goes_and_what_is_pending_stays() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("whisperer.toml");
    std::fs::write(&config, "retention_bytes = 1\n").unwrap();
    let mut setup = Setup::in_folder(&folder.path().join("data"));
    setup.args = vec!["--config".to_owned(), config.to_str().unwrap().to_owned()];
    let server = Server::start(&setup).ready().await;
    let receiver = Receiver::answering(|_, _| http::StatusCode::OK).await;
    let hook = server
        .hook(json!({"target_url": receiver.url("/"), "event_type": "*"}))
        .await;
    assert!(post(&server, "goes", "x").await);
    eventually(
        "it is delivered and gone",
        Duration::from_secs(20),
        async || (!has_event(&server, "goes").await).then_some(()),
    )
    .await;
    receiver.wait(1, Duration::from_secs(5)).await;
    assert!(server.deliveries(hook).await.is_empty());
    let path = format!("/hooks/{hook}/pause/");
    server.call(Method::POST, &path, None).await;
    assert!(post(&server, "stays", "x").await);
    // Its id is free again, so it is delivered as another one once the hook goes on.
    assert!(post(&server, "goes", "y").await);
    let metrics = server.http().get(format!("{}/metrics", server.base));
    let metrics = metrics.send().await.unwrap().text().await.unwrap();
    assert!(
        metrics.contains("whisperer_events_swept_total 1"),
        "{metrics}"
    );
    assert!(has_event(&server, "stays").await && has_event(&server, "goes").await);
    let path = format!("/hooks/{hook}/resume/");
    server.call(Method::POST, &path, None).await;
    receiver.wait(3, Duration::from_secs(20)).await;
}

/// Compacted, and killed in the midst of it: it opens, and nothing is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_while_the_file_is_compacted_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::in_folder(folder.path());
    let payload = "x".repeat(100_000);
    let mut random = fastrand::Rng::with_seed(10);
    let mut acknowledged = HashSet::new();
    for cycle in 0..often(6, 60) {
        let server = Server::start(&setup).ready().await;
        for number in 0..40 {
            let id = format!("{cycle}-{number}");
            assert!(post(&server, &id, &payload).await);
            acknowledged.insert(id);
        }
        let mut compacting = command(&["compact"], folder.path());
        let compacting = compacting
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        tokio::time::sleep(Duration::from_millis(random.u64(0..120))).await;
        server.kill();
        compacting.unwrap().wait().unwrap();
    }
    let server = Server::start(&setup).ready().await;
    for id in &acknowledged {
        assert!(has_event(&server, id).await, "{id}");
    }
    let before = std::fs::metadata(folder.path().join("whisperer.redb")).unwrap();
    let done = run(&["compact"], folder.path()).await;
    assert!(done.status.success(), "{}", words(&done));
    let after = std::fs::metadata(folder.path().join("whisperer.redb")).unwrap();
    assert!(after.len() <= before.len());
    // It goes on at once.
    assert!(post(&server, "after", "x").await);
    let checked = run(&["check"], folder.path()).await;
    assert!(checked.status.success(), "{}", words(&checked));
}

#[tokio::test]
async fn a_closed_store_is_cared_for_too_and_damage_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let nothing = run(&["check"], &data).await;
    assert!(!nothing.status.success());
    assert!(
        words(&nothing).contains("no database"),
        "{}",
        words(&nothing)
    );
    let mut server = Server::start(&Setup::in_folder(&data)).ready().await;
    assert!(data.join("control.sock").exists());
    assert!(post(&server, "e1", "findable").await);
    server.signal("TERM");
    server.ended(Duration::from_secs(20)).await;
    assert!(!data.join("control.sock").exists(), "it is taken away");

    for arguments in [
        &["check"][..],
        &["check", "--deep"],
        &["compact"],
        &["check"],
    ] {
        let done = run(arguments, &data).await;
        assert!(done.status.success(), "{arguments:?}: {}", words(&done));
    }
    let file = data.join("whisperer.redb");
    let copy = folder.path().join("copy.redb");
    let done = run(&["backup", copy.to_str().unwrap()], &data).await;
    assert!(done.status.success(), "{}", words(&done));
    // A bit of a payload, wherever it lies.
    let mut bytes = std::fs::read(&file).unwrap();
    let places: Vec<_> = bytes
        .windows(8)
        .enumerate()
        .filter_map(|(at, window)| (window == b"findable").then_some(at))
        .collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at] ^= 1;
    }
    std::fs::write(&file, bytes).unwrap();
    let found = run(&["check"], &data).await;
    assert_eq!(found.status.code(), Some(1), "{}", words(&found));
    assert!(words(&found).contains("events[1] does not match its checksum"));
    let sound = run(&["check", copy.to_str().unwrap()], &data).await;
    assert!(sound.status.success(), "{}", words(&sound));
    assert!(words(&sound).contains("nothing is wrong"));
}

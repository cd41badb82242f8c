//! What an operator does with plugins over the API, and what protects deliveries meanwhile.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::eventually;
use crate::support::guests::{drop_in, guest, variant};
use crate::support::receiver::Receiver;
use crate::support::server::{ADMIN, Server, Setup};

const PATIENCE: Duration = Duration::from_secs(20);

async fn server_with(plugins: &[(&str, &str)]) -> (TempDir, Server) {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::in_folder(folder.path());
    for (name, component) in plugins {
        drop_in(&setup.plugins(), &format!("{name}.wasm"), &guest(component));
    }
    (folder, Server::start(&setup).ready().await)
}

async fn put(server: &Server, name: &str, kind: &str, body: Vec<u8>) -> (StatusCode, Value) {
    let url = format!("{}/whisperer/plugins/{name}/", server.base);
    let request = server.http().put(url).body(body);
    let answer = request
        .header("authorization", format!("Token {ADMIN}"))
        .header("content-type", kind)
        .send()
        .await
        .unwrap();
    let status = answer.status();
    let text = answer.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap())
}

/// As Prometheus on this machine does it; and every name that comes is in the README.
async fn scraped(server: &Server) -> String {
    let url = format!("{}/metrics", server.base);
    let far = server
        .http()
        .get(&url)
        .header("x-forwarded-for", "192.0.2.1");
    assert_eq!(far.send().await.unwrap().status(), 401);
    let near = server.http().get(&url).send().await.unwrap();
    let text = near.text().await.unwrap();
    let readme = include_str!("../../README.md");
    let lines = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let names: Vec<&str> = lines.filter_map(|line| line.split(' ').next()).collect();
    assert!(names.len() > 5, "{text}");
    for name in names {
        assert!(
            readme.contains(&format!("| `{name}` |")),
            "the README lacks {name}"
        );
    }
    text
}

async fn waits(server: &Server, hook: u64, word: &str) {
    eventually(word, PATIENCE, async || {
        let delivery = server.deliveries(hook).await.into_iter().next()?;
        let words = delivery["waiting_for"].as_str()?.to_owned();
        words.contains(word).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_plugin_is_put_tried_swapped_and_deleted_over_the_api() {
    let (_folder, server) = server_with(&[]).await;
    let (status, refused) = put(&server, "redact", "application/wasm", b"text".to_vec()).await;
    assert_eq!(status, 400);
    assert!(
        refused["detail"]
            .as_str()
            .unwrap()
            .contains("not WebAssembly"),
        "{refused}"
    );
    assert_eq!(
        std::fs::read_dir(&server.plugins).unwrap().count(),
        0,
        "the folder is untouched"
    );

    let (status, made) = put(&server, "redact", "application/wasm", guest("redact")).await;
    assert_eq!(
        (status.as_u16(), &made["generation"]),
        (201, &json!(1)),
        "{made}"
    );
    let settings = b"[config]\npaths = [\"a\"]".to_vec();
    let (status, made) = put(&server, "redact", "application/toml", settings).await;
    assert_eq!(
        (status.as_u16(), &made["default_config_errors"]),
        (200, &json!([])),
        "{made}"
    );
    let bad = b"[config]\npaths = 1".to_vec();
    let (status, refused) = put(&server, "redact", "application/toml", bad).await;
    assert_eq!(status, 400, "{refused}");

    let body = json!({"event": {"type": "package.created", "payload": {"a": 1, "b": 2}}});
    let (status, tried) = server
        .call(Method::POST, "/plugins/redact/try/", Some(&body))
        .await;
    assert_eq!(status, 200);
    assert_eq!(
        tried["result"]["payload"],
        json!({"a": "***", "b": 2}),
        "{tried}"
    );
    assert_eq!(
        tried["diff"],
        json!([{"op": "replace", "path": "/a", "value": "***"}])
    );
    assert!(
        tried["runs"][0]["memory_bytes"].as_u64().unwrap() >= 65_536,
        "{tried}"
    );

    let next = variant(&guest("redact"), 1);
    let (status, made) = put(&server, "redact", "application/wasm", next).await;
    assert_eq!(
        (status.as_u16(), &made["calls"]),
        (200, &json!(0)),
        "a dry run counts nowhere: {made}"
    );
    server
        .hook(
            json!({"target_url": "http://127.0.0.1:9/", "event_type": "*",
            "plugins": [{"name": "redact"}]}),
        )
        .await;
    let (status, _) = server.call(Method::DELETE, "/plugins/redact/", None).await;
    assert_eq!(status, 409);
    let gone = server
        .call(Method::DELETE, "/plugins/redact/?force=true", None)
        .await;
    assert_eq!(gone.0, 204);
    assert_eq!(
        server.call(Method::GET, "/plugins/redact/", None).await.0,
        404
    );
    assert_eq!(std::fs::read_dir(&server.plugins).unwrap().count(), 0);
}

/// A swap can leave a hook with a configuration that no longer fits: it is listed, its deliveries
/// wait, and they go once it fits again.
#[tokio::test]
async fn a_config_that_no_longer_fits_defers_until_it_is_mended() {
    let (_folder, server) = server_with(&[("shape", "redact")]).await;
    let receiver = Receiver::accepting().await;
    let hook = server
        .hook(
            json!({"target_url": receiver.url("/"), "event_type": "package.created",
            "envelope": "none", "plugins": [{"name": "shape", "config": {"paths": ["a"]}}]}),
        )
        .await;
    server.event("package.created", json!({"a": 1})).await;
    receiver.wait(1, PATIENCE).await;

    drop_in(&server.plugins, "shape.wasm", &guest("filter"));
    let unfit = eventually("the swap", PATIENCE, async || {
        let (_, now) = server.call(Method::GET, "/plugins/shape/", None).await;
        (now["generation"] == 2).then(|| now["unfit_hooks"].clone())
    })
    .await;
    assert_eq!(unfit[0]["hook"], json!(hook), "{unfit}");
    assert!(unfit[0]["errors"].to_string().contains("keep"), "{unfit}");
    server.event("package.created", json!({"a": 2})).await;
    waits(&server, hook, "configuration that plugin shape takes").await;
    assert_eq!(receiver.count(), 1);

    let mended =
        json!({"plugins": [{"name": "shape", "config": {"keep": {"path": "a", "eq": 2}}}]});
    let path = format!("/hooks/{hook}/");
    assert_eq!(
        server.call(Method::PATCH, &path, Some(&mended)).await.0,
        200
    );
    let got = receiver.wait(2, PATIENCE).await;
    assert_eq!(got[1].json(), json!({"a": 2}));
}

#[tokio::test]
async fn a_plugin_that_keeps_trapping_is_stopped_and_released_by_hand() {
    let (_folder, server) = server_with(&[("hostile", "hostile")]).await;
    let receiver = Receiver::accepting().await;
    let hook = async |path: &str, act: &str| {
        server
            .hook(
                json!({"target_url": receiver.url(path), "event_type": "package.created",
                "on_plugin_error": "dead",
                "plugins": [{"name": "hostile", "config": {"act": act}}]}),
            )
            .await
    };
    let (bad, good) = (hook("/bad", "trap").await, hook("/good", "unchanged").await);
    for number in 0..20 {
        server.event("package.created", json!({"n": number})).await;
    }
    eventually("twenty traps", PATIENCE, async || {
        let deliveries = server.deliveries(bad).await;
        let dead = deliveries.iter().filter(|it| it["state"] == "dead").count();
        (dead == 20).then_some(())
    })
    .await;
    server.event("package.created", json!({"n": 20})).await;
    waits(&server, bad, "stopped because it kept breaking").await;
    // The other hook's deliveries through the same plugin go on.
    receiver.wait(21, PATIENCE).await;
    let (_, status) = server.call(Method::GET, "/plugins/hostile/", None).await;
    assert_eq!(
        status["quarantine"],
        json!({"everywhere": false, "hooks": [bad]})
    );
    assert_eq!(status["failures"], json!({"trap": 20}), "{status}");
    let waiting = server.deliveries(bad).await.remove(0);
    assert_eq!(waiting["attempts"], json!([]), "waiting is no attempt");

    let metrics = scraped(&server).await;
    for line in [
        "whisperer_plugin_calls_total{plugin=\"hostile\",result=\"trap\"} 20",
        "whisperer_plugin_calls_total{plugin=\"hostile\",result=\"ok\"} 21",
        "whisperer_plugin_quarantines_total{plugin=\"hostile\",scope=\"hook\"} 1",
        "whisperer_plugin_call_seconds_bucket{plugin=\"hostile\",le=\"+Inf\"} 41",
        "whisperer_plugin_generation{plugin=\"hostile\"} 1",
        "whisperer_plugin_info{plugin=\"hostile\",digest=",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }

    let released = server
        .call(Method::POST, "/plugins/hostile/release/", None)
        .await;
    assert_eq!(released.1, json!({"released": true}));
    eventually("it was tried again", PATIENCE, async || {
        let delivery = server.deliveries(bad).await.into_iter().next()?;
        (delivery["state"] == "dead").then_some(())
    })
    .await;
    assert_eq!(server.deliveries(good).await.len(), 21);
}

/// Its parser shows the line that it cannot read.
#[tokio::test]
async fn settings_that_cannot_be_read_are_told_without_the_secret_in_them() {
    let (_folder, server) = server_with(&[("redact", "redact")]).await;
    let broken = b"[config]\ntoken = hunter2\n";
    let (status, told) = put(&server, "redact", "application/toml", broken.to_vec()).await;
    let words = told["detail"].as_str().unwrap();
    assert_eq!(status, 400);
    assert!(words.contains("line 2"), "{words}");
    assert!(!words.contains("hunter2"), "{words}");

    drop_in(&server.plugins, "redact.toml", broken);
    let error = eventually("the refusal", PATIENCE, async || {
        let (_, now) = server.call(Method::GET, "/plugins/redact/", None).await;
        Some(now["load_error"].as_str()?.to_owned())
    })
    .await;
    assert!(error.contains("line 2"), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
    assert!(!server.log().contains("hunter2"), "{}", server.log());
}

/// A hook's chain on the event of one of its deliveries, before and after a plugin of it is gone.
#[tokio::test]
async fn a_past_delivery_is_tried_through_its_hook() {
    let (_folder, server) = server_with(&[("redact", "redact"), ("filter", "filter")]).await;
    let receiver = Receiver::accepting().await;
    let hook = server
        .hook(
            json!({"target_url": receiver.url("/"), "event_type": "package.created",
            "plugins": [{"name": "redact", "config": {"paths": ["a"]}}]}),
        )
        .await;
    server.event("package.created", json!({"a": 1})).await;
    receiver.wait(1, PATIENCE).await;
    let delivery = server.deliveries(hook).await[0]["id"].clone();
    let asked = json!({"delivery_id": delivery, "hook_id": hook});
    let tried = async || {
        server
            .call(Method::POST, "/plugins/filter/try/", Some(&asked))
            .await
    };
    let (status, now) = tried().await;
    assert_eq!(
        (status.as_u16(), &now["result"]),
        (
            200,
            &json!({"outcome": "modified", "payload": {"a": "***"}})
        )
    );
    assert_eq!(now["runs"][0]["plugin"], "redact");

    let gone = server
        .call(Method::DELETE, "/plugins/redact/?force=true", None)
        .await;
    assert_eq!(gone.0, 204);
    let (status, now) = tried().await;
    assert_eq!(
        (status.as_u16(), &now["result"]["outcome"], &now["runs"]),
        (200, &json!("deferred"), &json!([]))
    );
    let words = now["result"]["waiting_for"].as_str().unwrap();
    assert!(words.contains("redact"), "{words}");
    assert_eq!(receiver.count(), 1, "nothing is sent");
}

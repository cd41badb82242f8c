//! The client of the original app, against the real binary: what its integrators' programs send,
//! and what they read in the answers, row by row of what was promised to them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::receiver::Receiver;
use crate::support::server::{Server, Setup};
use crate::support::verify::signatures_hold;

const PATIENCE: Duration = Duration::from_secs(20);
const SECRET: &str = "a secret of the integrator's";

async fn server() -> (TempDir, Server) {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&Setup::in_folder(folder.path()))
        .ready()
        .await;
    (folder, server)
}

/// As the client writes it: every field of the original, and no other.
fn subscription(target: &str, event_type: &str) -> Value {
    json!({
        "target_url": target,
        "event_type": event_type,
        "secret_key": SECRET,
        "is_active": true,
        "config": {"auth": {"auth_type": "basic", "username": "u", "password": "p"}},
        "additional_headers": {"X-Client": "oms"},
        "retry_countdown_config": {"choice": "fixed", "kwargs": {"seconds": 3600}},
    })
}

fn duplicate(answer: &(StatusCode, Value)) {
    let (status, body) = answer;
    assert_eq!(*status, 406, "{body:#}");
    assert_eq!(body["code"], "webhook_100_2");
    assert_eq!(body["en"], "Webhook already registered");
}

#[tokio::test]
async fn subscribe_change_unsubscribe_and_subscribe_again() {
    let (_folder, server) = server().await;
    let one = subscription("http://127.0.0.1:9/one", "package.created");
    let (status, hook) = server.call(Method::POST, "/hooks/", Some(&one)).await;
    assert_eq!(status, 201, "{hook:#}");
    let id = hook["id"].as_u64().unwrap();
    for field in [
        "target_url",
        "event_type",
        "is_active",
        "retry_countdown_config",
    ] {
        assert_eq!(hook[field], one[field], "{field}");
    }
    for field in ["created_date", "modified_date"] {
        assert!(hook[field].as_str().unwrap().ends_with('Z'), "{field}");
    }

    duplicate(&server.call(Method::POST, "/hooks/", Some(&one)).await);
    let two = subscription("http://127.0.0.1:9/two", "package.created");
    let other = server.hook(two.clone()).await;
    let path = format!("/hooks/{other}/");
    duplicate(&server.call(Method::PUT, &path, Some(&one)).await);
    let moved = json!({"target_url": one["target_url"]});
    duplicate(&server.call(Method::PATCH, &path, Some(&moved)).await);

    let patch = json!({"is_active": false});
    let (status, patched) = server.call(Method::PATCH, &path, Some(&patch)).await;
    assert_eq!(
        (status.as_u16(), &patched["is_active"]),
        (200, &json!(false))
    );

    let gone = format!("/hooks/{id}/");
    assert_eq!(server.call(Method::DELETE, &gone, None).await.0, 204);
    assert_eq!(server.call(Method::GET, &gone, None).await.0, 404);
    let (status, again) = server.call(Method::POST, "/hooks/", Some(&one)).await;
    assert_eq!(
        status, 201,
        "a deleted hook may be registered again: {again:#}"
    );
}

#[tokio::test]
async fn lists_are_bare_arrays_and_filter_as_they_did() {
    let (_folder, server) = server().await;
    let target = "http://127.0.0.1:9/one";
    let first = server.hook(subscription(target, "package.created")).await;
    let second = server
        .hook(subscription(target, "shipment.cancelled"))
        .await;
    let idle = json!({"is_active": false});
    let path = format!("/hooks/{second}/");
    assert_eq!(server.call(Method::PATCH, &path, Some(&idle)).await.0, 200);
    for (query, wanted) in [
        ("", vec![second, first]),
        ("?event_type=PACKAGE.CREATED", vec![first]),
        ("?target_url=http://127.0.0.1:9/one", vec![second, first]),
        ("?is_active=True", vec![first]),
        ("?is_active=false", vec![second]),
        ("?is_active=1&format=json", vec![first]),
    ] {
        let (status, list) = server
            .call(Method::GET, &format!("/hooks/{query}"), None)
            .await;
        assert_eq!(status, 200, "{query}: {list:#}");
        let list = list.as_array().expect("a bare array");
        let ids: Vec<u64> = list.iter().map(|it| it["id"].as_u64().unwrap()).collect();
        assert_eq!(ids, wanted, "{query}");
    }
    let (_, names) = server.call(Method::GET, "/hooks/registry/", None).await;
    let names = names.as_array().expect("a bare array").clone();
    assert!(
        names.contains(&json!("package.status.packed_for_refund")),
        "{names:?}"
    );
}

#[tokio::test]
async fn errors_stand_where_the_client_looks_for_them() {
    let (_folder, server) = server().await;
    let mut input = subscription("http://127.0.0.1:9/one", "no.such.type");
    input["retry_countdown_config"] =
        json!({"choice": "random", "kwargs": {"min_value": 5, "max_value": 5}});
    let (status, body) = server.call(Method::POST, "/hooks/", Some(&input)).await;
    assert_eq!(status, 400);
    let words = body["event_type"][0].as_str().unwrap();
    assert!(
        words.starts_with("\"no.such.type\" is not a valid choice."),
        "{words}"
    );
    assert_eq!(
        body["retry_countdown_config"],
        json!({"kwargs": {"non_field_errors": ["'max_value' must be greater than 'min_value'."]}})
    );
    input["retry_countdown_config"] = json!({"choice": "x", "kwargs": {}});
    let (_, body) = server.call(Method::POST, "/hooks/", Some(&input)).await;
    assert_eq!(
        body["retry_countdown_config"],
        json!({"choice": ["\"x\" is not a valid choice."]})
    );
}

#[tokio::test]
async fn what_arrives_is_the_envelope_with_its_signature_and_the_password() {
    let (_folder, server) = server().await;
    let receiver = Receiver::accepting().await;
    server
        .hook(subscription(&receiver.url("/in"), "package.created"))
        .await;
    server.event("package.created", json!({"number": 7})).await;
    let got = receiver.wait(1, PATIENCE).await.remove(0);
    let body = got.json();
    assert_eq!(body["payload"], json!({"number": 7}));
    assert_eq!(body["event"]["type"], "package.created");
    let uuid = body["event"]["uuid"].as_str().unwrap();
    assert!(
        uuid.len() == 32 && uuid.bytes().all(|it| it.is_ascii_hexdigit()),
        "{uuid}"
    );
    assert_eq!(got.header("x-whisperer-event"), "package.created");
    assert_eq!(got.header("authorization"), "Basic dTpw");
    assert_eq!(got.header("x-client"), "oms");
    assert_eq!(got.header("content-type"), "application/json");
    signatures_hold(&got, SECRET);
}

#[tokio::test]
async fn a_retry_is_refused_while_one_is_due_forced_and_refused_once_it_is_there() {
    let (_folder, server) = server().await;
    let up = Arc::new(AtomicBool::new(false));
    let now = Arc::clone(&up);
    let receiver = Receiver::answering(move |_, _| {
        if now.load(Ordering::SeqCst) {
            StatusCode::OK
        } else {
            StatusCode::INTERNAL_SERVER_ERROR
        }
    })
    .await;
    let hook = server
        .hook(subscription(&receiver.url("/in"), "package.created"))
        .await;
    server.event("package.created", json!({"number": 7})).await;
    receiver.wait(1, PATIENCE).await;
    let delivery = crate::support::eventually("the first attempt", PATIENCE, async || {
        let found = server.deliveries(hook).await.into_iter().next()?;
        (found["response_http_status"] == 500).then_some(found)
    })
    .await;
    let path = format!("/hook_events/{}/retry/", delivery["id"]);
    let retry = async |force: bool| {
        let body = json!({ "force": force });
        server.call(Method::POST, &path, Some(&body)).await
    };

    let (status, waiting) = server.call(Method::GET, "/event_queues/", None).await;
    assert_eq!(status, 200);
    assert_eq!(waiting[0]["id"], delivery["id"], "{waiting:#}");

    let (status, refused) = retry(false).await;
    assert_eq!(
        (status.as_u16(), &refused["code"]),
        (406, &json!("event_100_6"))
    );
    assert_eq!(refused["en"], "Event is still in retry process");

    let (status, failed) = retry(true).await;
    assert_eq!(status, 406, "{failed:#}");
    assert_eq!(failed["detail"], "Webhook event delivery failed");
    assert_eq!(failed["response_status"], 500);
    assert_eq!(failed["delivered"], false);

    up.store(true, Ordering::SeqCst);
    let (status, done) = retry(true).await;
    assert_eq!(status, 200, "{done:#}");
    assert_eq!(done["detail"], "Webhook event delivered successfully");
    assert_eq!(
        (&done["response_status"], &done["delivered"]),
        (&json!(200), &json!(true))
    );
    assert!(done["response_time"].is_number() && done["response_content"].is_string());

    let (status, refused) = retry(false).await;
    assert_eq!(
        (status.as_u16(), &refused["code"]),
        (406, &json!("event_100_3"))
    );
    assert_eq!(refused["en"], "Event already delivered");
    let (_, waiting) = server.call(Method::GET, "/event_queues/", None).await;
    assert_eq!(waiting, json!([]));

    let uuids: Vec<_> = receiver
        .got()
        .iter()
        .map(|it| it.json()["event"]["uuid"].clone())
        .collect();
    assert_eq!(uuids.len(), 3);
    assert!(uuids.iter().all(|uuid| *uuid == uuids[0]), "{uuids:?}");
}

//! Subscribe, post, receive, verify; and what happened can be read.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::guests::{drop_in, guest};
use crate::support::receiver::Receiver;
use crate::support::server::{Server, Setup};
use crate::support::{eventually, verify};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

#[tokio::test]
async fn an_event_arrives_signed_and_its_payload_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&Setup::in_folder(folder.path()))
        .ready()
        .await;
    let receiver = Receiver::accepting().await;
    let hook = server
        .hook(json!({
            "target_url": receiver.url("/in"),
            "event_type": "package.created",
            "secret_key": SECRET,
            "additional_headers": {"X-Partner": "ünused".replace('ü', "u")},
            "config": {"auth": {"auth_type": "basic", "username": "oms", "password": "pass word"}},
            "retry_countdown_config": {"choice": "fixed", "kwargs": {"seconds": 1}},
        }))
        .await;

    // Everything that a parser would change: spaces, order, number spellings, duplicate keys.
    let payload = "{ \"b\": 1.0, \"a\": 1e2,\n \"n\": 123456789012345678901234567890, \
                   \"u\": \"\\u00e9\\/\", \"a\": [ ] }";
    let body = format!("{{\"type\": \"package.created\", \"payload\": {payload}}}");
    let (status, answer) = server.post_raw("/events/", body).await;
    assert_eq!(
        (status.as_u16(), &answer["deliveries"]),
        (202, &json!(1)),
        "{answer}"
    );

    let got = receiver.wait(1, Duration::from_secs(5)).await;
    let request = &got[0];
    let uuid = request.header("webhook-id");
    assert_eq!(uuid.len(), 32);
    assert_eq!(
        std::str::from_utf8(&request.body).unwrap(),
        format!(
            "{{\"event\": {{\"type\": \"package.created\", \"uuid\": \"{uuid}\"}}, \
             \"payload\": {payload}}}"
        )
    );
    assert_eq!(request.path, "/in");
    assert_eq!(request.header("content-type"), "application/json");
    assert_eq!(request.header("x-whisperer-event"), "package.created");
    assert_eq!(request.header("x-partner"), "unused");
    assert_eq!(
        request.header("authorization"),
        "Basic b21zOnBhc3Mgd29yZA=="
    );
    assert!(request.header("user-agent").starts_with("Whisperer/"));
    verify::signatures_hold(request, SECRET);

    let delivery = settled(&server, hook).await.remove(0);
    assert_eq!(delivery["state"], "delivered");
    assert_eq!(delivery["uuid"], uuid);
    assert_eq!(delivery["delivered"], true);
    assert_eq!(delivery["response_http_status"], 200);
    assert_eq!(delivery["attempts"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn failures_are_retried_with_one_id_and_a_fresh_signature() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&Setup::in_folder(folder.path()))
        .ready()
        .await;
    let receiver = Receiver::answering(|number, _| match number {
        0 => http::StatusCode::INTERNAL_SERVER_ERROR,
        1 => http::StatusCode::FOUND,
        _ => http::StatusCode::NO_CONTENT,
    })
    .await;
    let hook = server
        .hook(json!({
            "target_url": receiver.url("/"),
            "event_type": "package.*",
            "secret_key": "my-secret-key",
            "retry_countdown_config": {"choice": "fixed", "kwargs": {"seconds": 1}},
        }))
        .await;
    server.event("package.status.packed", json!({"n": 1})).await;
    let got = receiver.wait(3, Duration::from_secs(10)).await;
    for pair in got.windows(2) {
        assert_eq!(pair[0].header("webhook-id"), pair[1].header("webhook-id"));
        assert_eq!(pair[0].body, pair[1].body);
        assert_ne!(
            pair[0].header("webhook-timestamp"),
            pair[1].header("webhook-timestamp")
        );
        assert!(pair[1].at - pair[0].at >= Duration::from_millis(900));
    }
    got.iter()
        .for_each(|request| verify::signatures_hold(request, "my-secret-key"));

    let delivery = settled(&server, hook).await.remove(0);
    let outcomes: Vec<_> = delivery["attempts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|attempt| (attempt["outcome"].clone(), attempt["status"].clone()))
        .collect();
    assert_eq!(
        outcomes,
        [
            (json!("refused"), json!(500)),
            (json!("refused"), json!(302)),
            (json!("delivered"), json!(204)),
        ]
    );
    assert_eq!(delivery["retry_count"], 2);
}

#[tokio::test]
async fn a_gone_receiver_ends_its_hook() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&Setup::in_folder(folder.path()))
        .ready()
        .await;
    let receiver = Receiver::answering(|_, _| http::StatusCode::GONE).await;
    let hook = server
        .hook(json!({"target_url": receiver.url("/"), "event_type": "shipment.created"}))
        .await;
    server.event("shipment.created", json!({})).await;
    let delivery = settled(&server, hook).await.remove(0);
    assert_eq!(delivery["state"], "cancelled");
    let (_, shown) = server
        .call(Method::GET, &format!("/hooks/{hook}/"), None)
        .await;
    assert_eq!(shown["is_active"], false);
    assert_eq!(server.event("shipment.created", json!({})).await, 0);
    assert_eq!(receiver.count(), 1);
}

#[tokio::test]
async fn a_chain_shapes_what_one_partner_gets_and_leaves_the_other_alone() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::in_folder(folder.path());
    let plugins = setup.plugins();
    drop_in(&plugins, "redact.wasm", &guest("redact"));
    drop_in(&plugins, "slack.wasm", &guest("slack"));
    let server = Server::start(&setup).ready().await;
    let (plain, masked, slack) = (
        Receiver::accepting().await,
        Receiver::accepting().await,
        Receiver::accepting().await,
    );
    let subscribe = async |receiver: &Receiver, plugins: Value| {
        server
            .hook(json!({
                "target_url": receiver.url("/"), "event_type": "package.created",
                "secret_key": SECRET, "plugins": plugins,
            }))
            .await
    };
    subscribe(&plain, json!([])).await;
    let paths = json!({"paths": ["customer.email"]});
    let hook = subscribe(&masked, json!([{"name": "redact", "config": paths}])).await;
    subscribe(&slack, json!([{"name": "slack", "config": {}}])).await;

    let payload = json!({"id": 7, "customer": {"name": "Ada", "email": "ada@example.com"}});
    assert_eq!(server.event("package.created", payload.clone()).await, 3);
    let within = Duration::from_secs(10);
    let (plain, masked, slack) = (
        plain.wait(1, within).await,
        masked.wait(1, within).await,
        slack.wait(1, within).await,
    );
    assert_eq!(plain[0].json()["payload"], payload);
    assert_eq!(
        masked[0].json()["payload"],
        json!({"id": 7, "customer": {"name": "Ada", "email": "***"}})
    );
    assert!(slack[0].json()["text"].is_string(), "{}", slack[0].json());
    for request in [&plain[0], &masked[0], &slack[0]] {
        verify::signatures_hold(request, SECRET);
    }

    let delivery = settled(&server, hook).await.remove(0);
    let run = &delivery["attempts"][0]["chain"][0];
    assert_eq!(run["plugin"], "redact");
    assert_eq!(run["digest"].as_str().unwrap().len(), 64, "{run}");
}

/// The hook's deliveries once none is pending.
async fn settled(server: &Server, hook: u64) -> Vec<Value> {
    eventually("all settled", Duration::from_secs(10), async || {
        let deliveries = server.deliveries(hook).await;
        let done = deliveries
            .iter()
            .all(|delivery| delivery["state"] != "pending");
        (done && !deliveries.is_empty()).then_some(deliveries)
    })
    .await
}

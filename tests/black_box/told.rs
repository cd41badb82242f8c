//! What an operator is told: a hook that fails, recovers, is disabled, a delivery that is given up;
//! to hooks of admins that ask for it, and to nobody else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::StatusCode;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::eventually;
use crate::support::receiver::{Received, Receiver};
use crate::support::server::{Server, Setup};
use crate::support::verify;

const SOON: Duration = Duration::from_secs(30);
const SECRET: &str = "an operator's secret";

/// With these lines in its configuration.
async fn server(settings: &str) -> (TempDir, Server) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("whisperer.toml");
    std::fs::write(&file, settings).unwrap();
    let mut setup = Setup::in_folder(&folder.path().join("data"));
    setup.args = vec!["--config".to_owned(), file.to_str().unwrap().to_owned()];
    let server = Server::start(&setup).ready().await;
    (folder, server)
}

/// An admin's hook that hears of everything, and where it does.
async fn listener(server: &Server) -> Receiver {
    let receiver = Receiver::accepting().await;
    server
        .hook(json!({
            "target_url": receiver.url("/"), "event_type": "whisperer.*", "secret_key": SECRET,
        }))
        .await;
    receiver
}

async fn failing(status: StatusCode) -> (Receiver, Arc<AtomicBool>) {
    let up = Arc::new(AtomicBool::new(false));
    let is_up = Arc::clone(&up);
    let receiver = Receiver::answering(move |_, _| {
        if is_up.load(Ordering::SeqCst) {
            StatusCode::OK
        } else {
            status
        }
    })
    .await;
    (receiver, up)
}

fn subscription(receiver: &Receiver, event_type: &str, attempts: u32) -> Value {
    json!({
        "target_url": receiver.url("/private?key=hidden"), "event_type": event_type,
        "retry_countdown_config": {"choice": "fixed", "kwargs": {"seconds": 0}},
        "max_attempts": attempts,
    })
}

/// Type and payload, of what was told of this hook in the right form.
fn told(request: &Received, hook: u64, receiver: &Receiver) -> (String, Value) {
    verify::signatures_hold(request, SECRET);
    let body = request.json();
    assert!(!body.to_string().contains("hidden"), "{body}");
    let about = &body["payload"]["hook"];
    assert_eq!(about["id"], hook, "{body}");
    let origin = format!("http://{}", receiver.address);
    assert_eq!(about["target"], origin, "{body}");
    let event_type = body["event"]["type"].as_str().unwrap().to_owned();
    (event_type, body["payload"].clone())
}

/// The names of all members, as deep as they go.
fn members(value: &Value, above: &str, found: &mut Vec<String>) {
    for (name, inner) in value.as_object().into_iter().flatten() {
        let place = format!("{above}/{name}");
        members(inner, &place, found);
        found.push(place);
    }
}

async fn is_as_its_example(server: &Server, event_type: &str, payload: &Value) {
    let path = format!("/event-types/{event_type}/");
    let (_, shown) = server.call(Method::GET, &path, None).await;
    let (mut expected, mut found) = (Vec::new(), Vec::new());
    members(&shown["example"], "", &mut expected);
    members(payload, "", &mut found);
    expected.sort();
    found.sort();
    assert_eq!(found, expected, "{event_type}");
}

#[tokio::test]
async fn a_death_is_told_to_an_admins_hook_that_asks_and_to_no_star() {
    let (_folder, server) = server("").await;
    let admin = listener(&server).await;
    // One that cannot be told: of it nothing is told either, or it would never end.
    let deaf = Receiver::answering(|_, _| StatusCode::INTERNAL_SERVER_ERROR).await;
    let deaf_hook = subscription(&deaf, "whisperer.delivery.dead", 1);
    let deaf_hook = server.hook(deaf_hook).await;
    let owner = json!({"owner": "alice"});
    let (_, token) = server.call(Method::POST, "/tokens/", Some(&owner)).await;
    let token = token["token"].as_str().unwrap();
    let star = Receiver::accepting().await;
    for (who, path) in [(Some(token), "/alice"), (None, "/admin")] {
        let hook = json!({"target_url": star.url(path), "event_type": "*"});
        let (status, _) = match who {
            Some(token) => {
                server
                    .call_as(token, Method::POST, "/hooks/", Some(&hook))
                    .await
            }
            None => server.call(Method::POST, "/hooks/", Some(&hook)).await,
        };
        assert_eq!(status, 201);
    }
    let (receiver, _) = failing(StatusCode::INTERNAL_SERVER_ERROR).await;
    let hook = subscription(&receiver, "package.created", 2);
    let hook = server.hook(hook).await;
    server.event("package.created", json!({"n": 1})).await;

    let got = admin.wait(1, SOON).await;
    let (event_type, payload) = told(&got[0], hook, &receiver);
    assert_eq!(event_type, "whisperer.delivery.dead");
    is_as_its_example(&server, &event_type, &payload).await;
    let dead = server.deliveries(hook).await.remove(0);
    assert_eq!(
        payload["delivery"],
        json!({
            "id": dead["id"], "uuid": dead["uuid"], "attempts": 2, "last_status": 500,
            "created_date": dead["created_date"], "cause": "exhausted",
            "event": {"id": dead["event_id"], "type": "package.created", "object_id": null},
        })
    );
    eventually("the deaf one's died, too", SOON, async || {
        let deliveries = server.deliveries(deaf_hook).await;
        (deliveries.first()?["state"] == "dead").then_some(())
    })
    .await;
    star.wait(2, SOON).await;
    let path = "/events/?limit=1000";
    let (_, events) = server.call(Method::GET, path, None).await;
    let types: Vec<&str> = events
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect();
    assert_eq!(types, ["whisperer.delivery.dead", "package.created"]);
    assert_eq!((star.count(), admin.count(), deaf.count()), (2, 1, 1));
}

/// E-03
#[tokio::test]
async fn a_receiver_that_is_gone_ends_its_hook_and_an_operator_hears_of_it() {
    let (_folder, server) = server("").await;
    let admin = listener(&server).await;
    let (receiver, _) = failing(StatusCode::GONE).await;
    let mut hook = subscription(&receiver, "package.created", 5);
    hook["ordered"] = json!(true);
    let hook = server.hook(hook).await;
    let events: Vec<Value> = (0..5)
        .map(|n| json!({"type": "package.created", "payload": n}))
        .collect();
    server
        .post_raw("/events/batch/", json!(events).to_string())
        .await;
    let got = admin.wait(1, SOON).await;
    let (event_type, payload) = told(&got[0], hook, &receiver);
    assert_eq!(event_type, "whisperer.hook.disabled");
    is_as_its_example(&server, &event_type, &payload).await;
    let reason = payload["reason"].as_str().unwrap();
    assert!(reason.contains("410"), "{reason}");
    let state = server.state(hook).await;
    assert_eq!(
        (&state["status"], &state["reason"], &state["pending"]),
        (&json!("disabled"), &payload["reason"], &json!(0))
    );
    let deliveries = eventually("all are cancelled", SOON, async || {
        let deliveries = server.deliveries(hook).await;
        let mut states = deliveries.iter().map(|it| &it["state"]);
        states.all(|it| it == "cancelled").then_some(deliveries)
    })
    .await;
    let tried = deliveries
        .iter()
        .map(|it| it["attempts"].as_array().unwrap());
    assert_eq!(tried.map(Vec::len).sum::<usize>(), 1, "no further attempt");
    assert_eq!(receiver.count(), 1);
    assert_eq!(server.event("package.created", json!(9)).await, 0);
}

#[tokio::test]
async fn a_hook_that_fails_for_too_long_is_told_of_and_disabled() {
    let (_folder, server) = server("failing_told_secs = 1\nfailing_disabled_secs = 3\n").await;
    let admin = listener(&server).await;
    let (receiver, up) = failing(StatusCode::INTERNAL_SERVER_ERROR).await;
    let mut hook = subscription(&receiver, "package.created", 100);
    hook["retry_countdown_config"]["kwargs"]["seconds"] = json!(1);
    let hook = server.hook(hook).await;
    server.event("package.created", json!(1)).await;
    let got = admin.wait(2, SOON).await;
    let (event_type, payload) = told(&got[0], hook, &receiver);
    assert_eq!(event_type, "whisperer.hook.failing");
    is_as_its_example(&server, &event_type, &payload).await;
    let since = payload["failing_since"].as_str().unwrap();
    let (event_type, payload) = told(&got[1], hook, &receiver);
    assert_eq!(event_type, "whisperer.hook.disabled");
    let reason = payload["reason"].as_str().unwrap();
    assert!(reason.contains(since), "{reason} {since}");
    let first = receiver.got()[0].at;
    assert!(got[0].at - first >= Duration::from_secs(1));
    assert!(got[1].at - first >= Duration::from_secs(3));
    let state = server.state(hook).await;
    assert_eq!(
        (&state["status"], &state["pending"]),
        (&json!("disabled"), &json!(1)),
        "what is pending waits: {state}"
    );
    assert_eq!(server.event("package.created", json!(2)).await, 0);

    up.store(true, Ordering::SeqCst);
    server.patch(hook, &json!({"is_active": true})).await;
    eventually("it is delivered", SOON, async || {
        let delivery = server.deliveries(hook).await.remove(0);
        (delivery["state"] == "delivered").then_some(())
    })
    .await;
    assert_eq!(admin.count(), 2, "{:#?}", admin.got());
}

#[tokio::test]
async fn a_recovery_is_told_where_the_failing_was() {
    let (_folder, server) = server("failing_told_secs = 1\nfailing_disabled_secs = 0\n").await;
    let admin = listener(&server).await;
    let (receiver, up) = failing(StatusCode::INTERNAL_SERVER_ERROR).await;
    let mut hook = subscription(&receiver, "package.created", 100);
    hook["retry_countdown_config"]["kwargs"]["seconds"] = json!(1);
    let hook = server.hook(hook).await;
    server.event("package.created", json!(1)).await;
    let got = admin.wait(1, SOON).await;
    let (failing, since) = told(&got[0], hook, &receiver);
    up.store(true, Ordering::SeqCst);
    let got = admin.wait(2, SOON).await;
    let (recovered, payload) = told(&got[1], hook, &receiver);
    assert_eq!(
        (&*failing, &*recovered),
        ("whisperer.hook.failing", "whisperer.hook.recovered")
    );
    is_as_its_example(&server, &recovered, &payload).await;
    assert_eq!(payload["failing_since"], since["failing_since"]);
    let state = server.state(hook).await;
    assert_eq!(
        (&state["status"], &state["failing_since"]),
        (&json!("active"), &Value::Null)
    );
}

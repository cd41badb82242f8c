//! Signatures on the wire, verified by libraries that are not ours: of odd bodies, over a rotation,
//! and refused when anything was touched.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::receiver::{Received, Receiver};
use crate::support::server::{ADMIN, Server, Setup};
use crate::support::{eventually, odd_json, verify};

const OLD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const PATIENCE: Duration = Duration::from_secs(60);

async fn started(folder: &tempfile::TempDir) -> Server {
    Server::start(&Setup::in_folder(folder.path()))
        .ready()
        .await
}

fn every_form() -> Value {
    json!(["whisperer", "standard", "github", "ed25519"])
}

/// It signs in every form, under the old secret.
async fn signing_hook(server: &Server, receiver: &Receiver) -> u64 {
    server
        .hook(json!({
            "target_url": receiver.url("/"), "event_type": "package.created",
            "secret_key": OLD, "signatures": every_form(),
        }))
        .await
}

/// The hook's newest public key and the one before, bare.
async fn public_keys(server: &Server, hook: u64) -> Vec<Vec<u8>> {
    let path = format!("/hooks/{hook}/public-key/");
    let (status, shown) = server.call(Method::GET, &path, None).await;
    assert_eq!(status, 200, "{shown:#}");
    let previous = shown["previous"].as_array().unwrap();
    [&shown]
        .into_iter()
        .chain(previous)
        .map(|key| {
            let text = key["public_key"].as_str().unwrap();
            STANDARD
                .decode(text.strip_prefix("whpk_").unwrap())
                .unwrap()
        })
        .collect()
}

fn count(request: &Received, kind: &str) -> usize {
    let all = request.header("webhook-signature").split(' ');
    all.filter(|it| it.starts_with(kind)).count()
}

/// Where the clock of the receiver stands in the overlap, by the second that the attempt names.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stands {
    Within,
    /// In the very second in which the overlap ends.
    AtItsEnd,
    After,
}

fn stands(request: &Received, until: Timestamp) -> Stands {
    let secs: i64 = request.header("webhook-timestamp").parse().unwrap();
    match secs.cmp(&until.as_second()) {
        std::cmp::Ordering::Less => Stands::Within,
        std::cmp::Ordering::Equal => Stands::AtItsEnd,
        std::cmp::Ordering::Greater => Stands::After,
    }
}

/// G-04: a receiver that knows only the old secret goes on to verify each attempt while the
/// overlap lasts, by the official library; one that knows the new secret does so from its first
/// moment on.
#[tokio::test]
async fn a_receiver_changes_its_keys_when_it_likes_while_the_overlap_lasts() {
    let folder = tempfile::tempdir().unwrap();
    let server = started(&folder).await;
    // It accepts what the old secret verifies, and nothing else.
    let receiver = Receiver::answering(|_, request| {
        match verify::standard_holds(OLD, &request.headers, &request.body) {
            true => StatusCode::OK,
            false => StatusCode::UNAUTHORIZED,
        }
    })
    .await;
    let hook = server
        .hook(json!({
            "target_url": receiver.url("/"), "event_type": "package.created",
            "secret_key": OLD, "signatures": every_form(),
            "retry_countdown_config": {"choice": "fixed", "kwargs": {"seconds": 3600}},
        }))
        .await;
    for n in 0..5 {
        server.event("package.created", json!({"n": n})).await;
    }
    let before = receiver.wait(5, PATIENCE).await;
    let [first_public] = &public_keys(&server, hook).await[..] else {
        panic!("one pair before the first rotation");
    };

    let path = format!("/hooks/{hook}/secret/rotate/");
    let body = json!({"overlap_seconds": 3});
    let (status, rotated) = server.call(Method::POST, &path, Some(&body)).await;
    assert_eq!(status, 200, "{rotated:#}");
    let new = rotated["secret_key"].as_str().unwrap();
    let until: Timestamp = rotated["rotating_until"].as_str().unwrap().parse().unwrap();
    let publics = public_keys(&server, hook).await;
    assert_eq!(publics.len(), 2);
    assert_eq!(&publics[1], first_public);

    // Events all through the overlap and beyond its end, by the server's own word of it.
    eventually("the overlap is over", PATIENCE, async || {
        server
            .event("package.created", json!({"within": true}))
            .await;
        server.state(hook).await["rotating_until"]
            .is_null()
            .then_some(())
    })
    .await;
    eventually("attempts after the overlap", PATIENCE, async || {
        server
            .event("package.created", json!({"within": false}))
            .await;
        let got = receiver.got();
        let after = got.iter().filter(|it| stands(it, until) == Stands::After);
        (after.count() >= 3).then_some(())
    })
    .await;

    let standard =
        |secret: &str, it: &Received| verify::standard_holds(secret, &it.headers, &it.body);
    let raw = |secret: &str, it: &Received| {
        let hub = verify::github_holds(secret, &it.headers, &it.body);
        let ours = it.header("x-hub-signature-256") == it.header("x-whisperer-signature");
        hub && ours
    };
    let ed25519 = |key: &[u8], it: &Received| verify::ed25519_holds(key, &it.headers, &it.body);
    for it in &before {
        assert!(standard(OLD, it) && raw(OLD, it) && ed25519(first_public, it));
        assert_eq!((count(it, "v1,"), count(it, "v1a,")), (1, 1));
        assert!(!standard(new, it) && !ed25519(&publics[0], it));
    }
    let (mut within, mut after) = (0, 0);
    for it in &receiver.got()[before.len()..] {
        let holds = (
            [standard(new, it), standard(OLD, it)],
            [raw(new, it), raw(OLD, it)],
            [ed25519(&publics[0], it), ed25519(first_public, it)],
            [count(it, "v1,"), count(it, "v1a,")],
        );
        let both = ([true, true], [false, true], [true, true], [2, 2]);
        let new_only = ([true, false], [true, false], [true, false], [1, 1]);
        match stands(it, until) {
            Stands::Within => {
                assert_eq!(holds, both);
                within += 1;
            }
            Stands::AtItsEnd => assert!(holds == both || holds == new_only, "{holds:?}"),
            Stands::After => {
                assert_eq!(holds, new_only);
                after += 1;
            }
        }
    }
    assert!(within >= 3 && after >= 3, "{within} within, {after} after");
    // What it saw in time it took at the first try.
    let deliveries = server.deliveries(hook).await;
    let delivered = deliveries.iter().filter(|it| it["state"] == "delivered");
    assert!(delivered.count() >= before.len() + within);
}

/// G-05: each attempt is signed anew, with one id and the time at which it is made.
#[tokio::test]
async fn a_retry_keeps_its_id_and_renews_its_time_and_every_signature_over_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = started(&folder).await;
    let receiver = Receiver::answering(|number, _| match number {
        0 | 1 => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::OK,
    })
    .await;
    let hook = server
        .hook(json!({
            "target_url": receiver.url("/"), "event_type": "package.created",
            "secret_key": OLD, "signatures": every_form(),
            "retry_countdown_config": {"choice": "fixed", "kwargs": {"seconds": 1}},
        }))
        .await;
    let key = public_keys(&server, hook).await.remove(0);
    server.event("package.created", json!({"n": 1})).await;
    let got = receiver.wait(3, PATIENCE).await;
    for it in &got {
        all_hold(it, &key);
    }
    for pair in got.windows(2) {
        let (first, second) = (&pair[0], &pair[1]);
        assert_eq!(first.header("webhook-id"), second.header("webhook-id"));
        assert_eq!(first.body, second.body);
        let secs = |it: &Received| it.header("webhook-timestamp").parse::<u64>().unwrap();
        assert!(secs(second) > secs(first));
        let signatures = |it: &Received| -> Vec<String> {
            let all = it.header("webhook-signature").split(' ');
            all.map(str::to_owned).collect()
        };
        for (first, second) in signatures(first).iter().zip(signatures(second)) {
            assert_ne!(*first, second);
        }
        // This form signs the body alone, which stays.
        let raw = |it: &Received| it.header("x-hub-signature-256").to_owned();
        assert_eq!(raw(first), raw(second));
    }
}

fn all_hold(request: &Received, public_key: &[u8]) {
    let (headers, body) = (&request.headers, &request.body);
    assert!(verify::standard_holds(OLD, headers, body), "{body:?}");
    assert!(verify::github_holds(OLD, headers, body), "{body:?}");
    assert!(verify::ed25519_holds(public_key, headers, body), "{body:?}");
    verify::signatures_hold(request, OLD);
}

/// G-03: what was posted arrives byte for byte, and what arrived is what was signed.
#[tokio::test]
async fn hundreds_of_odd_bodies_arrive_as_they_were_posted_and_as_they_were_signed() {
    let folder = tempfile::tempdir().unwrap();
    let server = started(&folder).await;
    let receiver = Receiver::accepting().await;
    let hook = server
        .hook(json!({
            "target_url": receiver.url("/"), "event_type": "package.created",
            "secret_key": OLD, "signatures": every_form(), "max_in_flight": 64,
        }))
        .await;
    let key = public_keys(&server, hook).await.remove(0);
    let mut payloads = odd_json::all(600);
    let event = |it: &String| format!("{{\"type\": \"package.created\", \"payload\": {it}}}");
    let events: Vec<_> = payloads.iter().map(event).collect();
    let batch = format!("[{}]", events.join(",\r\n\t"));
    let (status, answer) = server.post_raw("/events/batch/", batch).await;
    assert_eq!(status, 200, "{answer:#}");
    let entries = answer.as_array().unwrap();
    for (entry, payload) in entries.iter().zip(&payloads) {
        assert_eq!(entry["status"], 202, "{payload}: {entry}");
    }
    let got = receiver.wait(payloads.len(), PATIENCE).await;
    let mut arrived: Vec<String> = got
        .iter()
        .map(|it| {
            all_hold(it, &key);
            let uuid = it.header("webhook-id");
            let head = format!(
                "{{\"event\": {{\"type\": \"package.created\", \"uuid\": \"{uuid}\"}}, \"payload\": "
            );
            let text = std::str::from_utf8(&it.body).unwrap();
            let payload = text.strip_prefix(&head).and_then(|rest| rest.strip_suffix('}'));
            payload.unwrap_or_else(|| panic!("{text}")).to_owned()
        })
        .collect();
    arrived.sort();
    payloads.sort();
    assert_eq!(arrived, payloads);
}

/// The rest of G-03: bytes that are no text. The official library takes text only, the other two
/// verify them.
#[tokio::test]
async fn bytes_that_are_no_text_are_signed_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let server = started(&folder).await;
    let receiver = Receiver::accepting().await;
    let hook = server
        .hook(json!({
            "target_url": receiver.url("/"), "event_type": "package.created", "envelope": "none",
            "secret_key": OLD, "signatures": every_form(),
        }))
        .await;
    let key = public_keys(&server, hook).await.remove(0);
    let bytes: Vec<u8> = (0..=255).rev().collect();
    let request = server
        .http()
        .post(format!("{}/whisperer/events/", server.base))
        .header("authorization", format!("Token {ADMIN}"))
        .header("content-type", "application/octet-stream")
        .header("ce-specversion", "1.0")
        .header("ce-id", "1")
        .header("ce-source", "/tests")
        .header("ce-type", "package.created")
        .body(bytes.clone());
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 202);
    let got = receiver.wait(1, PATIENCE).await.remove(0);
    assert_eq!(got.body, bytes);
    assert!(verify::github_holds(OLD, &got.headers, &got.body));
    assert!(verify::ed25519_holds(&key, &got.headers, &got.body));
}

/// G-02: each byte of what is signed, and of the signatures, matters.
#[tokio::test]
async fn what_was_touched_on_the_way_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let server = started(&folder).await;
    let receiver = Receiver::accepting().await;
    let hook = signing_hook(&server, &receiver).await;
    let key = public_keys(&server, hook).await.remove(0);
    server.event("package.created", json!({"n": 1})).await;
    let got = receiver.wait(1, PATIENCE).await.remove(0);
    all_hold(&got, &key);

    for place in 0..got.body.len() {
        let mut body = got.body.to_vec();
        body[place] ^= 1;
        let any = verify::standard_holds(OLD, &got.headers, &body)
            || verify::github_holds(OLD, &got.headers, &body)
            || verify::ed25519_holds(&key, &got.headers, &body);
        assert!(!any, "byte {place} of the body");
    }
    for name in ["webhook-id", "webhook-timestamp"] {
        for place in 0..got.header(name).len() {
            let headers = touched(&got.headers, name, place);
            let any = verify::standard_holds(OLD, &headers, &got.body)
                || verify::ed25519_holds(&key, &headers, &got.body);
            assert!(!any, "byte {place} of {name}");
        }
    }
    let signatures = got.header("webhook-signature").to_owned();
    let (v1, v1a) = signatures.split_once(' ').unwrap();
    // The last character before the padding has bits that stand for nothing.
    for place in "v1,".len()..v1.trim_end_matches('=').len() - 1 {
        let headers = touched(&got.headers, "webhook-signature", place);
        assert!(!verify::standard_holds(OLD, &headers, &got.body), "{place}");
        assert!(verify::ed25519_holds(&key, &headers, &got.body), "{place}");
    }
    let start = v1.len() + 1;
    for place in start + "v1a,".len()..start + v1a.trim_end_matches('=').len() - 1 {
        let headers = touched(&got.headers, "webhook-signature", place);
        assert!(verify::standard_holds(OLD, &headers, &got.body), "{place}");
        assert!(!verify::ed25519_holds(&key, &headers, &got.body), "{place}");
    }
    let name = "x-hub-signature-256";
    for place in "sha256=".len()..got.header(name).len() {
        let headers = touched(&got.headers, name, place);
        assert!(!verify::github_holds(OLD, &headers, &got.body), "{place}");
    }
}

/// Another character in this place, of those that may stand there.
fn touched(headers: &HeaderMap, name: &str, place: usize) -> HeaderMap {
    let mut value = headers[name].as_bytes().to_vec();
    value[place] = match value[place] {
        b'0' => b'1',
        _ => b'0',
    };
    let mut headers = headers.clone();
    let value = HeaderValue::from_bytes(&value).unwrap();
    headers.insert(
        axum::http::HeaderName::from_bytes(name.as_bytes()).unwrap(),
        value,
    );
    headers
}

/// G-07: an event's id may have dots and spaces, which would make the signed text ambiguous; what
/// is signed is the delivery's own id. What no header could carry is refused when it is posted.
#[tokio::test]
async fn an_events_own_id_never_stands_in_what_is_signed() {
    let folder = tempfile::tempdir().unwrap();
    let server = started(&folder).await;
    let receiver = Receiver::accepting().await;
    let hook = signing_hook(&server, &receiver).await;
    let key = public_keys(&server, hook).await.remove(0);
    let post = async |id: &str| {
        let body = json!({"type": "package.created", "payload": 1, "id": id});
        server.call(Method::POST, "/events/", Some(&body)).await
    };
    let taken = ["a.b", "a b", "1614265330.{}", &"x".repeat(255)];
    for id in taken {
        let (status, answer) = post(id).await;
        assert_eq!(status, 202, "{id}: {answer}");
    }
    for id in ["a\rb", "a\nb", "a\0", "", &"x".repeat(300)] {
        let (status, answer) = post(id).await;
        assert_eq!(status, 400, "{id:?}");
        assert!(answer.pointer("/errors/id/0").is_some(), "{answer}");
    }
    for it in receiver.wait(taken.len(), PATIENCE).await {
        let id = it.header("webhook-id");
        assert!(
            id.len() == 32 && id.bytes().all(|it| it.is_ascii_hexdigit()),
            "{id}"
        );
        all_hold(&it, &key);
    }
}

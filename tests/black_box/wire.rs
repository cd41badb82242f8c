//! W-06: whatever a plugin says of headers, what leaves is byte for byte what would leave without
//! it, or what it may say. Captured before any parser saw it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::eventually;
use crate::support::guests::{drop_in, guest};
use crate::support::server::{Server, Setup};
use crate::support::wire::{Capture, Wire};

const PATIENCE: Duration = Duration::from_secs(60);

/// All that are denied; of families some members.
const DENIED: [&str; 29] = [
    "host",
    "content-length",
    "content-type",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "upgrade",
    "proxy-authorization",
    "proxy-connection",
    "proxy-anything",
    "expect",
    "content-encoding",
    "date",
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-anything",
    "via",
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
    "x-whisperer-signature",
    "x-whisperer-event",
    "x-hub-signature",
    "x-hub-signature-256",
    ":authority",
    ":path",
    ":",
];

/// What differs between any two deliveries: the address of the listener, and what is made of the
/// delivery and of the moment.
const OF_THE_DELIVERY: [&str; 5] = [
    "host",
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
    "x-whisperer-signature",
];

/// The head with the values left out that differ in any case.
fn head(capture: &Capture) -> String {
    let text = String::from_utf8(capture.head.clone()).expect("a head is ASCII");
    assert!(text.is_ascii(), "{text:?}");
    let lines = text.split("\r\n").map(|line| {
        let name = line.split(':').next().unwrap_or_default();
        if OF_THE_DELIVERY.contains(&name.to_ascii_lowercase().as_str()) {
            format!("{name}: …")
        } else {
            line.to_owned()
        }
    });
    lines.collect::<Vec<_>>().join("\r\n")
}

/// The body, with the delivery's own id left out of the envelope. The payload has none.
fn body(capture: &Capture) -> String {
    let head = String::from_utf8_lossy(&capture.head).to_ascii_lowercase();
    let id = head
        .lines()
        .find_map(|line| line.strip_prefix("webhook-id:"));
    let id = id.expect("a delivery has an id").trim().to_owned();
    let text = String::from_utf8(capture.body.clone()).expect("a body is text");
    assert_eq!(text.matches(&id).count(), 1, "{text}");
    text.replace(&id, "…")
}

fn in_capitals(name: &str) -> String {
    let mut next = true;
    let upper = |c: char| {
        let made = if next { c.to_ascii_uppercase() } else { c };
        next = c == '-';
        made
    };
    name.chars().map(upper).collect()
}

/// Lists of headers none of which may leave.
fn attempts() -> Vec<Value> {
    let mut all = Vec::new();
    for name in DENIED {
        for name in [
            name.to_owned(),
            name.to_ascii_uppercase(),
            in_capitals(name),
        ] {
            all.push(json!([[name, "1"]]));
        }
    }
    for name in [
        "",
        " ",
        "X A",
        "X-A ",
        " X-A",
        "X-A:",
        "X-A\r\nHost",
        "X-A\nHost",
        "X-A\0",
        "X-A\u{7f}",
        "X-\u{c4}",
        "X-\u{212a}",
    ] {
        all.push(json!([[name, "v"]]));
    }
    for value in [
        "v\r\nHost: other",
        "v\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        "v\nHost: other",
        "v\rHost: other",
        "v\0",
        "v\u{7f}",
        "v\u{1}",
        "v\u{e4}",
        "v\u{fffd}",
        "v\u{2028}Host: other",
    ] {
        all.push(json!([["X-A", value]]));
    }
    all.push(json!([["x".repeat(129), "v"]]));
    all.push(json!([["X-A", "v".repeat(4_097)]]));
    all.push(json!([["X-A", "v".repeat(1 << 20)]]));
    let many: Vec<_> = (0..10_000).map(|n| (format!("X-{n}"), "v")).collect();
    all.push(json!(many));
    let just_too_many: Vec<_> = (0..33).map(|n| (format!("X-{n}"), "v")).collect();
    all.push(json!(just_too_many));
    let large: Vec<_> = (0..5)
        .map(|n| (format!("X-{n}"), "v".repeat(4_000)))
        .collect();
    all.push(json!(large));
    all
}

/// A hook of its own listener; without `act`, without a plugin. A chain that fails sends what
/// there was before it, so that there is something to compare.
async fn hook(server: &Server, act: Option<&str>) -> (Wire, u64) {
    let wire = Wire::listen().await;
    let plugins: Vec<Value> = act
        .iter()
        .map(|act| json!({"name": "hostile", "config": {"act": act}}))
        .collect();
    let hook = server
        .hook(json!({
            "target_url": format!("http://{}/in", wire.address),
            "event_type": "package.created",
            "secret_key": "wire-secret",
            "on_plugin_error": "send",
            "plugins": plugins,
        }))
        .await;
    (wire, hook)
}

/// Posts one after the other, waiting for both, so that what is compared is of the same event.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_plugin_says_of_headers_cannot_be_seen_on_the_wire() {
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("settings.toml");
    std::fs::write(&settings, "event_body_bytes_max = 4194304").unwrap();
    let mut setup = Setup::in_folder(&folder.path().join("data"));
    setup.args = vec!["--config".to_owned(), settings.to_str().unwrap().to_owned()];
    drop_in(&setup.plugins(), "hostile.wasm", &guest("hostile"));
    let server = Server::start(&setup).ready().await;
    let (baseline, _) = hook(&server, None).await;
    let (set, set_hook) = hook(&server, Some("set-headers")).await;
    let (append, append_hook) = hook(&server, Some("append-headers")).await;

    let all = attempts();
    for (number, headers) in all.iter().enumerate() {
        server.event("package.created", headers.clone()).await;
        let plain = baseline.wait(number + 1, PATIENCE).await.remove(number);
        for (act, wire) in [("set", &set), ("append", &append)] {
            let tried = wire.wait(number + 1, PATIENCE).await;
            assert_eq!(tried.len(), number + 1, "{act}: one request for each event");
            let what: String = headers.to_string().chars().take(60).collect();
            assert_eq!(head(&tried[number]), head(&plain), "{act} {what}");
            assert!(body(&tried[number]) == body(&plain), "{act} {what}");
        }
    }
    for hook in [set_hook, append_hook] {
        every_run_failed(&server, hook, all.len()).await;
    }
    what_is_allowed_can_be_seen(&server, &baseline, &set, all.len()).await;
}

/// Else nothing was tried.
async fn every_run_failed(server: &Server, hook: u64, count: usize) {
    let deliveries = eventually("all settled", PATIENCE, async || {
        let deliveries = server.deliveries(hook).await;
        let done = deliveries.iter().all(|it| it["state"] == "delivered");
        (done && deliveries.len() == count).then_some(deliveries)
    })
    .await;
    for delivery in deliveries {
        let run = &delivery["attempts"][0]["chain"][0]["result"];
        assert!(
            run == "invalid-output" || run == "output-too-large",
            "{delivery:#}"
        );
    }
}

/// Else the comparison would find nothing, whatever a plugin did.
async fn what_is_allowed_can_be_seen(server: &Server, baseline: &Wire, set: &Wire, before: usize) {
    server
        .event("package.created", json!([["X-Mine", "seen"]]))
        .await;
    let plain = head(&baseline.wait(before + 1, PATIENCE).await[before]);
    let changed = head(&set.wait(before + 1, PATIENCE).await[before]);
    let more: Vec<&str> = changed
        .split("\r\n")
        .filter(|line| !plain.split("\r\n").any(|other| other == *line))
        .collect();
    assert_eq!(more.len(), 1, "{more:?}");
    assert_eq!(more[0].to_ascii_lowercase(), "x-mine: seen");
    assert_eq!(changed.replace(&format!("{}\r\n", more[0]), ""), plain);
}

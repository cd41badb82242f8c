//! W-05 and W-06: answers that must not be sent: headers that are the host's to say, or that
//! break a request in two.

use whisperer_domain::plugin::PluginFailure;
use whisperer_domain::port::{Chained, Transformed};

use crate::alone::alone;
use crate::bench::{Bench, acts, event};
use crate::guests::guest;

/// Of every kind that is denied; whole families by one of each.
const DENIED: [&str; 19] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "upgrade",
    "proxy-authorization",
    "expect",
    "content-encoding",
    "date",
    "forwarded",
    "x-forwarded-for",
    "via",
    "webhook-signature",
    "x-whisperer-id",
    "x-hub-signature-256",
    ":authority",
];

async fn with_header(bench: &Bench, act: &str, name: &str, value: &str) -> Transformed {
    let payload = serde_json::json!([[name, value]]).to_string();
    bench
        .run(acts(&[act]), event("package.created", &payload))
        .await
}

fn denied(run: &Transformed, what: &str) {
    match &run.result {
        Chained::Failed { kind, message, .. } => {
            assert_eq!(*kind, PluginFailure::InvalidOutput, "{what}: {message}");
        }
        other => panic!("{what} was let through: {other:?}"),
    }
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

#[tokio::test]
async fn no_header_of_the_hosts_is_set_in_any_casing() {
    let _alone = alone().await;
    let bench = Bench::with(&[("hostile.wasm", &guest("hostile"))]).await;
    for name in DENIED {
        for name in [
            name.to_owned(),
            name.to_ascii_uppercase(),
            in_capitals(name),
        ] {
            for act in ["set-headers", "append-headers", "remove-headers"] {
                let run = with_header(&bench, act, &name, "1").await;
                denied(&run, &format!("{act} {name}"));
            }
        }
    }
    let run = with_header(&bench, "set-headers", "X-Mine", "1").await;
    assert!(matches!(run.result, Chained::Made(_)), "{:?}", run.result);
}

#[tokio::test]
async fn no_header_breaks_the_request() {
    let _alone = alone().await;
    let bench = Bench::with(&[("hostile.wasm", &guest("hostile"))]).await;
    let long_name = "x".repeat(129);
    let long_value = "v".repeat(1 << 20);
    for (name, value) in [
        ("", "v"),
        ("X A", "v"),
        ("X-A:", "v"),
        ("X-A\r\nHost", "v"),
        ("X-Ä", "v"),
        (&long_name, "v"),
        ("X-A", "v\r\nHost: other"),
        ("X-A", "v\nHost: other"),
        ("X-A", "v\0"),
        ("X-A", "v\u{7f}"),
        ("X-A", "vä"),
        ("X-A", &long_value),
    ] {
        let run = with_header(&bench, "set-headers", name, value).await;
        let shown: String = value.chars().take(16).collect();
        denied(&run, &format!("{name:?}: {shown:?}"));
    }
    let many: Vec<_> = (0..10_000).map(|n| (format!("X-{n}"), "v")).collect();
    let payload = serde_json::json!(many).to_string();
    let run = bench
        .run(acts(&["set-headers"]), event("package.created", &payload))
        .await;
    let Chained::Failed { kind, .. } = run.result else {
        panic!("{:?}", run.result);
    };
    let bounds = [PluginFailure::InvalidOutput, PluginFailure::OutputTooLarge];
    assert!(bounds.contains(&kind), "{kind:?}");
}

//! What goes out at the first try, and what is written about it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use whisperer_domain::delivery::{DeadCause, DeliveryState};
use whisperer_domain::envelope::Envelope;
use whisperer_domain::header::HeaderOp;
use whisperer_domain::hook::{BasicAuth, FreshKeys, Hook, OnPluginError};
use whisperer_domain::outcome::Outcome;
use whisperer_domain::plugin::{PluginFailure, PluginName};
use whisperer_domain::port::{Chained, Made};
use whisperer_domain::secret::Secret;
use whisperer_domain::sign::{self, KeyPair, SignatureForm};
use whisperer_domain::time::Timestamp;

use crate::world::{PAYLOAD, START, Seen, World, answering_each, hook};

pub(crate) fn made(payload: &'static [u8]) -> Made {
    Made {
        payload: Some(Bytes::from_static(payload)),
        content_type: None,
        bare: false,
        header_ops: Vec::new(),
    }
}

fn failed(kind: PluginFailure) -> Chained {
    Chained::Failed {
        plugin: PluginName::parse("redact").unwrap(),
        kind,
        code: "c".to_owned(),
        message: "m".to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_delivery_at_the_first_try_writes_one_settle_and_reads_nothing_back() {
    let world = World::new();
    world.put_hook(hook(1));
    let delivery = world.deliver();
    world.until(|world| world.is_started()).await;
    let sequence = world.post(1);
    world.all_settled().await;
    let stored = world.stored(sequence);
    assert_eq!(stored.state(), &DeliveryState::Delivered);
    assert_eq!((world.settle_calls(), world.takes()), (1, 0));
    assert!(stored.ready.pin.is_none());
    let attempt = &stored.attempts[0];
    assert_eq!((attempt.number, attempt.pinned), (1, false));
    assert_eq!(attempt.outcome, Outcome::Delivered { status: 200 });
    assert_eq!(
        (attempt.timing.plugin_us, attempt.timing.total_us),
        (70, 70)
    );
    assert_eq!(attempt.response.as_ref().unwrap().body, "noted");
    assert_eq!(delivery.stats().delivered, 1);
}

#[tokio::test(start_paused = true)]
async fn headers_come_in_a_fixed_order_with_signatures_last() {
    let world = World::new();
    let auth = BasicAuth {
        username: "Aladdin".to_owned(),
        password: Secret::new("open sesame".to_owned()),
    };
    let additional = |name: &str, value: &str| (name.to_owned(), Secret::new(value.to_owned()));
    world.put_hook(whisperer_domain::hook::Hook {
        auth: Some(auth),
        additional_headers: Some(vec![
            additional("X-Partner", "7"),
            additional("user-agent", "Shop/1"),
        ]),
        secret_key: Some(Secret::new("my-secret-key".to_owned())),
        ..hook(1)
    });
    world.set_chain(|job| {
        assert_eq!(job.origin, "https://r1.example");
        Chained::Made(Made {
            payload: None,
            header_ops: vec![
                HeaderOp::Append {
                    name: "X-Plugin".to_owned(),
                    value: "p".to_owned().into(),
                },
                HeaderOp::Remove {
                    name: "X-Partner".to_owned(),
                },
            ],
            ..made(b"")
        })
    });
    let _delivery = world.deliver();
    world.post(1);
    world.all_settled().await;
    let seen = &world.seen()[0];
    let names: Vec<&str> = seen.headers.iter().map(|(name, _)| name.as_str()).collect();
    let expected = [
        "Content-Type",
        "user-agent",
        "X-Whisperer-Event",
        "Authorization",
        "X-Plugin",
        "X-Whisperer-Signature",
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
    ];
    assert_eq!(names, expected);
    assert_eq!(seen.header("content-type"), Some("application/json"));
    assert_eq!(seen.header("user-agent"), Some("Shop/1"));
    assert_eq!(seen.header("x-whisperer-event"), Some("package.created"));
    // RFC 7617, section 2.
    let basic = "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==";
    assert_eq!(seen.header("authorization"), Some(basic));
}

/// As the hook signs at the second that the request names.
fn assert_signed(seen: &Seen, hook: &Hook) {
    let secs: u64 = seen.header("webhook-timestamp").unwrap().parse().unwrap();
    let id = seen.header("webhook-id").unwrap();
    let now = Timestamp(secs * 1000);
    let expected = sign::headers(&hook.signatures, &hook.keys(), id, now, &seen.body);
    assert_eq!(expected.len(), 4);
    for (name, value) in expected {
        assert_eq!(seen.header(&name), Some(value.as_str()), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_signed_is_what_is_sent_with_a_fresh_time_and_a_constant_id() {
    let world = World::new();
    let hook = Hook {
        secret_key: Some(Secret::new("my-secret-key".to_owned())),
        ..hook(1)
    };
    world.put_hook(hook.clone());
    world.set_receiver(answering_each(&[500, 200]));
    let _delivery = world.deliver();
    let sequence = world.post(1);
    world.all_settled().await;
    let seen = world.seen();
    let uuid = world.stored(sequence).ready.delivery.uuid;
    let payload = std::str::from_utf8(PAYLOAD).unwrap();
    let body = format!(
        r#"{{"event": {{"type": "package.created", "uuid": "{uuid}"}}, "payload": {payload}}}"#
    );
    for request in &seen {
        assert_eq!(request.body, body);
        assert_eq!(
            request.header("webhook-id"),
            Some(uuid.to_string().as_str())
        );
        assert_signed(request, &hook);
    }
    let times = [&seen[0], &seen[1]].map(|seen| seen.header("webhook-timestamp").unwrap());
    let [first, second] = times.map(|secs| secs.parse::<u64>().unwrap());
    assert_eq!(second - first, 10);
}

/// Nothing happens to the hook in between: each attempt asks which keys hold at its own time.
#[tokio::test(start_paused = true)]
async fn an_old_key_signs_the_attempts_that_its_time_covers() {
    let world = World::new();
    let fresh = |secret: &str, seed: u8| FreshKeys {
        secret: Secret::new(secret.to_owned()),
        pair: Some(KeyPair::from_seed(&[seed; 32])),
    };
    let mut hook = Hook {
        signatures: vec![
            SignatureForm::Github,
            SignatureForm::Standard,
            SignatureForm::Ed25519,
        ],
        ..hook(1)
    };
    // The first retry comes after 10 s and is within, the second after 20 s and is not.
    let overlap = Duration::from_secs(15);
    for keys in [fresh("old", 1), fresh("new", 2)] {
        hook.rotate(keys, overlap, START).unwrap();
    }
    world.put_hook(hook.clone());
    world.set_receiver(answering_each(&[500, 500, 200]));
    let _delivery = world.deliver();
    world.post(1);
    world.all_settled().await;
    let seen = world.seen();
    let counts = seen.iter().map(|request| {
        assert_signed(request, &hook);
        let signatures = request.header("webhook-signature").unwrap();
        signatures.split(' ').count()
    });
    assert_eq!(counts.collect::<Vec<_>>(), [4, 4, 2]);
    let github = |request: &Seen| request.header("x-hub-signature-256").unwrap().to_owned();
    assert_eq!(github(&seen[0]), github(&seen[1]));
    assert_ne!(github(&seen[1]), github(&seen[2]));
}

#[tokio::test(start_paused = true)]
async fn what_a_plugin_made_is_wrapped_unless_it_is_to_go_bare() {
    let wrapped = |payload: &str| {
        format!(
            r#"{{"event": {{"type": "package.created", "uuid": "{:032x}"}}, "payload": {payload}}}"#,
            1
        )
    };
    let cases = [
        (
            made(b"{\"a\": 1}"),
            wrapped("{\"a\": 1}"),
            "application/json",
        ),
        (
            Made {
                bare: true,
                ..made(b"[1]")
            },
            "[1]".to_owned(),
            "application/json",
        ),
        (
            Made {
                bare: true,
                content_type: Some("text/plain".to_owned()),
                ..made(b"hello")
            },
            "hello".to_owned(),
            "text/plain",
        ),
    ];
    for (made, body, content_type) in cases {
        let world = World::new();
        world.put_hook(hook(1));
        world.set_chain(move |_| Chained::Made(made.clone()));
        let _delivery = world.deliver();
        world.post(1);
        world.all_settled().await;
        let seen = &world.seen()[0];
        assert_eq!(seen.body, body);
        assert_eq!(seen.header("content-type"), Some(content_type));
    }
}

#[tokio::test(start_paused = true)]
async fn a_payload_that_fits_into_no_envelope_is_visibly_dead() {
    let world = World::new();
    world.put_hook(hook(1));
    world.put_hook(whisperer_domain::hook::Hook {
        envelope: Envelope::Bare,
        ..hook(2)
    });
    let _delivery = world.deliver();
    let refused = world.post_event(1, b"\xff", "image/png");
    let sent = world.post_event(2, b"\xff", "image/png");
    world.all_settled().await;
    let state = world.stored(refused).state().clone();
    assert!(
        matches!(state, DeliveryState::Dead(DeadCause::Unsendable(_))),
        "{state:?}"
    );
    assert_eq!(world.stored(sent).state(), &DeliveryState::Delivered);
    assert_eq!(world.seen()[0].header("content-type"), Some("image/png"));
}

#[tokio::test(start_paused = true)]
async fn a_plugin_can_discard_reject_or_be_overruled() {
    let discarded = || Chained::Discarded {
        plugin: PluginName::parse("filter").unwrap(),
        code: "c".to_owned(),
        message: "m".to_owned(),
    };
    type Case = (fn() -> Chained, OnPluginError, &'static str, usize);
    let cases: [Case; 5] = [
        (discarded, OnPluginError::Retry, "discarded", 0),
        (
            || failed(PluginFailure::Reject),
            OnPluginError::Retry,
            "dead",
            0,
        ),
        (
            || failed(PluginFailure::Trap),
            OnPluginError::Dead,
            "dead",
            0,
        ),
        (
            || failed(PluginFailure::Trap),
            OnPluginError::Send,
            "delivered",
            1,
        ),
        (
            || failed(PluginFailure::Reject),
            OnPluginError::Send,
            "delivered",
            1,
        ),
    ];
    for (chained, on_plugin_error, word, sent) in cases {
        let world = World::new();
        world.put_hook(whisperer_domain::hook::Hook {
            on_plugin_error,
            ..hook(1)
        });
        world.set_chain(move |_| chained());
        let _delivery = world.deliver();
        let sequence = world.post(1);
        world.all_settled().await;
        let stored = world.stored(sequence);
        assert_eq!((stored.state().word(), world.seen_count()), (word, sent));
        assert_eq!(stored.attempts.len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_chain_is_an_attempt_that_failed() {
    let world = World::new();
    world.put_hook(hook(1));
    let calls = Arc::new(Mutex::new(0));
    world.set_chain(move |_| {
        let mut calls = calls.lock().unwrap();
        *calls += 1;
        let first = *calls == 1;
        drop(calls);
        assert!(!first, "a bug of ours");
        Chained::Unchanged
    });
    let delivery = world.deliver();
    let sequence = world.post(1);
    world.all_settled().await;
    let stored = world.stored(sequence);
    assert!(matches!(
        stored.attempts[0].outcome,
        Outcome::Internal { .. }
    ));
    assert_eq!(stored.state(), &DeliveryState::Delivered);
    assert_eq!(world.now_ms(), Duration::from_secs(10).as_millis() as u64);
    assert!(delivery.is_running());
}

//! Once an attempt with a transformed body failed, that body is sent, whatever became of the
//! plugins.

use std::time::Duration;

use bytes::Bytes;
use whisperer_domain::delivery::{DeliveryState, Pin};
use whisperer_domain::envelope::Envelope;
use whisperer_domain::header::HeaderOp;
use whisperer_domain::plugin::{PluginFailure, PluginName};
use whisperer_domain::port::{Chained, Made};

use crate::request::made;
use crate::world::{PAYLOAD, World, answering_each, hook, pinned_body};

fn stamped(version: &'static str) -> Chained {
    Chained::Made(Made {
        header_ops: vec![HeaderOp::Set {
            name: "X-Version".to_owned(),
            value: version.to_owned().into(),
        }],
        payload: Some(Bytes::from(format!("{{\"version\": \"{version}\"}}"))),
        ..made(b"")
    })
}

#[tokio::test(start_paused = true)]
async fn a_plugin_that_changes_between_attempts_changes_nothing() {
    let world = World::new();
    world.put_hook(hook(1));
    world.set_chain(|_| stamped("one"));
    world.set_receiver(answering_each(&[500, 500, 200]));
    let _delivery = world.deliver();
    let sequence = world.post(1);
    world
        .until(|world| pinned_body(&world.stored(sequence)).is_some())
        .await;
    world.set_chain(|_| panic!("a pinned delivery needs no plugin"));
    world.change_hook(1, |hook| hook.envelope = Envelope::Standard);
    world.all_settled().await;
    let seen = world.seen();
    assert_eq!(seen.len(), 3);
    assert!(seen[0].body.ends_with(br#""payload": {"version": "one"}}"#));
    for request in &seen[1..] {
        assert_eq!(request.body, seen[0].body);
        assert_eq!(request.header("x-version"), Some("one"));
    }
    let stored = world.stored(sequence);
    assert_eq!(stored.state(), &DeliveryState::Delivered);
    let pinned: Vec<bool> = stored
        .attempts
        .iter()
        .map(|attempt| attempt.pinned)
        .collect();
    assert_eq!(pinned, [false, true, true]);
    assert_eq!(pinned_body(&stored), Some(seen[0].body.clone()));
}

#[tokio::test(start_paused = true)]
async fn an_unchanged_chain_pins_its_envelope_and_no_bytes() {
    let world = World::new();
    world.put_hook(hook(1));
    world.set_receiver(answering_each(&[500, 200]));
    let _delivery = world.deliver();
    let sequence = world.post(1);
    world
        .until(|world| world.stored(sequence).ready.pin.is_some())
        .await;
    let pin = world.stored(sequence).ready.pin.unwrap();
    assert!(matches!(
        *pin,
        Pin::Unchanged {
            envelope: Envelope::Whisperer,
            ..
        }
    ));
    world.set_chain(|_| stamped("late"));
    world.change_hook(1, |hook| hook.envelope = Envelope::Bare);
    world.all_settled().await;
    let seen = world.seen();
    assert_eq!(seen[1].body, seen[0].body);
    assert_ne!(seen[1].body, PAYLOAD);
}

#[tokio::test(start_paused = true)]
async fn a_failed_transform_pins_nothing_and_runs_again() {
    let world = World::new();
    world.put_hook(hook(1));
    world.set_chain(|_| Chained::Failed {
        plugin: PluginName::parse("p").unwrap(),
        kind: PluginFailure::Trap,
        code: String::new(),
        message: String::new(),
    });
    let _delivery = world.deliver();
    let sequence = world.post(1);
    world
        .until(|world| world.stored(sequence).attempts.len() == 1)
        .await;
    assert!(world.stored(sequence).ready.pin.is_none());
    assert_eq!(world.seen_count(), 0, "untransformed, nothing leaves");
    world.set_chain(|_| stamped("two"));
    world.all_settled().await;
    assert_eq!(world.seen()[0].header("x-version"), Some("two"));
    assert_eq!(world.now_ms(), Duration::from_secs(10).as_millis() as u64);
}

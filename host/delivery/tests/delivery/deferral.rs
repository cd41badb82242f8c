//! A delivery whose plugins cannot run, or whose secrets cannot be read, waits: no attempt is
//! used up and nothing leaves.

use std::time::Duration;

use whisperer_domain::delivery::{DeadCause, DeliveryState, Waiting};
use whisperer_domain::hook::{Hook, OnPluginError};
use whisperer_domain::plugin::PluginName;
use whisperer_domain::port::Chained;

use crate::world::{World, answered, answering_each, hook, receiver};

fn missing() -> Waiting {
    Waiting::PluginMissing(PluginName::parse("redact").unwrap())
}

fn waits_for(world: &World, sequence: whisperer_domain::id::Sequence) -> Option<Waiting> {
    match world.stored(sequence).state() {
        DeliveryState::Pending { waiting_for, .. } => waiting_for.clone(),
        _ => None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_deferral_uses_no_attempt_and_ends_at_the_bell() {
    let world = World::new();
    world.put_hook(Hook {
        max_attempts: Some(1),
        ..hook(1)
    });
    world.set_chain(|_| Chained::Deferred(missing()));
    let delivery = world.deliver();
    let sequences: Vec<_> = (0..500).map(|_| world.post(1)).collect();
    world
        .until(|world| waits_for(world, sequences[0]) == Some(missing()))
        .await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let probes = delivery.stats().deferred;
    // 8 at once, 1 s to 60 s doubling, then one a minute: the lane probes, not every delivery.
    assert!((60..=80).contains(&probes), "{probes} deferrals in an hour");
    assert_eq!(
        (
            world.seen_count(),
            world.stored(sequences[0]).attempts.len()
        ),
        (0, 0)
    );

    world.set_chain(|_| Chained::Unchanged);
    world.set_receiver(receiver(|_| {
        Box::pin(async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            answered(200)
        })
    }));
    world.ring_plugins();
    world.all_settled().await;
    assert_eq!(world.seen()[0].at_ms, 3_600_000, "the bell was enough");
    // One probe, then eight at a time.
    assert_eq!(
        world.now_ms(),
        3_600_000 + 1_000 * (1 + 499_u64.div_ceil(8))
    );
    assert_eq!(world.seen_count(), 500);
    assert!(world.words().iter().all(|word| *word == "delivered"));
}

#[tokio::test(start_paused = true)]
async fn without_a_bell_the_wait_doubles_to_a_minute() {
    let world = World::new();
    world.put_hook(Hook {
        max_in_flight: 1,
        ..hook(1)
    });
    world.set_chain(|_| Chained::Deferred(missing()));
    let _delivery = world.deliver();
    let sequence = world.post(1);
    world
        .until(|world| world.stored(sequence).settled.len() == 9)
        .await;
    // 1 + 2 + 4 + 8 + 16 + 32 + 60 + 60
    assert_eq!(world.now_ms(), 183_000);
}

#[tokio::test(start_paused = true)]
async fn a_plugin_that_comes_while_a_run_fails_for_it_is_not_missed() {
    let world = World::new();
    world.put_hook(hook(1));
    let ringer = std::sync::Arc::downgrade(&world);
    world.set_chain(move |_| {
        let world = ringer.upgrade().unwrap();
        world.ring_plugins();
        Chained::Deferred(missing())
    });
    let _delivery = world.deliver();
    let sequence = world.post(1);
    world
        .until(|world| world.stored(sequence).settled.len() == 3)
        .await;
    assert_eq!(world.now_ms(), 0);
}

#[tokio::test(start_paused = true)]
async fn pinned_deliveries_go_on_while_the_lane_waits_for_a_plugin() {
    let world = World::new();
    world.put_hook(hook(1));
    world.set_receiver(answering_each(&[500, 200]));
    let _delivery = world.deliver();
    let pinned = world.post(1);
    world
        .until(|world| world.stored(pinned).ready.pin.is_some())
        .await;
    world.set_chain(|_| Chained::Deferred(missing()));
    let waiting = world.post(1);
    world
        .until(|world| world.stored(pinned).state() == &DeliveryState::Delivered)
        .await;
    assert_eq!(world.now_ms(), 10_000);
    assert_eq!(waits_for(&world, waiting), Some(missing()));
}

#[tokio::test(start_paused = true)]
async fn a_deferred_delivery_expires_on_time() {
    let world = World::new();
    world.put_hook(Hook {
        max_age: Duration::from_secs(100),
        ..hook(1)
    });
    world.set_chain(|_| Chained::Deferred(missing()));
    let _delivery = world.deliver();
    let sequence = world.post(1);
    world.all_settled().await;
    assert_eq!(
        world.stored(sequence).state(),
        &DeliveryState::Dead(DeadCause::Expired)
    );
    assert!(
        (100_000..160_000).contains(&world.now_ms()),
        "{}",
        world.now_ms()
    );
}

#[tokio::test(start_paused = true)]
async fn who_opted_for_send_is_not_held_up_by_a_plugin() {
    let world = World::new();
    world.put_hook(Hook {
        on_plugin_error: OnPluginError::Send,
        ..hook(1)
    });
    world.set_chain(|_| Chained::Deferred(missing()));
    let _delivery = world.deliver();
    world.post(1);
    world.all_settled().await;
    assert_eq!((world.seen_count(), world.now_ms()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn unreadable_secrets_hold_back_until_the_hook_changes() {
    let world = World::new();
    world.put_hook(Hook {
        secrets_unreadable: true,
        ..hook(1)
    });
    let _delivery = world.deliver();
    let sequence = world.post(1);
    world
        .until(|world| waits_for(world, sequence) == Some(Waiting::SecretUnreadable))
        .await;
    assert_eq!(world.seen_count(), 0);
    world.change_hook(1, |hook| hook.secrets_unreadable = false);
    world.all_settled().await;
    assert_eq!((world.seen_count(), world.now_ms()), (1, 0));
}

//! Draining: nothing new, what is in flight ends and is settled, and the grace is kept.

use std::time::Duration;

use whisperer_delivery::Drained;
use whisperer_domain::delivery::DeliveryState;

use crate::world::{World, answered, hook, receiver};

/// A receiver that takes so long.
fn slow(world: &World, secs: u64) {
    world.set_receiver(receiver(move |_| {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_secs(secs)).await;
            answered(200)
        })
    }));
}

#[tokio::test(start_paused = true)]
async fn what_is_in_flight_ends_and_is_settled_and_nothing_new_begins() {
    let world = World::new();
    world.put_hook(hook(1));
    let delivery = world.deliver();
    // The first one shows that the receiver is there: only then several go at once.
    world.post(1);
    world.all_settled().await;
    slow(&world, 5);
    for _ in 0..20 {
        world.post(1);
    }
    world.until(|world| world.seen_count() == 9).await;
    let drained = delivery.drain().await;
    assert_eq!(
        drained,
        Drained {
            aborted: 0,
            unsettled: 0
        }
    );
    assert_eq!(world.now_ms(), 5_000);
    assert_eq!(world.seen_count(), 9);
    let delivered = world
        .words()
        .iter()
        .filter(|word| **word == "delivered")
        .count();
    assert_eq!(delivered, 9);
    assert!(!delivery.is_running());
    assert_eq!(delivery.drain().await, drained, "it may be asked again");
}

#[tokio::test(start_paused = true)]
async fn what_outlives_the_grace_is_aborted_and_stays_pending() {
    let world = World::new();
    world.put_hook(hook(1));
    slow(&world, 3600);
    let delivery = world.deliver();
    let sequence = world.post(1);
    world.until(|world| world.seen_count() == 1).await;
    let drained = delivery.drain().await;
    assert_eq!(
        drained,
        Drained {
            aborted: 1,
            unsettled: 0
        }
    );
    assert_eq!(world.now_ms(), 30_000);
    let stored = world.stored(sequence);
    assert!(matches!(stored.state(), DeliveryState::Pending { .. }));
    assert!(stored.attempts.is_empty());

    // The next start makes the attempt again, under the same id.
    slow(&world, 0);
    let _delivery = world.deliver();
    world.all_settled().await;
    let ids: Vec<_> = world
        .seen()
        .iter()
        .map(|seen| seen.header("webhook-id").map(str::to_owned))
        .collect();
    assert_eq!(ids[0], ids[1]);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_takes_nothing_does_not_hold_up_the_end() {
    let world = World::new();
    world.put_hook(hook(1));
    world.fail_settles(usize::MAX);
    let delivery = world.deliver();
    world.post(1);
    world.until_quiet(|| delivery.stats().unsettled == 1).await;
    let before = world.now_ms();
    assert_eq!(
        delivery.drain().await,
        Drained {
            aborted: 0,
            unsettled: 1
        }
    );
    assert_eq!(world.now_ms() - before, 30_000);
}

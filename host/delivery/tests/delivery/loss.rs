//! Nothing is lost and nothing is sent twice, whatever does not fit and whatever fails.

use std::collections::BTreeMap;
use std::time::Duration;

use whisperer_delivery::DeliveryConfig;
use whisperer_domain::hook::HookStatus;

use crate::world::{World, answered, answering, answering_each, hook, receiver};

/// Bounds so tight that nearly everything overflows.
fn tight() -> DeliveryConfig {
    DeliveryConfig {
        buffer_bytes: 4 * 1024,
        lane_rows_max: 6,
        feed_rows_max: 4,
        read_below_rows: 2,
        read_rows: 5,
        reads_max: 2,
        settle_batch: 3,
        unsettled_max: 4,
        ..DeliveryConfig::new(7)
    }
}

fn times_seen(world: &World) -> BTreeMap<String, usize> {
    let mut times = BTreeMap::new();
    for seen in world.seen() {
        let id = seen.header("webhook-id").unwrap().to_owned();
        *times.entry(id).or_default() += 1;
    }
    times
}

#[tokio::test(start_paused = true)]
async fn a_feed_that_overflows_loses_and_doubles_nothing() {
    let world = World::new();
    for id in 1..=5 {
        world.put_hook(hook(id));
    }
    world.set_receiver(receiver(|seen| {
        let wait = Duration::from_millis(seen.at_ms % 7);
        Box::pin(async move {
            tokio::time::sleep(wait).await;
            answered(200)
        })
    }));
    let delivery = world.deliver_with(tight());
    world.until(|world| world.is_started()).await;
    for round in 0..100 {
        for id in 1..=5 {
            for _ in 0..=(round % 4) {
                world.post(id);
            }
        }
        tokio::time::sleep(Duration::from_millis(round % 3)).await;
    }
    world.all_settled().await;
    assert!(delivery.stats().overflowed > 100, "{:?}", delivery.stats());
    let times = times_seen(&world);
    assert_eq!(times.len(), world.words().len());
    assert!(times.values().all(|times| *times == 1));
}

#[tokio::test(start_paused = true)]
async fn what_was_pending_at_the_start_is_delivered_and_memory_is_given_back() {
    let world = World::new();
    for id in 1..=1500 {
        world.put_hook(hook(id));
        world.post(id);
    }
    let delivery = world.deliver();
    world.all_settled().await;
    assert_eq!(world.seen_count(), 1500);
    world.until_quiet(|| delivery.stats().lanes == 0).await;
    assert_eq!(delivery.stats().buffered_bytes, 0);
}

#[tokio::test(start_paused = true)]
async fn a_lane_without_room_takes_it_from_the_richest() {
    let world = World::new();
    world.put_hook(hook(1));
    world.put_hook(hook(2));
    world.set_receiver(receiver(|seen| {
        let slow = seen.url.starts_with("https://r1.");
        let wait = Duration::from_secs(if slow { 9 } else { 0 });
        Box::pin(async move {
            tokio::time::sleep(wait).await;
            answered(200)
        })
    }));
    for _ in 0..30 {
        world.post(1);
    }
    let _delivery = world.deliver_with(DeliveryConfig {
        read_rows: 100,
        read_below_rows: 100,
        ..tight()
    });
    world.until(|world| world.seen_count() == 9).await;
    world.post(2);
    world
        .until(|world| {
            world
                .seen()
                .iter()
                .any(|seen| seen.url.starts_with("https://r2."))
        })
        .await;
    assert_eq!(world.now_ms(), 9_000);
    world.all_settled().await;
    assert_eq!(times_seen(&world).len(), 31);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_while_settling_is_asked_until_it_writes() {
    let world = World::new();
    world.put_hook(hook(1));
    world.set_receiver(answering_each(&[500, 200]));
    let delivery = world.deliver();
    world.fail_settles(7);
    let sequence = world.post(1);
    world.all_settled().await;
    let stored = world.stored(sequence);
    assert_eq!((stored.attempts.len(), world.seen_count()), (2, 2));
    assert_eq!(delivery.stats().store_failures, 7);
    assert_eq!(delivery.stats().unsettled, 0);
}

#[tokio::test(start_paused = true)]
async fn a_record_that_cannot_be_read_stops_nobody_and_is_not_read_over_and_over() {
    let world = World::new();
    world.put_hook(hook(1));
    world.put_hook(hook(2));
    world.put_hook(hook(3));
    let among_others = world.post(1);
    let alone = world.post(3);
    world.damage(among_others);
    world.damage(alone);
    for hook in [1, 1, 2, 1] {
        world.post(hook);
    }
    let _delivery = world.deliver();
    world.until(|world| world.seen_count() == 4).await;
    world.until_quiet(|| world.now_ms() > 60_000).await;
    assert_eq!(world.seen_count(), 4, "those beside it and behind it went");
    for damaged in [among_others, alone] {
        assert_eq!(world.stored(damaged).state().word(), "pending");
    }
    // Where it is all there is, every 5 s at last: it may be mended, and a minute is long.
    let takes = world.takes();
    assert!(
        (10..40).contains(&takes),
        "the store was asked {takes} times"
    );
}

#[tokio::test(start_paused = true)]
async fn results_that_the_store_does_not_take_stop_new_attempts() {
    let world = World::new();
    world.put_hook(hook(1));
    world.fail_settles(usize::MAX);
    let delivery = world.deliver_with(DeliveryConfig {
        attempts_max: 2,
        unsettled_max: 3,
        ..DeliveryConfig::new(1)
    });
    for _ in 0..50 {
        world.post(1);
    }
    world.until_quiet(|| world.now_ms() > 60_000).await;
    assert!(
        (3..=5).contains(&delivery.stats().unsettled),
        "{:?}",
        delivery.stats()
    );
    assert!((3..=5).contains(&world.seen_count()));
}

#[tokio::test(start_paused = true)]
async fn a_deleted_hook_is_left_alone_and_forgotten() {
    let world = World::new();
    world.put_hook(hook(1));
    world.set_receiver(answering(500));
    let delivery = world.deliver();
    world.post(1);
    world.until(|world| world.seen_count() == 1).await;
    world.change_hook(1, |hook| hook.status = HookStatus::Inactive);
    world.delete_hook(1);
    world.until_quiet(|| delivery.stats().lanes == 0).await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(world.seen_count(), 1);
}

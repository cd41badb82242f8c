//! A receiver that is down is left alone, tried now and then, and remembered over a restart.

use std::time::Duration;

use whisperer_delivery::DeliveryConfig;
use whisperer_domain::health::{Breaker, Health, Patience};
use whisperer_domain::hook::{Hook, HookStatus};
use whisperer_domain::id::HookId;
use whisperer_domain::news::HookNews;
use whisperer_domain::port::Catalog as _;

use crate::world::{World, answered, answering, hook, receiver};

fn patient(id: u64) -> Hook {
    Hook {
        max_attempts: Some(100),
        ..hook(id)
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_receiver_is_probed_once_in_30_seconds_and_drained_when_it_is_back() {
    let world = World::new();
    world.put_hook(patient(1));
    world.set_receiver(receiver(|seen| {
        let status = if seen.at_ms < 400_000 { 500 } else { 200 };
        Box::pin(async move { answered(status) })
    }));
    let delivery = world.deliver();
    for _ in 0..500 {
        world.post(1);
    }
    world.until(|world| world.now_ms() > 390_000).await;
    let count = |from, to| {
        let seen = world.seen();
        seen.iter()
            .filter(|seen| (from..to).contains(&seen.at_ms))
            .count()
    };
    let at_first = count(0, 1_000);
    assert!(
        (10..=17).contains(&at_first),
        "{at_first}, of which some were out"
    );
    let probes = count(100_000, 390_000);
    assert!((9..=10).contains(&probes), "{probes} in 290 s");
    assert_eq!(delivery.stats().breakers_open, 1);
    world.all_settled().await;
    assert!(world.words().iter().all(|word| *word == "delivered"));
    assert!(world.now_ms() < 460_000, "{}", world.now_ms());
    assert_eq!(delivery.stats().breakers_open, 0);
}

#[tokio::test(start_paused = true)]
async fn what_somebody_waits_for_goes_through_an_open_breaker() {
    let world = World::new();
    world.put_hook(patient(1));
    world.set_receiver(answering(500));
    let delivery = world.deliver();
    let sequences: Vec<_> = (0..20).map(|_| world.post(1)).collect();
    world
        .until_quiet(|| delivery.stats().breakers_open == 1)
        .await;
    let (before, at) = (world.seen_count(), world.now_ms());
    world.retry(sequences[19]);
    world.until(|world| world.seen_count() > before).await;
    assert_eq!(world.now_ms(), at);
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_is_saved_and_holds_after_a_restart() {
    let world = World::new();
    world.put_hook(patient(1));
    world.set_receiver(answering(500));
    let delivery = world.deliver();
    for _ in 0..30 {
        world.post(1);
    }
    world.until(|world| world.now_ms() > 100_000).await;
    delivery.drain().await;
    let saved = world.saved_health(1).unwrap();
    let Breaker::Open { until, .. } = saved.breaker else {
        panic!("{saved:?}");
    };
    let before = world.seen_count();
    let delivery = world.deliver();
    world
        .until_quiet(|| delivery.stats().breakers_open == 1)
        .await;
    world.until(|world| world.seen_count() > before).await;
    let start = 1_700_000_000_000;
    assert!(world.now_ms() + start >= until.0, "it was tried too early");
}

#[tokio::test(start_paused = true)]
async fn a_changed_hook_begins_with_a_clean_health() {
    let world = World::new();
    world.put_hook(patient(1));
    world.set_receiver(answering(500));
    let delivery = world.deliver();
    for _ in 0..20 {
        world.post(1);
    }
    world.until(|world| world.now_ms() > 100_000).await;
    world.set_receiver(answering(200));
    let at = world.now_ms();
    world.change_hook(1, |hook| hook.timeout = Duration::from_secs(9));
    world
        .until_quiet(|| delivery.stats().breakers_open == 0)
        .await;
    world
        .until(|world| world.words().contains(&"delivered"))
        .await;
    assert!(world.now_ms() - at < 5, "{}", world.now_ms() - at);
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_only_fails_is_told_and_then_disabled() {
    let world = World::new();
    world.put_hook(Hook {
        max_age: Duration::from_secs(30 * 24 * 3600),
        ..patient(1)
    });
    world.change_hook(1, |hook| {
        hook.retry = whisperer_domain::schedule::RetryConfig::Fixed { seconds: 6 * 3600 };
    });
    world.set_receiver(answering(500));
    let _delivery = world.deliver();
    world.post(1);
    let disabled = |world: &World| {
        let hook = &world.snapshot().hooks[&HookId(1)];
        matches!(hook.status, HookStatus::Disabled { .. })
    };
    world.until(disabled).await;
    assert_eq!(world.now_ms() / 3_600_000, 120, "five days");
    let since = whisperer_domain::time::Timestamp(1_700_000_000_000);
    assert_eq!(world.news(), [(HookId(1), HookNews::Failing { since })]);
    assert_eq!(world.words(), ["pending"], "it waits");
    let seen = world.seen_count();
    tokio::time::sleep(Duration::from_secs(24 * 3600)).await;
    assert_eq!(world.seen_count(), seen);
    // Switched on again it is tried, and one failure does not disable it at once.
    world.change_hook(1, |hook| hook.status = HookStatus::Active);
    world.until(|world| world.seen_count() > seen).await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert!(!disabled(&world));
}

#[tokio::test(start_paused = true)]
async fn one_success_inside_the_time_keeps_the_hook_and_is_told() {
    let world = World::new();
    world.put_hook(patient(1));
    let patience = Patience {
        told_after: Duration::from_secs(15),
        disabled_after: Some(Duration::from_secs(100)),
    };
    world.set_receiver(receiver(|seen| {
        let good = (60_000..70_000).contains(&seen.at_ms);
        Box::pin(async move { answered(if good { 200 } else { 500 }) })
    }));
    let _delivery = world.deliver_with(DeliveryConfig {
        patience,
        ..DeliveryConfig::new(1)
    });
    world.post(1);
    world.until(|world| world.now_ms() >= 60_000).await;
    world.all_settled().await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    world.post(1);
    world.until(|world| world.now_ms() > 140_000).await;
    assert!(world.snapshot().hooks[&HookId(1)].delivers());
    let words: Vec<&str> = world
        .news()
        .iter()
        .map(|(_, news)| match news {
            HookNews::Failing { .. } => "failing",
            HookNews::Recovered { .. } => "recovered",
        })
        .collect();
    assert_eq!(words[..2], ["failing", "recovered"]);
}

/// Hook 1 failed for longer than it may, and its owner knows.
fn save_as_failing(world: &World) {
    let health = Health {
        failing_since: Some(whisperer_domain::time::Timestamp(1_600_000_000_000)),
        told: true,
        ..Health::default()
    };
    world.save_health(1, health);
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_was_failing_before_the_start_fails_on_from_there() {
    let world = World::new();
    world.put_hook(patient(1));
    save_as_failing(&world);
    world.set_receiver(answering(500));
    let _delivery = world.deliver();
    world.until_quiet(|| world.is_started()).await;
    world.post(1);
    world
        .until(|world| !world.snapshot().hooks[&HookId(1)].delivers())
        .await;
    assert_eq!(world.seen_count(), 1);
}

/// What arrives right after a start waits until it is known what was saved of its lane: else its
/// success would be no news, and the next failure the last of many.
#[tokio::test(start_paused = true)]
async fn a_success_right_after_the_start_ends_what_was_saved() {
    let world = World::new();
    world.put_hook(patient(1));
    save_as_failing(&world);
    world.acquire_late(Duration::from_secs(1));
    let _delivery = world.deliver();
    tokio::task::yield_now().await;
    world.post(1);
    world.all_settled().await;
    assert_eq!(world.saved_health(1).unwrap(), Health::default());
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_is_changed_at_the_start_is_not_what_was_saved_of_it() {
    let world = World::new();
    world.put_hook(patient(1));
    save_as_failing(&world);
    world.meanwhile(|world| world.change_hook(1, |hook| hook.max_in_flight = 2));
    world.set_receiver(answering(500));
    let _delivery = world.deliver();
    world.until_quiet(|| world.is_started()).await;
    world.post(1);
    world.until(|world| world.seen_count() == 2).await;
    assert!(world.snapshot().hooks[&HookId(1)].delivers());
}

#[tokio::test(start_paused = true)]
async fn a_deleted_hook_is_forgotten_with_all_that_was_learned_of_it() {
    let world = World::new();
    world.put_hook(Hook {
        max_attempts: Some(1),
        ..hook(1)
    });
    world.set_receiver(answering(500));
    let delivery = world.deliver();
    world.post(1);
    world.all_settled().await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(delivery.stats().lanes, 1, "since when it fails is known");
    world.delete_hook(1);
    world.until_quiet(|| delivery.stats().lanes == 0).await;
}

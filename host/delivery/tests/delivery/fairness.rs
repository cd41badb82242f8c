//! Turns go to lanes, not to deliveries, and every bound holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use whisperer_delivery::DeliveryConfig;
use whisperer_domain::hook::Hook;

use crate::world::{Seen, World, answered, hook, receiver, timing_out};

fn is_healthy(seen: &Seen) -> bool {
    seen.url.starts_with("https://r1.")
}

/// The healthy hook 1 answers at once, all others never do.
async fn healthy_latency_ms(world: &Arc<World>, posts: usize) -> u64 {
    let mut worst = 0;
    for _ in 0..posts {
        tokio::time::sleep(Duration::from_millis(700)).await;
        let posted = world.now_ms();
        let before = world.seen().iter().filter(|seen| is_healthy(seen)).count();
        world.post(1);
        world
            .until(|world| world.seen().iter().filter(|seen| is_healthy(seen)).count() > before)
            .await;
        worst = worst.max(world.now_ms() - posted);
    }
    worst
}

fn only_the_first_answers(world: &World) {
    world.set_receiver(receiver(|seen| {
        if is_healthy(seen) {
            Box::pin(async { answered(200) })
        } else {
            timing_out()
        }
    }));
}

#[tokio::test(start_paused = true)]
async fn a_dead_hook_with_10_000_pending_delays_nobody() {
    let world = World::new();
    world.put_hook(hook(1));
    world.put_hook(hook(2));
    only_the_first_answers(&world);
    for _ in 0..10_000 {
        world.post(2);
    }
    let _delivery = world.deliver();
    assert_eq!(healthy_latency_ms(&world, 50).await, 0);
}

#[tokio::test(start_paused = true)]
async fn many_dead_hooks_leave_half_of_the_places_to_the_others() {
    let world = World::new();
    for id in 1..=100 {
        world.put_hook(hook(id));
    }
    only_the_first_answers(&world);
    for id in 2..=100 {
        for _ in 0..50 {
            world.post(id);
        }
    }
    let _delivery = world.deliver_with(DeliveryConfig {
        attempts_max: 32,
        ..DeliveryConfig::new(1)
    });
    // Until it is known which of them time out, nothing tells them apart.
    world.until(|world| world.hooks_settled() == 99).await;
    assert_eq!(healthy_latency_ms(&world, 50).await, 0);
}

#[tokio::test(start_paused = true)]
async fn ready_lanes_take_turns_one_delivery_each() {
    let world = World::new();
    for id in 1..=3 {
        world.put_hook(hook(id));
    }
    for id in [1, 1, 1, 1, 2, 2, 3] {
        world.post(id);
    }
    let _delivery = world.deliver_with(DeliveryConfig {
        attempts_max: 1,
        ..DeliveryConfig::new(1)
    });
    world.all_settled().await;
    let mut rounds: Vec<String> = world
        .seen()
        .iter()
        .map(|seen| seen.url[8..10].to_owned())
        .collect();
    rounds[..3].sort_unstable();
    rounds[3..5].sort_unstable();
    assert_eq!(rounds, ["r1", "r2", "r3", "r1", "r2", "r1", "r1"]);
}

/// The most that a receiver ever had open at once.
async fn most_open(hooks: &[Hook], config: DeliveryConfig, posts: usize) -> usize {
    let world = World::new();
    for hook in hooks {
        world.put_hook(hook.clone());
    }
    let open = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let most_seen = Arc::clone(&most);
    world.set_receiver(receiver(move |_| {
        let (open, most) = (Arc::clone(&open), Arc::clone(&most_seen));
        Box::pin(async move {
            most.fetch_max(open.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(50)).await;
            open.fetch_sub(1, Ordering::Relaxed);
            answered(200)
        })
    }));
    let _delivery = world.deliver_with(config);
    for _ in 0..posts {
        for hook in hooks {
            world.post(hook.id.0);
        }
    }
    world.all_settled().await;
    assert_eq!(world.seen_count(), posts * hooks.len());
    most.load(Ordering::Relaxed)
}

#[tokio::test(start_paused = true)]
async fn max_in_flight_of_a_hook_holds() {
    let few = Hook {
        max_in_flight: 3,
        ..hook(1)
    };
    assert_eq!(most_open(&[few], DeliveryConfig::new(1), 40).await, 3);
}

#[tokio::test(start_paused = true)]
async fn the_places_of_all_lanes_together_hold() {
    let hooks: Vec<Hook> = (1..=20).map(hook).collect();
    let config = DeliveryConfig {
        attempts_max: 10,
        ..DeliveryConfig::new(1)
    };
    assert_eq!(most_open(&hooks, config, 10).await, 10);
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_times_out_shrinks_to_one_probe_and_grows_again() {
    let world = World::new();
    world.put_hook(Hook {
        max_attempts: Some(100),
        ..hook(1)
    });
    world.set_receiver(receiver(|seen| {
        if seen.at_ms < 600_000 {
            timing_out()
        } else {
            Box::pin(async { answered(200) })
        }
    }));
    let _delivery = world.deliver();
    for _ in 0..50 {
        world.post(1);
    }
    world.until(|world| world.now_ms() >= 590_000).await;
    let late = world
        .seen()
        .iter()
        .filter(|seen| (300_000..590_000).contains(&seen.at_ms))
        .count();
    assert!(
        (6..=8).contains(&late),
        "{late} requests in 290 s, each of 10 s with 30 s of rest after it"
    );
    world.all_settled().await;
    assert!(world.words().iter().all(|word| *word == "delivered"));
}

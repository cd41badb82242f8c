//! How fast a lane goes: the hook's `rate_limit`, and what its receiver asks for.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use whisperer_domain::hook::Hook;
use whisperer_domain::port::Exchanged;

use crate::world::{Seen, World, answered, hook, receiver};

fn most_within(seen: &[Seen], window_ms: u64) -> usize {
    let at: Vec<u64> = seen.iter().map(|seen| seen.at_ms).collect();
    let within = |from: u64| {
        at.iter()
            .filter(move |at| (from..from + window_ms).contains(*at))
    };
    at.iter()
        .map(|from| within(*from).count())
        .max()
        .unwrap_or(0)
}

#[tokio::test(start_paused = true)]
async fn a_rate_limit_holds_over_bursts_retries_and_pauses() {
    let world = World::new();
    world.put_hook(Hook {
        rate_limit: Some(20),
        max_in_flight: 64,
        ..hook(1)
    });
    world.set_receiver(receiver(|seen| {
        let status = if seen.at_ms % 3 == 0 { 500 } else { 200 };
        Box::pin(async move { answered(status) })
    }));
    let _delivery = world.deliver();
    for _ in 0..200 {
        world.post(1);
    }
    world.all_settled().await;
    let seen = world.seen();
    assert!(most_within(&seen, 1_000) <= 22);
    let took = seen.last().unwrap().at_ms - seen[0].at_ms;
    assert!(
        took >= (seen.len() as u64 - 2) * 1_000 / 20 - 1_000,
        "{took}"
    );
    // One by one, each delivered before the next: the lane is empty in between.
    let before = world.seen_count();
    for _ in 0..60 {
        world.post(1);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    world.all_settled().await;
    assert!(most_within(&world.seen()[before..], 1_000) <= 22);
}

#[tokio::test(start_paused = true)]
async fn a_rate_limit_of_one_hook_is_no_other_hooks() {
    let world = World::new();
    world.put_hook(Hook {
        rate_limit: Some(1),
        ..hook(1)
    });
    world.put_hook(hook(2));
    let _delivery = world.deliver();
    for _ in 0..20 {
        world.post(1);
        world.post(2);
    }
    world.until(|world| world.words()[1] == "delivered").await;
    let of_second = world.seen();
    let of_second = of_second.iter().filter(|seen| seen.url.contains("r2"));
    world.until_quiet(|| world.seen_count() >= 21).await;
    assert!(world.now_ms() < 1_000, "{of_second:?}");
}

#[tokio::test(start_paused = true)]
async fn retry_after_holds_the_whole_lane_and_then_it_goes_slower() {
    let world = World::new();
    world.put_hook(Hook {
        max_in_flight: 1,
        ..hook(1)
    });
    world.put_hook(hook(2));
    let count = AtomicUsize::new(0);
    world.set_receiver(receiver(move |seen| {
        let is_first = seen.url.contains("r1");
        let told = is_first && count.fetch_add(1, Ordering::Relaxed) == 49;
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(2)).await;
            match answered(if told { 429 } else { 200 }) {
                Exchanged::Answered { response, .. } if told => Exchanged::Answered {
                    response,
                    retry_after: Some(Duration::from_secs(7)),
                    asks: None,
                },
                other => other,
            }
        })
    }));
    let _delivery = world.deliver();
    for _ in 0..100 {
        world.post(1);
        world.post(2);
    }
    world.all_settled().await;
    let seen = world.seen();
    let (first, others): (Vec<Seen>, Vec<Seen>) =
        seen.into_iter().partition(|seen| seen.url.contains("r1"));
    assert!(others.len() == 100 && others.iter().all(|seen| seen.at_ms < 100));
    let asked_at = first[49].at_ms;
    assert!(first[50].at_ms >= asked_at + 7_000);
    // Fifty had begun in the second before.
    let most = most_within(&first[50..], 1_000);
    assert!((20..=30).contains(&most), "{most} a second");
}

#[tokio::test(start_paused = true)]
async fn a_lane_that_waits_for_its_receiver_holds_little_ready() {
    let world = World::new();
    world.put_hook(hook(1));
    world.set_receiver(receiver(|seen| {
        let is_first = seen.at_ms == 0;
        Box::pin(async move {
            match answered(if is_first { 429 } else { 200 }) {
                Exchanged::Answered { response, .. } if is_first => Exchanged::Answered {
                    response,
                    retry_after: Some(Duration::from_secs(3600)),
                    asks: None,
                },
                other => other,
            }
        })
    }));
    let delivery = world.deliver();
    world.post(1);
    world.until(|world| world.saved_health(1).is_some()).await;
    for _ in 0..1_000 {
        world.post(1);
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
    let held = delivery.stats().buffered_bytes;
    assert!((1..=16 * 1024).contains(&held), "{held} bytes of 16 rows");
    world.all_settled().await;
    assert!(world.words().iter().all(|word| *word == "delivered"));
}

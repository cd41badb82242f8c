//! An ordered lane: each delivery waits for those before it, whatever becomes of them.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use whisperer_domain::hook::{Hook, Ordered};
use whisperer_domain::id::Sequence;

use crate::world::{Seen, World, answered, hook, receiver, timing_out};

fn ordered(id: u64, ordered: Ordered) -> Hook {
    Hook {
        ordered,
        ..hook(id)
    }
}

/// The delivery that a request was for.
fn sequence(seen: &Seen) -> u64 {
    let uuid = u128::from_str_radix(seen.header("webhook-id").unwrap(), 16).unwrap();
    u64::try_from(uuid).unwrap()
}

/// Deliveries by the request that succeeded, in their order.
fn order(world: &World) -> Vec<u64> {
    let mut last = BTreeMap::new();
    for (place, seen) in world.seen().iter().enumerate() {
        last.insert(sequence(seen), place);
    }
    let mut places: Vec<(usize, u64)> = last.into_iter().map(|(id, at)| (at, id)).collect();
    places.sort_unstable();
    places.into_iter().map(|(_, id)| id).collect()
}

/// A receiver that refuses these deliveries so many times before it takes them.
fn refusing(world: &World, refusals: &[(u64, usize)]) {
    let left = std::sync::Mutex::new(refusals.iter().copied().collect::<HashMap<_, _>>());
    world.set_receiver(receiver(move |seen| {
        let mut left = left.lock().unwrap();
        let status = match left.get_mut(&sequence(seen)) {
            Some(left) if *left > 0 => {
                *left -= 1;
                500
            }
            Some(_) | None => 200,
        };
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(5)).await;
            answered(status)
        })
    }));
}

#[tokio::test(start_paused = true)]
async fn a_head_that_fails_holds_up_all_behind_it() {
    let world = World::new();
    world.put_hook(ordered(1, Ordered::Hook));
    refusing(&world, &[(1, 2), (7, 1), (8, 1)]);
    let _delivery = world.deliver();
    for _ in 0..10 {
        world.post(1);
    }
    // While the first waits for its retry, more comes.
    world.until(|world| world.seen_count() == 1).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    for _ in 0..10 {
        world.post(1);
    }
    assert_eq!(world.seen_count(), 1);
    world.all_settled().await;
    assert_eq!(order(&world), (1..=20).collect::<Vec<u64>>());
    assert_eq!(world.seen_count(), 24, "four refusals");
}

#[tokio::test(start_paused = true)]
async fn a_backlog_from_before_the_start_goes_before_what_is_fresh() {
    let world = World::new();
    world.put_hook(ordered(1, Ordered::Hook));
    refusing(&world, &[]);
    for _ in 0..300 {
        world.post(1);
    }
    let _delivery = world.deliver();
    // Heard by the feed before the lane is read from the store.
    world.post(1);
    world.all_settled().await;
    assert_eq!(order(&world), (1..=301).collect::<Vec<u64>>());
}

#[tokio::test(start_paused = true)]
async fn only_one_of_an_ordered_lane_is_out_until_it_is_on_disk() {
    let world = World::new();
    world.put_hook(ordered(1, Ordered::Hook));
    refusing(&world, &[]);
    let _delivery = world.deliver();
    world.fail_settles(3);
    let first = world.post(1);
    world.post(1);
    world.until(|world| world.seen_count() == 2).await;
    assert_eq!(world.stored(first).state().word(), "delivered");
}

#[tokio::test(start_paused = true)]
async fn what_is_about_one_object_waits_for_that_object_alone() {
    let world = World::new();
    world.put_hook(ordered(1, Ordered::Object));
    refusing(&world, &[(1, 3)]);
    let _delivery = world.deliver();
    for object in ["a", "b", "a", "c", "b"] {
        world.post_of(1, object);
    }
    world.post(1);
    world.until(|world| world.seen_count() >= 4).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.post_of(1, "a");
    world.post_of(1, "b");
    world.until(|world| world.now_ms() > 3_000).await;
    let mut early = order(&world);
    early.sort_unstable();
    assert_eq!(early, [1, 2, 4, 5, 6, 8], "3 and 7 are about the first's");
    world.all_settled().await;
    let order = order(&world);
    let of_a: Vec<u64> = order
        .iter()
        .copied()
        .filter(|id| [1, 3, 7].contains(id))
        .collect();
    let of_b: Vec<u64> = order
        .iter()
        .copied()
        .filter(|id| [2, 5, 8].contains(id))
        .collect();
    assert_eq!((of_a, of_b), (vec![1, 3, 7], vec![2, 5, 8]));
}

#[tokio::test(start_paused = true)]
async fn two_of_one_object_are_never_out_together() {
    let world = World::new();
    world.put_hook(ordered(1, Ordered::Object));
    let out = std::sync::Arc::new(std::sync::Mutex::new(Vec::<u64>::new()));
    let receiver_out = std::sync::Arc::clone(&out);
    world.set_receiver(receiver(move |seen| {
        // Objects are told apart by the parity of their deliveries.
        let id = sequence(seen);
        let out = std::sync::Arc::clone(&receiver_out);
        Box::pin(async move {
            assert!(!out.lock().unwrap().contains(&(id % 2)));
            out.lock().unwrap().push(id % 2);
            tokio::time::sleep(Duration::from_millis(id * 7 % 13)).await;
            out.lock().unwrap().retain(|other| *other != id % 2);
            answered(if id.is_multiple_of(9) { 500 } else { 200 })
        })
    }));
    world.change_hook(1, |hook| hook.max_attempts = Some(2));
    let _delivery = world.deliver();
    for id in 1..=200_u64 {
        let sequence = world.post_of(1, if id.is_multiple_of(2) { "even" } else { "odd" });
        assert_eq!(sequence, Sequence(id));
    }
    world.all_settled().await;
    for parity in [0, 1] {
        let ids: Vec<u64> = order(&world)
            .into_iter()
            .filter(|id| id % 2 == parity)
            .collect();
        assert!(ids.is_sorted(), "{ids:?}");
        assert_eq!(ids.len(), 100);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lane_that_becomes_ordered_waits_for_what_is_out() {
    let world = World::new();
    world.put_hook(hook(1));
    let _delivery = world.deliver();
    world.post(1);
    world.all_settled().await;
    world.set_receiver(receiver(|seen| {
        if seen.at_ms == 0 {
            timing_out()
        } else {
            Box::pin(async { answered(200) })
        }
    }));
    for _ in 0..12 {
        world.post(1);
    }
    world.until(|world| world.seen_count() == 9).await;
    world.change_hook(1, |hook| hook.ordered = Ordered::Hook);
    world.post(1);
    world.all_settled().await;
    // The eight that were out timed out together; then all went one by one, in order.
    let later: Vec<u64> = world.seen()[9..].iter().map(sequence).collect();
    assert_eq!(later, (2..=14).collect::<Vec<u64>>());
}

#[tokio::test(start_paused = true)]
async fn what_was_fenced_goes_again_before_what_follows_it() {
    let world = World::new();
    world.put_hook(ordered(1, Ordered::Hook));
    refusing(&world, &[]);
    let _delivery = world.deliver();
    world.post(1);
    world.until(|world| world.seen_count() == 1).await;
    world.post(1);
    world.revoke(1);
    world.all_settled().await;
    let sent: Vec<u64> = world.seen().iter().map(sequence).collect();
    assert_eq!(sent, [1, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_lane_that_turns_waits_for_what_fails_of_the_order_before() {
    for earlier in [Ordered::No, Ordered::Hook] {
        let world = World::new();
        world.put_hook(ordered(1, earlier));
        refusing(&world, &[(1, 1)]);
        let _delivery = world.deliver();
        world.post_of(1, "a");
        world.until(|world| world.seen_count() == 1).await;
        world.post_of(1, "a");
        world.change_hook(1, |hook| hook.ordered = Ordered::Object);
        world.all_settled().await;
        assert_eq!(order(&world), [1, 2], "from {earlier:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_brought_back_before_its_death_is_heard_of_is_not_overtaken() {
    let world = World::new();
    world.put_hook(Hook {
        max_attempts: Some(1),
        ..ordered(1, Ordered::Hook)
    });
    refusing(&world, &[(1, 1)]);
    world.set_revivals(1);
    let _delivery = world.deliver();
    world.post(1);
    world.post(1);
    world.all_settled().await;
    let sent: Vec<u64> = world.seen().iter().map(sequence).collect();
    assert_eq!(sent, [1, 1, 2]);
}

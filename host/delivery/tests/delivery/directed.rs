//! What lanes do when somebody directs: one comes first, one comes back, all are called off.

use std::time::Duration;

use whisperer_domain::delivery::{DeadCause, DeliveryState};
use whisperer_domain::hook::{Hook, HookStatus};

use crate::world::{World, answered, answering, hook, receiver};

/// One at a time, a second each.
fn slow() -> crate::world::Receiver {
    receiver(|_| {
        Box::pin(async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            answered(200)
        })
    })
}

fn one_at_a_time() -> Hook {
    Hook {
        max_in_flight: 1,
        ..hook(1)
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_brought_back_begins_its_schedule_and_its_age_anew() {
    let world = World::new();
    world.put_hook(Hook {
        max_attempts: Some(3),
        max_age: Duration::from_secs(60),
        ..hook(1)
    });
    world.set_receiver(answering(500));
    let _delivery = world.deliver();
    let sequence = world.post(1);
    world.all_settled().await;
    let exhausted = DeliveryState::Dead(DeadCause::Exhausted);
    assert_eq!(world.stored(sequence).state(), &exhausted);

    // Long past the age at which it would have expired.
    tokio::time::sleep(Duration::from_secs(980)).await;
    world.retry(sequence);
    world.until(|world| world.seen_count() == 4).await;
    world.all_settled().await;
    let stored = world.stored(sequence);
    assert_eq!(stored.state(), &exhausted);
    let numbers: Vec<u32> = stored.attempts.iter().map(|it| it.number).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);
    let at: Vec<u64> = world.seen().iter().map(|seen| seen.at_ms / 1000).collect();
    assert_eq!(at, [0, 10, 20, 1000, 1010, 1020]);
}

#[tokio::test(start_paused = true)]
async fn what_somebody_waits_for_goes_before_a_long_lane() {
    let world = World::new();
    world.put_hook(one_at_a_time());
    let _delivery = world.deliver();
    let first = world.post(1);
    world.all_settled().await;
    world.set_receiver(slow());
    for _ in 0..1000 {
        world.post(1);
    }
    world.until(|world| world.seen_count() == 3).await;
    world.retry(first);
    world.until(|world| world.seen_count() == 5).await;
    let id = |place: usize| world.seen()[place].header("webhook-id").unwrap().to_owned();
    assert_eq!(id(3), id(0), "the next one after what was in flight");
    assert_ne!(id(4), id(0));
}

#[tokio::test(start_paused = true)]
async fn what_is_called_off_is_not_sent() {
    let world = World::new();
    world.put_hook(one_at_a_time());
    world.set_receiver(slow());
    let _delivery = world.deliver();
    for _ in 0..5000 {
        world.post(1);
    }
    world.until(|world| world.seen_count() == 3).await;
    world.cancel(1);
    let last = world.post(1);
    world
        .until(|world| world.stored(last).state() == &DeliveryState::Delivered)
        .await;
    assert_eq!(world.seen_count(), 4, "those before, and the one after");
}

/// A look that comes before the last result is heard finds the delivery still held.
#[tokio::test(start_paused = true)]
async fn what_is_brought_back_before_its_end_is_heard_is_tried_again() {
    let world = World::new();
    world.put_hook(Hook {
        max_attempts: Some(1),
        ..hook(1)
    });
    world.set_receiver(answering(500));
    world.set_revivals(3);
    let _delivery = world.deliver();
    let sequence = world.post(1);
    world.until(|world| world.seen_count() == 4).await;
    world.all_settled().await;
    assert_eq!(world.stored(sequence).attempts.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_in_flight_is_not_doubled() {
    let world = World::new();
    world.put_hook(hook(1));
    world.set_receiver(slow());
    let _delivery = world.deliver();
    let sequence = world.post(1);
    world.until(|world| world.seen_count() == 1).await;
    world.retry(sequence);
    world.all_settled().await;
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert_eq!(world.seen_count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_paused_hook_holds_what_it_gets_and_goes_on_from_the_oldest() {
    let world = World::new();
    world.put_hook(one_at_a_time());
    let _delivery = world.deliver();
    world.until(|world| world.is_started()).await;
    let since = whisperer_domain::time::Timestamp(0);
    world.change_hook(1, |hook| hook.status = HookStatus::Paused { since });
    for _ in 0..50 {
        world.post(1);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(world.seen_count(), 0);
    world.change_hook(1, |hook| hook.status = HookStatus::Active);
    world.all_settled().await;
    let ids: Vec<String> = world
        .seen()
        .iter()
        .map(|seen| seen.header("webhook-id").unwrap().to_owned())
        .collect();
    assert_eq!(ids.len(), 50);
    assert!(ids.is_sorted(), "{ids:?}");
}

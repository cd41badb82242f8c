//! When a failed delivery is tried again, and when it is not.

use std::time::Duration;

use whisperer_domain::delivery::{CancelCause, DeadCause, DeliveryState};
use whisperer_domain::hook::{Hook, HookStatus};
use whisperer_domain::id::HookId;
use whisperer_domain::port::{Catalog, Exchanged};
use whisperer_domain::schedule::RetryConfig;

use crate::world::{World, answered, answering, answering_each, hook, receiver};

async fn attempt_secs(retry: RetryConfig) -> Vec<u64> {
    let world = World::new();
    world.put_hook(Hook { retry, ..hook(1) });
    world.set_receiver(answering(500));
    let _delivery = world.deliver();
    let sequence = world.post(1);
    world.all_settled().await;
    let exhausted = DeliveryState::Dead(DeadCause::Exhausted);
    assert_eq!(world.stored(sequence).state(), &exhausted);
    let at = world.seen().into_iter().map(|seen| {
        assert_eq!(seen.at_ms % 1000, 0, "W's delays are whole seconds");
        seen.at_ms / 1000
    });
    at.collect()
}

#[tokio::test(start_paused = true)]
async fn w_choices_send_19_requests_at_exact_times() {
    let fixed = attempt_secs(RetryConfig::Fixed { seconds: 3 }).await;
    assert_eq!(fixed, (0..19).map(|n| 3 * n).collect::<Vec<_>>());

    let linear = RetryConfig::Linear {
        base: 5,
        limit: Some(60),
    };
    let mut at = 0;
    let mut expected = vec![0];
    for n in 0..18 {
        at += (5 * n).min(60);
        expected.push(at);
    }
    assert_eq!(attempt_secs(linear).await, expected);

    let exponential = RetryConfig::Exponential {
        base: 2,
        factor: 3,
        limit: Some(1000),
    };
    let mut at = 0;
    let mut expected = vec![0];
    for n in 0..18 {
        at += (3 << n).min(1000);
        expected.push(at);
    }
    assert_eq!(attempt_secs(exponential).await, expected);

    let random = attempt_secs(RetryConfig::Random {
        min_value: 2,
        max_value: 4,
    })
    .await;
    assert_eq!(random.len(), 19);
    assert!(
        random
            .windows(2)
            .all(|pair| (2..=4).contains(&(pair[1] - pair[0])))
    );
}

#[tokio::test(start_paused = true)]
async fn the_default_schedule_is_kept_within_a_fifth() {
    let world = World::new();
    let retry = RetryConfig::default();
    let RetryConfig::Schedule { seconds } = retry.clone() else {
        panic!("not a schedule");
    };
    world.put_hook(Hook { retry, ..hook(1) });
    world.set_receiver(answering(503));
    let _delivery = world.deliver();
    world.post(1);
    world.all_settled().await;
    let seen = world.seen();
    assert_eq!(seen.len(), 10);
    for (pair, secs) in seen.windows(2).zip(seconds) {
        let waited = pair[1].at_ms - pair[0].at_ms;
        assert!(
            (secs * 800..=secs * 1200).contains(&waited),
            "{waited} ms for {secs} s"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_waited_for() {
    let world = World::new();
    world.put_hook(hook(1));
    world.set_receiver(receiver(|seen| {
        let Exchanged::Answered { response, .. } =
            answered(if seen.at_ms == 0 { 429 } else { 200 })
        else {
            unreachable!("it answers");
        };
        let retry_after = Some(Duration::from_millis(59_500));
        Box::pin(async move {
            Exchanged::Answered {
                response,
                retry_after,
                asks: None,
            }
        })
    }));
    let _delivery = world.deliver();
    world.post(1);
    world.all_settled().await;
    assert_eq!(world.seen()[1].at_ms, 60_000);
}

#[tokio::test(start_paused = true)]
async fn gone_disables_the_hook_and_sends_nothing_more() {
    let world = World::new();
    world.put_hook(Hook {
        max_in_flight: 1,
        ..hook(1)
    });
    world.set_receiver(answering_each(&[200, 410, 200]));
    let _delivery = world.deliver();
    let sequences: Vec<_> = (0..20).map(|_| world.post(1)).collect();
    world.all_settled().await;
    assert_eq!(world.seen_count(), 2);
    let gone = DeliveryState::Cancelled(CancelCause::Gone);
    assert!(
        sequences[1..]
            .iter()
            .all(|sequence| world.stored(*sequence).state() == &gone)
    );
    let status = world.snapshot().hooks[&HookId(1)].status.clone();
    assert!(matches!(status, HookStatus::Disabled { .. }));

    // Enabled again by its owner, it delivers again.
    world.change_hook(1, |hook| hook.status = HookStatus::Active);
    world.post(1);
    world.all_settled().await;
    assert_eq!(world.seen_count(), 3);
}

#[tokio::test(start_paused = true)]
async fn gone_holds_before_the_store_has_it() {
    let world = World::new();
    world.put_hook(Hook {
        max_in_flight: 1,
        ..hook(1)
    });
    world.set_receiver(answering(410));
    world.fail_settles(4);
    let _delivery = world.deliver();
    for _ in 0..20 {
        world.post(1);
    }
    world.all_settled().await;
    assert_eq!(world.seen_count(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_older_than_max_age_is_dead_without_another_attempt() {
    let world = World::new();
    world.put_hook(Hook {
        max_age: Duration::from_secs(60),
        status: HookStatus::Inactive,
        ..hook(1)
    });
    let _delivery = world.deliver();
    let sequence = world.post(1);
    tokio::time::advance(Duration::from_secs(60)).await;
    world.change_hook(1, |hook| hook.status = HookStatus::Active);
    world.all_settled().await;
    let stored = world.stored(sequence);
    assert_eq!(stored.state(), &DeliveryState::Dead(DeadCause::Expired));
    assert_eq!((stored.attempts.len(), world.seen_count()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn an_inactive_hook_waits_and_a_changed_one_holds_from_the_next_attempt() {
    let world = World::new();
    world.put_hook(hook(1));
    world.set_receiver(answering_each(&[500, 200]));
    let _delivery = world.deliver();
    world.post(1);
    world.until(|world| world.seen_count() == 1).await;
    world.change_hook(1, |hook| hook.status = HookStatus::Inactive);
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(world.seen_count(), 1);
    world.change_hook(1, |changed| {
        changed.status = HookStatus::Active;
        changed.target = hook(2).target;
    });
    world.all_settled().await;
    let seen = &world.seen()[1];
    assert_eq!(
        (seen.at_ms, seen.url.as_str()),
        (3_600_000, "https://r2.example/hook")
    );
}

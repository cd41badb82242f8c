//! How lanes stand: what is counted as pending, and which attempt was the last.

use std::time::Duration;

use tokio::task::JoinSet;
use whisperer_domain::health::Health;
use whisperer_domain::id::HookId;
use whisperer_domain::outcome::Outcome;
use whisperer_domain::port::{HookEffect, LaneView, LastAttempt, Settlement, Verdict};

use crate::stage::{START, Stage, attempt, event, over_both, settlement};

over_both!(
    lanes_are_counted_up_to_a_bound_in_the_order_asked,
    what_is_cancelled_is_not_pending,
    the_last_attempt_is_the_one_that_began_last,
    the_last_attempt_is_found_in_a_long_lane,
);

async fn lane(stage: &Stage, hook: HookId) -> LaneView {
    let mut lanes = stage.ledger.lanes(vec![hook], 1000).await.unwrap();
    assert_eq!(lanes.len(), 1);
    lanes.remove(0)
}

/// The delivery and status of the last attempt.
async fn last(stage: &Stage, hook: HookId) -> Option<(u64, Option<u16>)> {
    let last = lane(stage, hook).await.last_attempt?;
    Some((last.delivery.0, last.status))
}

async fn lanes_are_counted_up_to_a_bound_in_the_order_asked(stage: Stage) {
    let first = stage.hook("ann", "https://a.example/", "*").await.id;
    let second = stage
        .hook("bob", "https://b.example/", "transfer.*")
        .await
        .id;
    for post in 1..=3 {
        stage.post(&format!("e{post}")).await;
        stage.clock.advance(Duration::from_secs(1));
    }
    for (pending_max, pending, more_pending) in [(4, 3, false), (3, 3, false), (2, 2, true)] {
        let hooks = vec![HookId(99), first, second];
        let lanes = stage.ledger.lanes(hooks, pending_max).await.unwrap();
        let quiet = |hook| LaneView {
            hook,
            pending: 0,
            more_pending: false,
            next_due: None,
            last_attempt: None,
            health: Health::default(),
        };
        let busy = LaneView {
            pending,
            more_pending,
            next_due: Some(START),
            ..quiet(first)
        };
        let expected = [quiet(HookId(99)), busy, quiet(second)];
        assert_eq!(lanes, expected, "{pending_max}");
    }
    assert!(stage.ledger.lanes(Vec::new(), 9).await.unwrap().is_empty());
}

async fn what_is_cancelled_is_not_pending(stage: Stage) {
    let hook = stage.hook("ann", "https://a.example/", "*").await.id;
    for post in 1..=3 {
        stage.post(&format!("e{post}")).await;
    }
    let gone = Settlement {
        attempt: Some(attempt(1, 410)),
        effect: Some(HookEffect::Gone {
            reason: "410 Gone".to_owned(),
        }),
        ..settlement(stage.lease(hook).await, 2, Verdict::Delivered)
    };
    stage.settle(gone).await;
    let lane = lane(&stage, hook).await;
    assert_eq!((lane.pending, lane.next_due), (0, None));
    let attempt = LastAttempt {
        delivery: whisperer_domain::id::Sequence(2),
        started_at: START.after(Duration::from_millis(1)),
        outcome: Outcome::Refused {
            status: 410,
            retry_after_secs: None,
        },
        status: Some(410),
    };
    assert_eq!(lane.last_attempt, Some(attempt));
}

async fn the_last_attempt_is_the_one_that_began_last(stage: Stage) {
    let hook = stage.hook("ann", "https://a.example/", "*").await.id;
    stage.post("e1").await;
    stage.post("e2").await;
    let lease = stage.lease(hook).await;
    let after = Duration::from_secs(5);
    // `attempt` takes its number for the time at which it began. What is settled last is not
    // what began last; a deferral is no attempt.
    for (sequence, began, status, expected) in [
        (2, 1, 502, (2, Some(502))),
        (1, 3, 500, (1, Some(500))),
        (2, 2, 200, (1, Some(500))),
        (2, 4, 204, (2, Some(204))),
    ] {
        let settlement = Settlement {
            attempt: Some(attempt(began, status)),
            ..settlement(lease, sequence, Verdict::Retry { after })
        };
        stage.settle(settlement).await;
        assert_eq!(last(&stage, hook).await, Some(expected), "{status}");
    }
    let mut silent = attempt(5, 0);
    silent.response = None;
    silent.outcome = Outcome::TimedOut {
        while_doing: "waiting for the answer".to_owned(),
    };
    let settlement = Settlement {
        attempt: Some(silent),
        ..settlement(lease, 1, Verdict::Retry { after })
    };
    stage.settle(settlement).await;
    assert_eq!(last(&stage, hook).await, Some((1, None)));
    let lane = lane(&stage, hook).await;
    assert_eq!((lane.pending, lane.next_due), (2, Some(START.after(after))));
}

/// The newest deliveries of a hook that cannot keep up were never tried; what it last answered
/// is what its owner wants to know.
async fn the_last_attempt_is_found_in_a_long_lane(stage: Stage) {
    const POSTS: usize = 200;
    let hook = stage.hook("ann", "https://a.example/", "*").await.id;
    let revision = stage.catalog.snapshot().revision;
    let mut posts = JoinSet::new();
    for post in 0..POSTS {
        let ledger = stage.ledger.clone();
        let event = event(&format!("e{post}"), "package.created");
        posts.spawn(async move { ledger.accept(event, vec![hook], revision).await });
    }
    assert!(posts.join_all().await.iter().all(Result::is_ok));
    assert_eq!(last(&stage, hook).await, None);
    let lease = stage.lease(hook).await;
    let after = Duration::from_secs(60);
    for (sequence, began, verdict) in [
        (1, 1, Verdict::Delivered),
        (2, 2, Verdict::Retry { after }),
        (3, 3, Verdict::Delivered),
    ] {
        let settlement = Settlement {
            attempt: Some(attempt(began, 200)),
            ..settlement(lease, sequence, verdict)
        };
        stage.settle(settlement).await;
        assert_eq!(last(&stage, hook).await, Some((sequence, Some(200))));
    }
    assert_eq!(lane(&stage, hook).await.pending, POSTS - 2);
}

//! Ordered lanes: what may go while others wait, and in what order.

use std::sync::Arc;
use std::time::Duration;

use whisperer_domain::delivery::{DeadCause, StateKind};
use whisperer_domain::hook::{Hook, Ordered};
use whisperer_domain::id::Sequence;
use whisperer_domain::port::{Budget, Directive, Lease, Selection, Taken, Verdict};
use whisperer_domain::time::Timestamp;

use crate::stage::{Heard, START, Stage, WIDE, event, hook, over_both, sequences, settlement};

over_both!(
    nothing_comes_from_behind_what_is_not_due,
    a_clock_that_was_set_back_does_not_break_the_order,
    what_is_held_is_passed_over,
    an_object_waits_for_its_own_alone,
    no_more_than_so_many_objects_are_blocked,
    no_more_than_so_many_rows_are_passed_over,
    budgets_hold_in_ordered_lanes_too,
    what_is_brought_back_stands_behind_all,
    what_is_retried_or_brought_forward_keeps_its_place,
    a_view_shows_when_the_first_is_due_and_what_was_tried_last,
);

const SECS: Duration = Duration::from_secs(1);

fn ordered(ordered: Ordered) -> Hook {
    Hook {
        ordered,
        ..hook("ann", "https://a.example/", "*")
    }
}

async fn lane_of(stage: &Stage, order: Ordered, objects: &[Option<&str>]) -> Lease {
    let hook = stage.create(ordered(order)).await;
    for (number, object) in objects.iter().enumerate() {
        post(stage, number, *object).await;
    }
    stage.lease(hook.id).await
}

async fn post(stage: &Stage, number: usize, object: Option<&str>) {
    let mut event = event(&format!("e{number}"), "package.created");
    event.object_id = object.map(str::to_owned);
    stage.accept(event).await.unwrap();
}

async fn retry_in(stage: &Stage, lease: Lease, sequence: u64, secs: u32) {
    let after = SECS * secs;
    let verdict = Verdict::Retry { after };
    stage.settle(settlement(lease, sequence, verdict)).await;
}

async fn die(stage: &Stage, lease: Lease, sequence: u64) {
    let verdict = Verdict::Dead(DeadCause::Exhausted);
    stage.settle(settlement(lease, sequence, verdict)).await;
}

/// All of a lane, in its order.
async fn all(stage: &Stage, lease: Lease, ordered: Ordered) -> Vec<u64> {
    let all = stage
        .ledger
        .take(lease, Timestamp::MAX, Vec::new(), WIDE, ordered);
    sequences(&all.await.unwrap())
}

fn in_secs(secs: u32) -> Option<Timestamp> {
    Some(START.after(SECS * secs))
}

fn blocked(taken: &Taken) -> Vec<(&str, Timestamp)> {
    let blocked = taken.blocked.iter();
    blocked
        .map(|(object, due)| (object.as_str(), *due))
        .collect()
}

async fn nothing_comes_from_behind_what_is_not_due(stage: Stage) {
    let lease = lane_of(&stage, Ordered::Hook, &[None; 3]).await;
    retry_in(&stage, lease, 2, 5).await;
    let taken = stage.take_in(lease, Ordered::Hook).await;
    assert_eq!(sequences(&taken), [1]);
    assert_eq!((taken.next_due, taken.closed), (in_secs(5), true));
    assert!(!taken.more && taken.blocked.is_empty());
    stage.clock.advance(SECS * 5);
    let taken = stage.take_in(lease, Ordered::Hook).await;
    assert_eq!(sequences(&taken), [1, 2, 3]);
    assert_eq!((taken.next_due, taken.closed), (None, false));
    die(&stage, lease, 1).await;
    let settlement = settlement(lease, 2, Verdict::Delivered);
    stage.settle(settlement).await;
    assert_eq!(all(&stage, lease, Ordered::Hook).await, [3]);
}

async fn a_clock_that_was_set_back_does_not_break_the_order(stage: Stage) {
    let lease = lane_of(&stage, Ordered::Hook, &[None; 2]).await;
    stage.clock.set(Timestamp(START.0 - 3_600_000));
    post(&stage, 9, None).await;
    assert_eq!(all(&stage, lease, Ordered::Hook).await, [1, 2, 3]);
    let taken = stage.take_in(lease, Ordered::Hook).await;
    assert_eq!(sequences(&taken), [0; 0], "by this clock 1 is not due");
    assert_eq!((taken.next_due, taken.closed), (Some(START), true));
}

async fn what_is_held_is_passed_over(stage: Stage) {
    let objects = [Some("a"), Some("a"), Some("b"), Some("a")];
    let lease = lane_of(&stage, Ordered::Object, &objects).await;
    // Held, and meanwhile not due: that is the business of whoever holds it.
    retry_in(&stage, lease, 1, 5).await;
    let held = vec![Sequence(1), Sequence(3)];
    let taken = stage
        .ledger
        .take(lease, START, held, WIDE, Ordered::Object)
        .await
        .unwrap();
    assert_eq!(sequences(&taken), [2, 4]);
    assert!(taken.blocked.is_empty() && !taken.closed);
    let taken = stage
        .ledger
        .take(lease, START, vec![Sequence(1)], WIDE, Ordered::Hook)
        .await
        .unwrap();
    assert_eq!(sequences(&taken), [2, 3, 4]);
}

async fn an_object_waits_for_its_own_alone(stage: Stage) {
    let objects = [Some("a"), Some("b"), None, Some("a"), None, Some("c")];
    let lease = lane_of(&stage, Ordered::Object, &objects).await;
    retry_in(&stage, lease, 1, 5).await;
    retry_in(&stage, lease, 6, 9).await;
    let taken = stage.take_in(lease, Ordered::Object).await;
    assert_eq!(sequences(&taken), [2, 3, 5]);
    let (a, c) = (START.after(SECS * 5), START.after(SECS * 9));
    assert_eq!(blocked(&taken), [("a", a), ("c", c)]);
    assert_eq!((taken.next_due, taken.closed), (Some(a), false));
    // What names no object blocks nothing, and is waited for all the same.
    retry_in(&stage, lease, 3, 2).await;
    let taken = stage.take_in(lease, Ordered::Object).await;
    assert_eq!(sequences(&taken), [2, 5]);
    assert_eq!((taken.next_due, taken.closed), (in_secs(2), false));
    stage.clock.advance(SECS * 5);
    let taken = stage.take_in(lease, Ordered::Object).await;
    assert_eq!(sequences(&taken), [1, 2, 3, 4, 5]);
    assert_eq!(blocked(&taken), [("c", c)]);
}

async fn no_more_than_so_many_objects_are_blocked(stage: Stage) {
    let hook = stage.create(ordered(Ordered::Object)).await;
    let revision = stage.catalog.snapshot().revision;
    let posts = (1..=1002).map(|number| {
        let mut event = event(&format!("e{number}"), "package.created");
        event.object_id = Some(format!("o{number}"));
        stage.ledger.accept(event, vec![hook.id], revision)
    });
    for posted in futures_util::future::join_all(posts).await {
        posted.unwrap();
    }
    let lease = stage.lease(hook.id).await;
    let retried = (1..=1001).map(|sequence| {
        let after = SECS * if sequence == 7 { 3 } else { 5 };
        settlement(lease, sequence, Verdict::Retry { after })
    });
    stage.ledger.settle(retried.collect()).await.unwrap();
    let taken = stage.take_in(lease, Ordered::Object).await;
    assert_eq!(sequences(&taken), [0; 0], "the last one is out of sight");
    assert_eq!(taken.blocked.len(), 1000);
    assert_eq!((taken.next_due, taken.closed), (in_secs(3), true));
    die(&stage, lease, 1).await;
    let taken = stage.take_in(lease, Ordered::Object).await;
    assert_eq!(sequences(&taken), [1002]);
    assert!(!taken.closed);
}

async fn no_more_than_so_many_rows_are_passed_over(stage: Stage) {
    let hook = stage.create(ordered(Ordered::Object)).await;
    let mut about = event("many", "package.created");
    about.object_id = Some("a".to_owned());
    let revision = stage.catalog.snapshot().revision;
    let many = vec![hook.id; 6000];
    stage.ledger.accept(about, many, revision).await.unwrap();
    post(&stage, 1, Some("b")).await;
    let lease = stage.lease(hook.id).await;
    retry_in(&stage, lease, 1, 5).await;
    let narrow = Budget { rows: 1, ..WIDE };
    let take = || {
        stage
            .ledger
            .take(lease, START, Vec::new(), narrow, Ordered::Object)
    };
    let taken = take().await.unwrap();
    assert_eq!(sequences(&taken), [0; 0]);
    assert_eq!((taken.next_due, taken.closed), (in_secs(5), true));
    let cancelled = (2..=1500).map(|sequence| settlement(lease, sequence, Verdict::Delivered));
    stage.ledger.settle(cancelled.collect()).await.unwrap();
    let taken = take().await.unwrap();
    assert_eq!(sequences(&taken), [6001]);
    assert!(!taken.closed);
}

async fn budgets_hold_in_ordered_lanes_too(stage: Stage) {
    let lease = lane_of(&stage, Ordered::Hook, &[None; 5]).await;
    retry_in(&stage, lease, 4, 5).await;
    for ordered in [Ordered::Hook, Ordered::Object] {
        let take = async |rows, bytes| {
            let budget = Budget { rows, bytes };
            let taken = stage.ledger.take(lease, START, Vec::new(), budget, ordered);
            let taken = taken.await.unwrap();
            (sequences(&taken), taken.more, taken.closed)
        };
        assert_eq!(take(2, 1 << 20).await, (vec![1, 2], true, false));
        assert_eq!(take(9, 1).await, (vec![1], true, false), "one comes");
    }
    let three = Budget { rows: 3, ..WIDE };
    let take = |ordered| stage.ledger.take(lease, START, Vec::new(), three, ordered);
    let taken = take(Ordered::Hook).await.unwrap();
    assert_eq!(sequences(&taken), [1, 2, 3]);
    assert_eq!((taken.more, taken.closed), (false, true), "4 is not due");
    let taken = take(Ordered::Object).await.unwrap();
    assert_eq!((taken.more, taken.closed), (true, false), "5 may go");
}

async fn what_is_brought_back_stands_behind_all(stage: Stage) {
    let lease = lane_of(&stage, Ordered::Hook, &[None; 4]).await;
    let heard = Arc::new(Heard::default());
    stage.ledger.feed(heard.clone());
    let back = |sequence| Directive::Retry {
        delivery: Sequence(sequence),
        force: false,
    };
    die(&stage, lease, 1).await;
    stage.direct(back(1)).await.unwrap();
    assert_eq!(heard.words(), ["look at 1"], "it waits for its turn");
    post(&stage, 9, None).await;
    let fifth = stage.deliveries_of("e9").await[0];
    assert_eq!(all(&stage, lease, Ordered::Hook).await, [2, 3, 4, 1, fifth]);
    // Its own number is what it was, and a retry of it does not bring it to the front again.
    retry_in(&stage, lease, 1, 0).await;
    assert_eq!(all(&stage, lease, Ordered::Hook).await, [2, 3, 4, 1, fifth]);
    for sequence in [3, 2] {
        die(&stage, lease, sequence).await;
    }
    heard.words();
    let requeue = Directive::Requeue {
        selection: Selection::default(),
        state: StateKind::Dead,
    };
    stage.direct(requeue).await.unwrap();
    assert_eq!(heard.words(), ["look at 1"]);
    assert_eq!(
        all(&stage, lease, Ordered::Hook).await,
        [4, 1, fifth, 2, 3],
        "oldest first"
    );
}

async fn what_is_retried_or_brought_forward_keeps_its_place(stage: Stage) {
    let lease = lane_of(&stage, Ordered::Hook, &[None; 3]).await;
    retry_in(&stage, lease, 1, 60).await;
    retry_in(&stage, lease, 2, 30).await;
    assert_eq!(all(&stage, lease, Ordered::Hook).await, [1, 2, 3]);
    let forward = Directive::Retry {
        delivery: Sequence(1),
        force: true,
    };
    stage.direct(forward).await.unwrap();
    let taken = stage.take_in(lease, Ordered::Hook).await;
    assert_eq!(sequences(&taken), [1]);
    assert_eq!((taken.next_due, taken.closed), (in_secs(30), true));
}

async fn a_view_shows_when_the_first_is_due_and_what_was_tried_last(stage: Stage) {
    let lease = lane_of(&stage, Ordered::Hook, &[None; 120]).await;
    let tried = whisperer_domain::port::Settlement {
        attempt: Some(crate::stage::attempt(1, 500)),
        ..settlement(lease, 1, Verdict::Retry { after: SECS * 7 })
    };
    stage.settle(tried).await;
    let view = stage.ledger.lanes(vec![lease.hook], 500).await.unwrap();
    assert_eq!(view[0].pending, 120);
    assert_eq!(view[0].next_due, in_secs(7));
    let last = view[0].last_attempt.clone().unwrap();
    assert_eq!((last.delivery, last.status), (Sequence(1), Some(500)));
}

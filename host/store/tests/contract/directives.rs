//! Directives: one delivery tried again, many brought back or called off, an event replayed; and
//! who is told of it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use whisperer_domain::delivery::{CancelCause, DeadCause, DeliveryState, StateKind};
use whisperer_domain::event_type::EventPattern;
use whisperer_domain::hook::{Hook, HookStatus};
use whisperer_domain::id::{EventId, HookId, Owner, Sequence};
use whisperer_domain::port::{
    DirectError, Directed, Directive, Lease, Run, Scope, Selection, Settled, Settlement, Verdict,
};
use whisperer_domain::time::Timestamp;

use crate::stage::{Heard, START, Stage, attempt, event, everything, over_both, settlement};

over_both!(
    what_has_ended_comes_back_with_its_past,
    what_is_pending_is_only_made_due,
    what_may_not_be_retried_is_refused_and_unchanged,
    a_selection_means_what_it_says,
    a_dry_run_counts_and_changes_nothing,
    owners_direct_their_own_alone,
    an_attempt_under_way_is_settled_into_what_it_finds,
    a_replay_makes_new_deliveries_and_leaves_the_old,
    a_replay_at_an_older_revision_is_stale,
    a_watch_ends_when_its_delivery_is_written,
    lanes_are_told,
);

const MINUTE: Duration = Duration::from_secs(60);

fn retry(sequence: u64, force: bool) -> Directive {
    Directive::Retry {
        delivery: Sequence(sequence),
        force,
    }
}

fn requeue(state: StateKind, selection: Selection) -> Directive {
    Directive::Requeue { selection, state }
}

async fn settle(stage: &Stage, lease: Lease, sequence: u64, verdict: Verdict) {
    let settlement = Settlement {
        attempt: Some(attempt(1, 500)),
        ..settlement(lease, sequence, verdict)
    };
    stage.settle(settlement).await;
}

/// Waits until it is so.
async fn carried_out(stage: &Stage, wanted: impl AsyncFn(&Stage) -> bool) {
    for _ in 0..10_000 {
        if wanted(stage).await {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("it was not carried out");
}

/// Waits until the deliveries stand so.
async fn stand(stage: &Stage, expected: &[&str]) {
    let all = || 1..=expected.len() as u64;
    carried_out(stage, async |stage| stage.states(all()).await == expected).await;
}

async fn what_has_ended_comes_back_with_its_past(stage: Stage) {
    let hook = stage.hook("ann", "https://a.example/", "*").await;
    stage.post("e1").await;
    let lease = stage.lease(hook.id).await;
    settle(&stage, lease, 1, Verdict::Retry { after: MINUTE }).await;
    settle(&stage, lease, 1, Verdict::Dead(DeadCause::Exhausted)).await;
    stage.clock.advance(MINUTE * 10);
    let directed = stage.direct(retry(1, false)).await.unwrap();
    assert_eq!(directed, Directed::Due { attempts: 2 });
    assert_eq!(stage.due(lease).await, [1]);
    let taken = stage.take(lease).await.ready.remove(0).delivery;
    assert_eq!((taken.attempts, taken.attempts_counted()), (2, 0));
    assert_eq!(taken.aging_since(), START.after(MINUTE * 10));

    settle(&stage, lease, 1, Verdict::Retry { after: MINUTE }).await;
    let found = stage.find(1).await;
    let numbers: Vec<u32> = found.attempts.iter().map(|it| it.number).collect();
    assert_eq!(numbers, [1, 2, 3]);
    assert_eq!(found.view.delivery.attempts_counted(), 1);
    assert_eq!(found.state().due(), Some(START.after(MINUTE * 11)));

    // A delivered one too, if it must be.
    settle(&stage, lease, 1, Verdict::Delivered).await;
    let directed = stage.direct(retry(1, true)).await.unwrap();
    assert_eq!(directed, Directed::Due { attempts: 4 });
    assert_eq!(stage.due(lease).await, [1]);
}

async fn what_is_pending_is_only_made_due(stage: Stage) {
    let hook = stage.hook("ann", "https://a.example/", "*").await;
    stage.post("e1").await;
    let lease = stage.lease(hook.id).await;
    settle(&stage, lease, 1, Verdict::Retry { after: MINUTE }).await;
    assert_eq!(stage.due(lease).await, [0; 0]);
    stage.direct(retry(1, true)).await.unwrap();
    assert_eq!(stage.due(lease).await, [1]);
    let delivery = stage.find(1).await.view.delivery;
    assert_eq!(delivery.attempts_counted(), 1, "its schedule goes on");
    assert_eq!(delivery.aging_since(), START);
}

async fn what_may_not_be_retried_is_refused_and_unchanged(stage: Stage) {
    let hook = stage.hook("ann", "https://a.example/", "*").await;
    for id in ["e1", "e2", "e3"] {
        stage.post(id).await;
    }
    let lease = stage.lease(hook.id).await;
    settle(&stage, lease, 1, Verdict::Delivered).await;
    settle(&stage, lease, 3, Verdict::Dead(DeadCause::Exhausted)).await;
    let before = [stage.find(1).await, stage.find(2).await];
    let refused = async |sequence, force| stage.direct(retry(sequence, force)).await.unwrap_err();
    assert!(matches!(refused(1, false).await, DirectError::Delivered));
    assert!(matches!(refused(2, false).await, DirectError::Pending));
    assert!(matches!(refused(9, true).await, DirectError::NotFound));
    for (before, sequence) in before.iter().zip(1..) {
        let after = stage.find(sequence).await.view.delivery;
        assert_eq!(after, before.view.delivery);
    }

    let paused = HookStatus::Paused { since: START };
    let hook = stage
        .replace(Hook {
            status: paused,
            ..Hook::clone(&hook)
        })
        .await;
    assert!(matches!(refused(3, true).await, DirectError::HookHeld));
    stage.delete(hook.id).await;
    carried_out(&stage, async |stage| {
        matches!(
            stage.direct(retry(3, true)).await,
            Err(DirectError::HookGone)
        )
    })
    .await;
}

async fn a_selection_means_what_it_says(stage: Stage) {
    let first = stage.hook("ann", "https://a.example/", "*").await;
    let second = stage.hook("bob", "https://b.example/", "package.*").await;
    stage.post("e1").await;
    stage.clock.advance(MINUTE);
    stage
        .accept(event("e2", "transfer.status.created"))
        .await
        .unwrap();
    stage.clock.advance(MINUTE);
    stage.post("e3").await;
    // 1 and 2 at once, 3 a minute later for the first hook alone, 4 and 5 at last.
    let cancelled: fn(u64, &[u64]) -> Vec<&'static str> = |count, cancelled| {
        (1..=count)
            .map(|it| {
                if cancelled.contains(&it) {
                    "cancelled"
                } else {
                    "pending"
                }
            })
            .collect()
    };
    let back = requeue(StateKind::Cancelled, Selection::default());
    let pattern = |text| Some(EventPattern::parse(text).unwrap());
    let at = |minutes: u32| Some(START.after(MINUTE * minutes));
    let all = Selection::default;
    #[rustfmt::skip]
    let cases: [(&str, Selection, &[u64]); 7] = [
        ("all", all(), &[1, 2, 3, 4, 5]),
        ("hook", Selection { hook: Some(second.id), ..all() }, &[2, 5]),
        ("no hook", Selection { hook: Some(HookId(99)), ..all() }, &[]),
        ("type", Selection { event_type: pattern("transfer.*"), ..all() }, &[3]),
        ("from", Selection { created_from: at(1), ..all() }, &[3, 4, 5]),
        ("to", Selection { created_to: at(1), ..all() }, &[1, 2, 3]),
        ("all of it", Selection { hook: Some(first.id), event_type: pattern("package.*"),
            created_from: at(1), created_to: at(2) }, &[4]),
    ];
    for (name, selection, expected) in cases {
        let counted = stage.direct(Directive::Cancel(selection)).await.unwrap();
        let meant = Directed::Selected {
            deliveries: expected.len() as u64,
            at_least: false,
        };
        assert_eq!(counted, meant, "{name}");
        stand(&stage, &cancelled(5, expected)).await;
        let cause = DeliveryState::Cancelled(CancelCause::ByHand);
        for sequence in expected {
            assert_eq!(stage.find(*sequence).await.state(), &cause, "{name}");
        }
        assert_eq!(stage.direct(back.clone()).await.unwrap(), meant, "{name}");
        stand(&stage, &cancelled(5, &[])).await;
    }
    let lease = stage.lease(first.id).await;
    assert_eq!(stage.due(lease).await.len(), 3);
}

async fn a_dry_run_counts_and_changes_nothing(stage: Stage) {
    let hook = stage.hook("ann", "https://a.example/", "*").await;
    for id in ["e1", "e2", "e3"] {
        stage.post(id).await;
    }
    let lease = stage.lease(hook.id).await;
    settle(&stage, lease, 2, Verdict::Dead(DeadCause::Exhausted)).await;
    let weigh = async |directive| stage.ledger.direct(directive, Scope::All, Run::Dry).await;
    let selected = |deliveries| Directed::Selected {
        deliveries,
        at_least: false,
    };
    let cancel = Directive::Cancel(Selection::default());
    assert_eq!(weigh(cancel).await.unwrap(), selected(2));
    let dead = requeue(StateKind::Dead, Selection::default());
    assert_eq!(weigh(dead).await.unwrap(), selected(1));
    let due = weigh(retry(2, false)).await.unwrap();
    assert_eq!(due, Directed::Due { attempts: 1 });
    let refused = weigh(retry(1, false)).await;
    assert!(matches!(refused, Err(DirectError::Pending)), "{refused:?}");
    let snapshot = stage.catalog.snapshot();
    let replay = |event: &str| Directive::Replay {
        event: EventId::parse(event).unwrap(),
        recipients: vec![hook.id],
        revision: snapshot.revision,
    };
    let made = weigh(replay("e1")).await.unwrap();
    assert_eq!(made, Directed::Made { deliveries: 1 });
    let unknown = weigh(replay("e9")).await;
    assert!(matches!(unknown, Err(DirectError::NotFound)), "{unknown:?}");
    assert_eq!(stage.states(1..=3).await, ["pending", "dead", "pending"]);
    let page = stage.ledger.page(everything()).await.unwrap();
    assert_eq!(page.items.len(), 3);
}

async fn owners_direct_their_own_alone(stage: Stage) {
    stage.hook("ann", "https://a.example/", "*").await;
    stage.hook("bob", "https://b.example/", "*").await;
    stage.post("e1").await;
    let bob = Scope::Of(Owner::parse("bob").unwrap());
    let foreign = stage
        .ledger
        .direct(retry(1, true), bob.clone(), Run::Real(None))
        .await;
    assert!(matches!(foreign, Err(DirectError::NotFound)), "{foreign:?}");
    let cancel = Directive::Cancel(Selection::default());
    stage
        .ledger
        .direct(cancel, bob, Run::Real(None))
        .await
        .unwrap();
    stand(&stage, &["pending", "cancelled"]).await;
}

async fn an_attempt_under_way_is_settled_into_what_it_finds(stage: Stage) {
    let hook = stage.hook("ann", "https://a.example/", "*").await;
    stage.post("e1").await;
    stage.post("e2").await;
    let lease = stage.lease(hook.id).await;
    stage
        .direct(Directive::Cancel(Selection::default()))
        .await
        .unwrap();
    stand(&stage, &["cancelled", "cancelled"]).await;
    let late = |sequence| Settlement {
        attempt: Some(attempt(1, 200)),
        ..settlement(lease, sequence, Verdict::Delivered)
    };
    assert_eq!(stage.settle(late(1)).await, Settled::Cancelled);
    // Called off and brought back while it was under way: what it came to counts.
    stage.direct(retry(2, false)).await.unwrap();
    assert_eq!(stage.settle(late(2)).await, Settled::Applied { due: None });
    assert_eq!(stage.states(1..=2).await, ["cancelled", "delivered"]);
}

async fn a_replay_makes_new_deliveries_and_leaves_the_old(stage: Stage) {
    let hook = stage.hook("ann", "https://a.example/", "*").await;
    stage.post("e1").await;
    let lease = stage.lease(hook.id).await;
    settle(&stage, lease, 1, Verdict::Delivered).await;
    stage.hook("bob", "https://b.example/", "*").await;
    stage.clock.advance(MINUTE);
    let made = stage.replay("e1").await;
    assert_eq!(made, Directed::Made { deliveries: 2 });
    assert_eq!(
        stage.states(1..=3).await,
        ["delivered", "pending", "pending"]
    );
    let (old, new) = (stage.find(1).await.view, stage.find(2).await.view);
    assert_eq!(old.event.key, new.event.key);
    assert_ne!(old.delivery.uuid, new.delivery.uuid);
    assert_eq!(new.delivery.created_at, START.after(MINUTE));
    assert_eq!(stage.due(lease).await, [2]);
    // What is made at a set-back clock is made no earlier.
    stage.clock.set(Timestamp(START.0 - 1));
    stage.replay("e1").await;
    assert_eq!(
        stage.find(4).await.view.delivery.created_at,
        START.after(MINUTE)
    );
}

async fn a_replay_at_an_older_revision_is_stale(stage: Stage) {
    let hook = stage.hook("ann", "https://a.example/", "*").await;
    stage.post("e1").await;
    let revision = stage.catalog.snapshot().revision;
    stage.hook("bob", "https://b.example/", "*").await;
    let replay = Directive::Replay {
        event: EventId::parse("e1").unwrap(),
        recipients: vec![hook.id],
        revision,
    };
    let stale = stage.direct(replay).await;
    assert!(matches!(stale, Err(DirectError::Stale)), "{stale:?}");
}

async fn a_watch_ends_when_its_delivery_is_written(stage: Stage) {
    let hook = stage.hook("ann", "https://a.example/", "*").await;
    stage.post("e1").await;
    stage.post("e2").await;
    let lease = stage.lease(hook.id).await;
    let mut watch = stage.ledger.watch(Sequence(1)).unwrap();
    settle(&stage, lease, 2, Verdict::Delivered).await;
    assert!(watch.as_mut().now_or_never().is_none());
    settle(&stage, lease, 1, Verdict::Retry { after: MINUTE }).await;
    watch.await;
    let watch = stage.ledger.watch(Sequence(1)).unwrap();
    stage.delete(hook.id).await;
    watch.await;
    assert_eq!(stage.find(1).await.state().word(), "cancelled");
}

async fn lanes_are_told(stage: Stage) {
    let hook = stage.hook("ann", "https://a.example/", "*").await;
    stage.hook("ann", "https://b.example/", "transfer.*").await;
    stage.post("e1").await;
    let heard = Arc::new(Heard::default());
    stage.ledger.feed(heard.clone());
    stage.direct(retry(1, true)).await.unwrap();
    assert_eq!(heard.words(), ["urgent 1 for 1"]);
    stage.replay("e1").await;
    assert_eq!(heard.words(), ["fresh 2 for 1"]);
    let of_hook = Selection {
        hook: Some(hook.id),
        ..Selection::default()
    };
    stage
        .direct(Directive::Cancel(of_hook.clone()))
        .await
        .unwrap();
    stand(&stage, &["cancelled", "cancelled"]).await;
    assert_eq!(told(&stage, &heard).await, ["recall 1"]);
    stage
        .direct(requeue(StateKind::Cancelled, of_hook))
        .await
        .unwrap();
    stand(&stage, &["pending", "pending"]).await;
    assert_eq!(told(&stage, &heard).await, ["look at 1"]);
}

/// What is told of a commit may be told a moment after it can be read.
async fn told(stage: &Stage, heard: &Heard) -> Vec<String> {
    let words = std::cell::RefCell::new(Vec::new());
    carried_out(stage, async |_| {
        words.borrow_mut().extend(heard.words());
        !words.borrow().is_empty()
    })
    .await;
    words.into_inner()
}

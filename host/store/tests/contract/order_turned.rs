//! A hook whose order is turned on or off while deliveries are pending.

use std::sync::Arc;
use std::time::Duration;

use whisperer_domain::catalog::{CatalogChange, Changed};
use whisperer_domain::hook::{Hook, HookStatus, Ordered};
use whisperer_domain::id::{HookId, Sequence};
use whisperer_domain::port::{
    CatalogError, DirectError, Directive, HookEffect, Lease, Settlement, StoreDown, Verdict,
};
use whisperer_domain::time::Timestamp;
use whisperer_store::RedbStore;

use crate::stage::{
    Heard, Stage, TestClock, WIDE, config, event, over_both, sequences, settlement,
};

over_both!(
    turned_on_and_off_what_is_pending_moves,
    a_lane_that_stands_otherwise_gives_nothing_and_says_so,
    too_many_are_not_moved_and_nothing_is_written,
    a_change_that_does_not_apply_is_refused_as_such,
    what_was_turned_ends_with_its_hook,
);

async fn turn(stage: &Stage, hook: HookId, ordered: Ordered) -> Result<Changed, CatalogError> {
    let hook = Hook {
        ordered,
        ..Hook::clone(&stage.catalog.snapshot().hooks[&hook])
    };
    let change = CatalogChange::ReplaceHook(Box::new(hook));
    stage.catalog.change(change).await
}

async fn three_in_reverse(stage: &Stage) -> Lease {
    let hook = stage.hook("ann", "https://a.example/", "*").await;
    for id in ["e1", "e2", "e3"] {
        stage.post(id).await;
    }
    let lease = stage.lease(hook.id).await;
    for (sequence, secs) in [(1, 30), (2, 20), (3, 10)] {
        let after = Duration::from_secs(secs);
        let verdict = Verdict::Retry { after };
        stage.settle(settlement(lease, sequence, verdict)).await;
    }
    lease
}

async fn turned_on_and_off_what_is_pending_moves(stage: Stage) {
    let lease = three_in_reverse(&stage).await;
    let heard = Arc::new(Heard::default());
    stage.ledger.feed(heard.clone());
    let all = async |ordered| {
        let all = stage
            .ledger
            .take(lease, Timestamp::MAX, Vec::new(), WIDE, ordered);
        sequences(&all.await.unwrap())
    };
    assert_eq!(all(Ordered::No).await, [3, 2, 1]);
    let turns: [(Ordered, &[u64], &str); 5] = [
        (Ordered::Hook, &[1, 2, 3], "recall 1"),
        (Ordered::Object, &[1, 2, 3], "look at 1"),
        (Ordered::No, &[3, 2, 1], "recall 1"),
        (Ordered::No, &[3, 2, 1], "look at 1"),
        (Ordered::Object, &[1, 2, 3], "recall 1"),
    ];
    for (ordered, expected, told) in turns {
        turn(&stage, lease.hook, ordered).await.unwrap();
        assert_eq!(all(ordered).await, expected);
        assert_eq!(heard.words()[1..], [told], "{ordered:?}");
    }
    // What is settled is found where it stands now.
    for sequence in 1..=3 {
        stage
            .settle(settlement(lease, sequence, Verdict::Delivered))
            .await;
    }
    assert!(stage.ledger.acquire(None, 9).await.unwrap().is_empty());
}

async fn a_lane_that_stands_otherwise_gives_nothing_and_says_so(stage: Stage) {
    let lease = three_in_reverse(&stage).await;
    for ordered in [Ordered::Hook, Ordered::Object] {
        let taken = stage.take_in(lease, ordered).await;
        assert!(taken.ready.is_empty() && taken.more && !taken.closed);
    }
    turn(&stage, lease.hook, Ordered::Hook).await.unwrap();
    let taken = stage.take_in(lease, Ordered::No).await;
    assert!(taken.ready.is_empty() && taken.more && taken.next_due.is_none());
}

async fn too_many_are_not_moved_and_nothing_is_written(stage: Stage) {
    let hook = stage.hook("ann", "https://a.example/", "*").await;
    let revision = stage.catalog.snapshot().revision;
    let many = vec![hook.id; 10_001];
    let event = event("many", "package.created");
    stage.ledger.accept(event, many, revision).await.unwrap();
    let heard = Arc::new(Heard::default());
    stage.ledger.feed(heard.clone());
    let refused = turn(&stage, hook.id, Ordered::Hook).await;
    assert!(
        matches!(refused, Err(CatalogError::TooManyPending { most: 10_000 })),
        "{refused:?}"
    );
    assert_eq!(stage.catalog.snapshot().revision, revision);
    assert_eq!(heard.words(), [""; 0]);
    let lease = stage.lease(hook.id).await;
    assert_eq!(stage.take(lease).await.ready.len(), WIDE.rows);
    stage.settle(settlement(lease, 7, Verdict::Delivered)).await;
    turn(&stage, hook.id, Ordered::Hook).await.unwrap();
    let taken = stage.take_in(lease, Ordered::Hook).await;
    assert_eq!(taken.ready.len(), WIDE.rows);
    assert!(taken.more);
}

async fn a_change_that_does_not_apply_is_refused_as_such(stage: Stage) {
    let lease = three_in_reverse(&stage).await;
    let stale = Hook {
        ordered: Ordered::Hook,
        revision: 9,
        ..Hook::clone(&stage.catalog.snapshot().hooks[&lease.hook])
    };
    let refused = stage
        .catalog
        .change(CatalogChange::ReplaceHook(Box::new(stale)))
        .await;
    assert!(matches!(refused, Err(CatalogError::Stale)), "{refused:?}");
    stage.clock.advance(Duration::from_secs(60));
    assert_eq!(stage.due(lease).await, [3, 2, 1]);
}

async fn what_was_turned_ends_with_its_hook(stage: Stage) {
    let lease = three_in_reverse(&stage).await;
    turn(&stage, lease.hook, Ordered::Hook).await.unwrap();
    stage.post("e4").await;
    stage.delete(lease.hook).await;
    let states = stage.states(1..=4).await;
    assert_eq!(states, ["cancelled"; 4]);
    let view = stage.ledger.lanes(vec![lease.hook], 9).await.unwrap();
    assert_eq!((view[0].pending, view[0].next_due), (0, None));
}

/// Places behind the cursor of a cancellation at work must not be forgotten by it.
#[tokio::test]
async fn a_cancellation_at_work_reaches_what_is_moved() {
    let stage = Stage::redb();
    let hook = stage.hook("ann", "https://a.example/", "*").await;
    let revision = stage.catalog.snapshot().revision;
    let many = vec![hook.id; 5000];
    let event = event("many", "package.created");
    stage.ledger.accept(event, many, revision).await.unwrap();
    let lease = stage.lease(hook.id).await;
    let gone = Settlement {
        effect: Some(HookEffect::Gone {
            reason: "410".to_owned(),
        }),
        ..settlement(lease, 1, Verdict::Delivered)
    };
    // In the next commit, while four steps are still to come.
    let (_, turned) = tokio::join!(stage.settle(gone), async {
        let disabled = loop {
            let hook = stage.catalog.snapshot().hooks[&hook.id].clone();
            if !hook.delivers() {
                break hook;
            }
            tokio::task::yield_now().await;
        };
        let turned = Hook {
            status: HookStatus::Active,
            ordered: Ordered::Hook,
            ..Hook::clone(&disabled)
        };
        stage.replace(turned).await
    });
    assert_eq!(turned.ordered, Ordered::Hook);
    assert_eq!(stage.states([2, 2500, 5000]).await, ["cancelled"; 3]);
    // It may be brought back once the cancellation is done; what that forgot would be pending too.
    let back = || Directive::Retry {
        delivery: Sequence(5000),
        force: true,
    };
    loop {
        match stage.direct(back()).await {
            Ok(_) => break,
            Err(DirectError::Down(StoreDown::Lagging)) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(
        sequences(&stage.take_in(lease, Ordered::Hook).await),
        [5000]
    );
    let view = stage.ledger.lanes(vec![hook.id], 9).await.unwrap();
    assert_eq!(view[0].pending, 1);
}

/// The place is the row's own matter: it is found after a restart too.
#[tokio::test]
async fn a_restart_keeps_the_order() {
    let folder = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let open = || {
        let store = RedbStore::open(config(folder.path()), clock.clone()).unwrap();
        Stage::over(store, clock.clone(), None)
    };
    let stage = open();
    let lease = three_in_reverse(&stage).await;
    turn(&stage, lease.hook, Ordered::Object).await.unwrap();
    drop(stage);
    let stage = open();
    clock.advance(Duration::from_secs(60));
    let taken = stage.take_in(lease, Ordered::Object).await;
    assert_eq!(sequences(&taken), [1, 2, 3]);
    let hook = stage.catalog.snapshot().hooks[&lease.hook].clone();
    assert_eq!(hook.ordered, Ordered::Object);
}

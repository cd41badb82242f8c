//! What is given up, what is never, and that nobody stumbles over what is gone.

use std::time::Duration;

use whisperer_domain::delivery::{Pin, StateKind};
use whisperer_domain::envelope::Envelope;
use whisperer_domain::event::{IdempotencyKey, NewEvent};
use whisperer_domain::hook::{Hook, Ordered};
use whisperer_domain::id::{EventId, Owner, Sequence};
use whisperer_domain::port::{
    DirectError, Directive, EventQuery, Retention, Scope, Selection, Settled, Settlement, Verdict,
};
use whisperer_store::RedbStore;

use crate::stage::{Stage, attempt, config, event, everything, hook, over_both, settlement};

const DAY: Duration = Duration::from_secs(86_400);

fn days(days: u32) -> Retention {
    Retention {
        age: Some(days * DAY),
        bytes: None,
    }
}

async fn end(stage: &Stage, sequence: u64) {
    let lease = stage
        .lease(stage.find(sequence).await.view.delivery.hook)
        .await;
    let ended = Settlement {
        attempt: Some(attempt(1, 500)),
        pin: Some(Pin::Unchanged {
            envelope: Envelope::Whisperer,
            digests: Vec::new(),
        }),
        ..settlement(lease, sequence, Verdict::Delivered)
    };
    let settled = stage.settle(ended).await;
    assert!(
        matches!(settled, Settled::Applied { due: None }),
        "{settled:?}"
    );
}

async fn an_old_event_goes_with_all_that_belongs_to_it(stage: Stage) {
    stage.hook("ann", "https://a.example/", "*").await;
    let filtered = NewEvent {
        config_filter: Some("{}".to_owned()),
        ..event("old", "package.created")
    };
    stage.accept(filtered).await.unwrap();
    stage.replay("old").await;
    end(&stage, 1).await;
    end(&stage, 2).await;
    stage.clock.advance(DAY);
    stage.post("young").await;
    end(&stage, 3).await;
    let before = stage.ledger.stock();

    assert_eq!(stage.sweep(days(2), 1000).await.events, 0, "nothing is old");
    stage.clock.advance(DAY + Duration::from_secs(1));
    let swept = stage.sweep(days(2), 1000).await;
    assert_eq!((swept.events, swept.passed), (1, 0));
    let after = stage.ledger.stock();
    assert_eq!(after.live_bytes, before.live_bytes - swept.bytes);
    assert_eq!(after.events_swept, 1);
    assert!(after.oldest_event_at > before.oldest_event_at);
    assert!(!stage.is_there("old").await && stage.is_there("young").await);
    let page = stage.ledger.page(everything()).await.unwrap();
    assert_eq!(page.items.len(), 1);
    for gone in [1, 2] {
        let found = stage.ledger.find(Sequence(gone), Scope::All).await;
        assert!(found.unwrap().is_none());
    }
    assert!(stage.deliveries_of("old").await.is_empty());
    assert_eq!(stage.sweep(days(2), 1000).await.events, 0, "again");

    // Its id is free, and what is posted under it is another event.
    let other = NewEvent {
        fingerprint: [8; 32],
        ..event("old", "package.created")
    };
    assert!(!stage.accept(other).await.unwrap().replayed);
    assert_eq!(stage.deliveries_of("old").await, [4]);
}

async fn what_is_pending_stays_and_stops_nobody(stage: Stage) {
    let held = stage.hook("ann", "https://a.example/", "package.*").await;
    for (number, id) in ["stuck", "gone", "stuck too", "gone too"]
        .iter()
        .enumerate()
    {
        stage.post(id).await;
        if number % 2 == 1 {
            end(&stage, number as u64 + 1).await;
        }
    }
    stage.clock.advance(40 * DAY);
    let swept = stage.sweep(days(30), 1).await;
    assert_eq!((swept.events, swept.passed), (2, 2));
    assert!(stage.is_there("stuck").await && stage.is_there("stuck too").await);
    let lease = stage.lease(held.id).await;
    assert_eq!(stage.due(lease).await, [1, 3]);
    end(&stage, 3).await;
    assert_eq!(stage.sweep(days(30), 1).await.events, 1);
    assert_eq!(stage.due(lease).await, [1]);
}

async fn beyond_the_bytes_the_oldest_that_may_go_do(stage: Stage) {
    stage.hook("ann", "https://a.example/", "*").await;
    for number in 1..=10 {
        let large = NewEvent {
            payload: vec![b'x'; 100_000].into(),
            ..event(&format!("e{number}"), "package.created")
        };
        stage.accept(large).await.unwrap();
        if number != 2 {
            end(&stage, number).await;
        }
    }
    let most = |bytes| Retention {
        age: None,
        bytes: Some(bytes),
    };
    assert_eq!(stage.sweep(most(2_000_000), 1000).await.events, 0);
    assert_eq!(stage.sweep(most(450_000), 1000).await.events, 6);
    let mut left = Vec::new();
    for number in 1..=10 {
        if stage.is_there(&format!("e{number}")).await {
            left.push(number);
        }
    }
    assert_eq!(left, [2, 8, 9, 10], "the second is pending");
    let swept = stage.sweep(most(0), 1000).await;
    assert_eq!((swept.events, swept.passed), (3, 1));
    assert!(
        stage.ledger.stock().live_bytes > 100_000,
        "what is pending is never given up"
    );
}

async fn who_names_what_is_gone_is_told_so(stage: Stage) {
    let gone = stage.hook("ann", "https://a.example/", "*").await;
    let keyed = |fingerprint| NewEvent {
        idempotency: Some(IdempotencyKey {
            owner: Owner::parse("ann").unwrap(),
            key: "k".to_owned(),
        }),
        fingerprint: [fingerprint; 32],
        ..event("e1", "package.created")
    };
    stage.accept(keyed(7)).await.unwrap();
    let lease = stage.lease(gone.id).await;
    end(&stage, 1).await;
    let revision = stage.catalog.snapshot().revision;
    stage.clock.advance(Duration::from_secs(1));
    let all = Retention {
        age: None,
        bytes: Some(0),
    };
    assert_eq!(stage.sweep(all, 1000).await.events, 1);

    let again = stage.accept(keyed(7)).await.unwrap();
    assert!(
        again.replayed,
        "its key lives for a day: it is not sent twice"
    );
    let replay = Directive::Replay {
        event: EventId::parse("e1").unwrap(),
        recipients: vec![gone.id],
        revision,
    };
    let answer = stage.direct(replay).await;
    assert!(matches!(answer, Err(DirectError::NotFound)), "{answer:?}");
    let retry = Directive::Retry {
        delivery: Sequence(1),
        force: true,
    };
    let answer = stage.direct(retry).await;
    assert!(matches!(answer, Err(DirectError::NotFound)), "{answer:?}");
    let late = settlement(lease, 1, Verdict::Delivered);
    assert_eq!(stage.settle(late).await, Settled::Cancelled);
    let requeue = Directive::Requeue {
        selection: Selection::default(),
        state: StateKind::Delivered,
    };
    stage.direct(requeue).await.unwrap();
    let events = EventQuery {
        event_type: None,
        object_id: None,
        created_from: None,
        created_to: None,
        before: None,
        limit: 10,
    };
    assert!(stage.ledger.events(events).await.unwrap().items.is_empty());
    assert!(stage.due(lease).await.is_empty());
}

async fn a_deleted_hook_is_remembered_as_long_as_its_history(stage: Stage) {
    let hook = stage.hook("ann", "https://a.example/", "*").await;
    let scope = || Scope::Of(Owner::parse("ann").unwrap());
    stage.post("e1").await;
    stage.clock.advance(DAY);
    stage.post("e2").await;
    stage.delete(hook.id).await;
    // Once more, for a store that cancels in steps.
    stage.post("e3").await;
    assert_eq!(stage.states([1, 2]).await, ["cancelled", "cancelled"]);
    stage.clock.advance(Duration::from_secs(1));
    assert_eq!(stage.sweep(days(1), 1000).await.events, 1);
    let found = stage.ledger.find(Sequence(2), scope()).await.unwrap();
    assert!(found.unwrap().view.hook.is_some(), "whose it was is known");
    stage.clock.advance(2 * DAY);
    assert_eq!(stage.sweep(days(1), 1000).await.events, 2);
    assert!(
        stage
            .ledger
            .page(everything())
            .await
            .unwrap()
            .items
            .is_empty()
    );
}

async fn an_ordered_lane_goes_on_when_what_was_before_is_gone(stage: Stage) {
    let lane = stage
        .create(Hook {
            ordered: Ordered::Hook,
            ..hook("ann", "https://a.example/", "*")
        })
        .await;
    for id in ["e1", "e2", "e3"] {
        stage.post(id).await;
    }
    end(&stage, 1).await;
    stage.clock.advance(2 * DAY);
    assert_eq!(stage.sweep(days(1), 1000).await.events, 1);
    let lease = stage.lease(lane.id).await;
    let taken = stage.take_in(lease, Ordered::Hook).await;
    assert_eq!(crate::stage::sequences(&taken), [2, 3]);
}

over_both!(
    an_old_event_goes_with_all_that_belongs_to_it,
    what_is_pending_stays_and_stops_nobody,
    beyond_the_bytes_the_oldest_that_may_go_do,
    who_names_what_is_gone_is_told_so,
    a_deleted_hook_is_remembered_as_long_as_its_history,
    an_ordered_lane_goes_on_when_what_was_before_is_gone,
);

/// Many deliveries of one event go in parts; one that is brought back meanwhile stops that.
#[tokio::test]
async fn an_event_of_many_deliveries_goes_in_parts_and_is_spared_while_one_is_brought_back() {
    let stage = Stage::redb();
    for number in 0..600 {
        stage
            .hook("ann", &format!("https://h{number}.example/"), "*")
            .await;
    }
    stage.post("e1").await;
    let cancel = Directive::Cancel(Selection::default());
    stage.direct(cancel).await.unwrap();
    // It is carried out in steps. A condition that never comes hangs the test.
    while stage.states([600]).await != ["cancelled"] {
        tokio::task::yield_now().await;
    }
    stage.clock.advance(2 * DAY);
    let budget = whisperer_domain::port::Budget {
        rows: 300,
        bytes: 1 << 30,
    };
    // Looking at them all takes three steps, and the fourth begins to remove.
    let mut steps = 0;
    while stage
        .ledger
        .find(Sequence(1), Scope::All)
        .await
        .unwrap()
        .is_some()
    {
        let swept = stage.ledger.sweep(days(1), budget).await.unwrap();
        assert!(swept.more && swept.events == 0, "{swept:?}");
        steps += 1;
        assert!(steps < 10);
    }
    assert!(steps > 1, "{steps}");
    let retry = Directive::Retry {
        delivery: Sequence(600),
        force: true,
    };
    stage.direct(retry).await.unwrap();
    let swept = stage.sweep(days(1), 300).await;
    assert_eq!((swept.events, swept.passed), (0, 1));
    assert!(stage.is_there("e1").await, "one of it is pending");
    let left = stage
        .ledger
        .check(9, std::sync::Arc::new(|_| true))
        .await
        .unwrap();
    assert_eq!(left.found, 0, "{:?}", left.findings);
    end(&stage, 600).await;

    // After a restart it begins anew, and finds what is left.
    let (folder, clock) = (stage.folder.unwrap(), stage.clock);
    drop((stage.ledger, stage.catalog));
    let store = RedbStore::open(config(folder.path()), clock.clone()).unwrap();
    let stage = Stage::over(store, clock, Some(folder));
    assert_eq!(stage.sweep(days(1), 300).await.events, 1);
    assert!(!stage.is_there("e1").await);
    let stock = stage.ledger.stock();
    assert_eq!((stock.live_bytes, stock.events_swept), (0, 1));
    assert_eq!(stock.oldest_event_at, None);
}

/// The writer's own steps, by its own clock.
#[tokio::test]
async fn a_store_that_is_told_to_keeps_only_what_it_may() {
    let stage = Stage::redb();
    stage.hook("ann", "https://a.example/", "*").await;
    for number in 1..=500 {
        stage.post(&format!("e{number}")).await;
        if number != 3 {
            end(&stage, number).await;
        }
    }
    let (folder, clock) = (stage.folder.unwrap(), stage.clock);
    drop((stage.ledger, stage.catalog));
    clock.advance(DAY);
    let kept = whisperer_store::StoreConfig {
        retention: Retention {
            age: Some(Duration::from_secs(3600)),
            bytes: None,
        },
        ..config(folder.path())
    };
    let store = RedbStore::open(kept, clock.clone()).unwrap();
    let stage = Stage::over(store, clock, Some(folder));
    // A condition that never comes hangs the test.
    while stage.ledger.stock().events_swept < 499 {
        tokio::task::yield_now().await;
    }
    assert!(stage.is_there("e3").await);
    assert_eq!(stage.ledger.stock().events_swept, 499);
}

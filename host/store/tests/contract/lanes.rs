//! Lanes: which there are, and what of them is due.

use std::time::Duration;

use whisperer_domain::delivery::{CancelCause, DeliveryState};
use whisperer_domain::hook::{BasicAuth, Ordered};
use whisperer_domain::id::{HookId, Sequence};
use whisperer_domain::port::{Budget, Lease, Verdict};
use whisperer_domain::secret::Secret;
use whisperer_domain::time::Timestamp;

use crate::stage::{START, Stage, WIDE, hook, over_both, sequences, settlement};

over_both!(
    take_goes_by_due_time_then_sequence,
    take_leaves_out_what_is_held_and_stays_in_its_budget,
    acquire_goes_from_lane_to_lane,
    a_deleted_hook_takes_its_pending_along_and_leaves_its_history,
);

async fn lane_of(stage: &Stage, posts: u64) -> Lease {
    let hook = stage.hook("ann", "https://a.example/", "*").await;
    for post in 1..=posts {
        stage.post(&format!("e{post}")).await;
    }
    stage.lease(hook.id).await
}

async fn take_goes_by_due_time_then_sequence(stage: Stage) {
    let lease = lane_of(&stage, 4).await;
    for (sequence, secs) in [(1, 30), (2, 10), (3, 20), (4, 10)] {
        let after = Duration::from_secs(secs);
        let verdict = Verdict::Retry { after };
        stage.settle(settlement(lease, sequence, verdict)).await;
    }
    stage.clock.advance(Duration::from_secs(20));
    let taken = stage.take(lease).await;
    assert_eq!(sequences(&taken), [2, 4, 3]);
    assert!(!taken.more);
    assert_eq!(taken.next_due, Some(START.after(Duration::from_secs(30))));
    let all = stage
        .ledger
        .take(lease, Timestamp::MAX, Vec::new(), WIDE, Ordered::No)
        .await
        .unwrap();
    assert_eq!(sequences(&all), [2, 4, 3, 1]);
    assert_eq!(all.next_due, None);
}

async fn take_leaves_out_what_is_held_and_stays_in_its_budget(stage: Stage) {
    let lease = lane_of(&stage, 5).await;
    let take = async |held: &[u64], rows, bytes| {
        let held = held.iter().copied().map(Sequence).collect();
        let budget = Budget { rows, bytes };
        let taken = stage
            .ledger
            .take(lease, START, held, budget, Ordered::No)
            .await
            .unwrap();
        (sequences(&taken), taken.more)
    };
    assert_eq!(take(&[1, 3], 10, 1 << 20).await, (vec![2, 4, 5], false));
    assert_eq!(take(&[1], 2, 1 << 20).await, (vec![2, 3], true));
    assert_eq!(take(&[], 5, 1 << 20).await, (vec![1, 2, 3, 4, 5], false));
    assert_eq!(take(&[], 10, 1).await, (vec![1], true), "one always comes");
    let row_bytes = stage.take(lease).await.ready[0].bytes();
    assert_eq!(take(&[], 10, 2 * row_bytes).await, (vec![1, 2], true));
    assert_eq!(take(&[1, 2, 3, 4, 5], 10, 1).await, (vec![], false));
}

async fn acquire_goes_from_lane_to_lane(stage: Stage) {
    let mut hooks = Vec::new();
    for name in ["a", "b", "c", "d"] {
        let target = format!("https://{name}.example/");
        hooks.push(stage.hook("ann", &target, "*").await.id);
    }
    stage.post("e1").await;
    stage.post("e2").await;
    stage.delete(hooks[1]).await;
    let acquire = async |after, want| {
        let leases = stage.ledger.acquire(after, want).await.unwrap();
        leases
            .into_iter()
            .map(|acquired| acquired.lease.hook)
            .collect::<Vec<_>>()
    };
    assert_eq!(acquire(None, 2).await, [hooks[0], hooks[2]]);
    assert_eq!(acquire(Some(hooks[2]), 2).await, [hooks[3]]);
    assert_eq!(acquire(Some(HookId(u64::MAX)), 2).await, []);
}

async fn a_deleted_hook_takes_its_pending_along_and_leaves_its_history(stage: Stage) {
    let mut secretive = hook("ann", "https://a.example/", "*");
    secretive.secret_key = Some(Secret::new("a key".to_owned()));
    secretive.additional_headers = Some(vec![("x".to_owned(), Secret::new("a value".to_owned()))]);
    secretive.auth = Some(BasicAuth {
        username: "ann".to_owned(),
        password: Secret::new("a password".to_owned()),
    });
    let id = stage.create(secretive).await.id;
    stage.post("e1").await;
    let lease = stage.lease(id).await;
    assert!(stage.find(1).await.view.hook.is_none(), "it exists");
    stage.clock.advance(Duration::from_secs(1));
    stage.delete(id).await;

    let found = stage.find(1).await;
    assert_eq!(
        *found.state(),
        DeliveryState::Cancelled(CancelCause::HookDeleted)
    );
    assert_eq!(
        found.view.delivery.modified_at,
        START.after(Duration::from_secs(1))
    );
    assert!(stage.due(lease).await.is_empty());
    assert!(stage.ledger.acquire(None, 9).await.unwrap().is_empty());

    let last = found.view.hook.unwrap();
    assert_eq!(last.target.as_str(), "https://a.example/");
    assert!(last.secret_key.is_none() && !last.secrets_unreadable);
    let value = &last.additional_headers.as_ref().unwrap()[0].1;
    let password = &last.auth.as_ref().unwrap().password;
    assert_eq!(
        (&*value.expose(), &*password.expose()),
        ("********", "********")
    );
}

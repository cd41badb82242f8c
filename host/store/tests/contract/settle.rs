//! Settling: what each verdict does, once, and to whom.

use std::time::Duration;

use bytes::Bytes;
use whisperer_domain::delivery::{CancelCause, DeadCause, DeliveryState, Pin, Waiting};
use whisperer_domain::envelope::Envelope;
use whisperer_domain::header::HeaderOp;
use whisperer_domain::hook::{Hook, HookStatus};
use whisperer_domain::id::Digest;
use whisperer_domain::plugin::PluginName;
use whisperer_domain::port::{Fence, HookEffect, Lease, Settled, Settlement, Verdict};

use crate::stage::{START, Stage, attempt, over_both, settlement};

over_both!(
    a_final_verdict_ends_the_delivery,
    a_retry_comes_back_when_it_is_due,
    a_deferral_waits_and_is_no_attempt,
    the_first_pin_holds,
    a_repeated_attempt_changes_nothing,
    of_a_cancelled_delivery_only_the_attempt_is_written,
    two_tries_at_once_are_both_kept,
    a_wrong_lease_is_fenced,
    gone_disables_the_hook_and_cancels_its_lane,
);

const RETRY: Verdict = Verdict::Retry {
    after: Duration::from_secs(5),
};

async fn one_pending(stage: &Stage) -> Lease {
    let hook = stage.hook("ann", "https://a.example/", "*").await;
    stage.post("e1").await;
    stage.lease(hook.id).await
}

async fn a_final_verdict_ends_the_delivery(stage: Stage) {
    let plugin = PluginName::parse("redact").unwrap();
    let cases = [
        (Verdict::Delivered, DeliveryState::Delivered),
        (
            Verdict::Discarded {
                plugin: plugin.clone(),
                code: "c".to_owned(),
                message: "m".to_owned(),
            },
            DeliveryState::Discarded {
                plugin,
                code: "c".to_owned(),
                message: "m".to_owned(),
            },
        ),
        (
            Verdict::Dead(DeadCause::Exhausted),
            DeliveryState::Dead(DeadCause::Exhausted),
        ),
        (
            Verdict::Cancelled(CancelCause::Gone),
            DeliveryState::Cancelled(CancelCause::Gone),
        ),
    ];
    let lease = one_pending(&stage).await;
    for (number, (verdict, state)) in cases.into_iter().enumerate() {
        let sequence = number as u64 + 1;
        let settlement = Settlement {
            attempt: Some(attempt(1, 204)),
            ..settlement(lease, sequence, verdict)
        };
        let settled = stage.settle(settlement).await;
        assert_eq!(settled, Settled::Applied { due: None });
        let found = stage.find(sequence).await;
        assert_eq!(*found.state(), state);
        assert_eq!(found.view.delivery.attempts, 1);
        assert_eq!(found.view.delivery.last_status, Some(204));
        assert!(stage.due(lease).await.is_empty());
        stage.post(&format!("after {sequence}")).await;
    }
    assert_eq!(stage.ledger.status().attempts_settled, 4);
}

async fn a_retry_comes_back_when_it_is_due(stage: Stage) {
    let lease = one_pending(&stage).await;
    let first = Settlement {
        attempt: Some(attempt(1, 500)),
        ..settlement(lease, 1, RETRY)
    };
    let due = START.after(Duration::from_secs(5));
    let settled = stage.settle(first.clone()).await;
    assert_eq!(settled, Settled::Applied { due: Some(due) });
    assert_eq!(stage.take(lease).await.next_due, Some(due));
    stage.clock.advance(Duration::from_millis(4999));
    assert!(stage.due(lease).await.is_empty());
    stage.clock.advance(Duration::from_millis(1));
    assert_eq!(stage.due(lease).await, [1]);

    let found = stage.find(1).await;
    assert_eq!(found.attempts, [first.attempt.clone().unwrap()]);
    assert_eq!(found.view.last_attempt, first.attempt);
    assert_eq!(found.view.attempted_at, [found.attempts[0].started_at]);
    assert_eq!(found.view.delivery.last_status, Some(500));
}

async fn a_deferral_waits_and_is_no_attempt(stage: Stage) {
    let lease = one_pending(&stage).await;
    let waiting_for = Waiting::SecretUnreadable;
    let after = Duration::from_secs(9);
    let verdict = Verdict::Defer {
        after,
        waiting_for: waiting_for.clone(),
    };
    stage.settle(settlement(lease, 1, verdict)).await;
    let found = stage.find(1).await;
    let state = DeliveryState::Pending {
        due: START.after(after),
        waiting_for: Some(waiting_for),
    };
    assert_eq!(*found.state(), state);
    assert_eq!((found.view.delivery.attempts, found.attempts.len()), (0, 0));
    stage.clock.advance(after);
    assert_eq!(stage.due(lease).await, [1]);
}

async fn the_first_pin_holds(stage: Stage) {
    let lease = one_pending(&stage).await;
    let digests = vec![(PluginName::parse("redact").unwrap(), Digest([3; 32]))];
    let pin = Pin::Made {
        body: Bytes::from_static(b"made once"),
        content_type: "text/plain".to_owned(),
        header_ops: vec![HeaderOp::Remove {
            name: "x".to_owned(),
        }],
        digests: digests.clone(),
    };
    let other = Pin::Unchanged {
        envelope: Envelope::Bare,
        digests,
    };
    for (number, pin) in [(1, pin.clone()), (2, other)] {
        let settlement = Settlement {
            attempt: Some(attempt(number, 500)),
            pin: Some(pin),
            ..settlement(lease, 1, RETRY)
        };
        stage.settle(settlement).await;
    }
    stage.clock.advance(Duration::from_secs(5));
    let taken = stage.take(lease).await;
    assert_eq!(taken.ready[0].pin.as_deref(), Some(&pin));
    assert_eq!(stage.find(1).await.pin.as_deref(), Some(&pin));
}

async fn a_repeated_attempt_changes_nothing(stage: Stage) {
    let lease = one_pending(&stage).await;
    let failed = Settlement {
        attempt: Some(attempt(1, 500)),
        ..settlement(lease, 1, RETRY)
    };
    let first = stage.settle(failed.clone()).await;
    stage.clock.advance(Duration::from_secs(1));
    assert_eq!(stage.settle(failed.clone()).await, first);
    let both = [failed.clone(), failed];
    assert_eq!(
        stage.ledger.settle(both.into()).await.unwrap(),
        [first.clone(), first]
    );
    let found = stage.find(1).await;
    assert_eq!((found.view.delivery.attempts, found.attempts.len()), (1, 1));
    assert_eq!(found.view.delivery.modified_at, START);
}

async fn of_a_cancelled_delivery_only_the_attempt_is_written(stage: Stage) {
    let lease = one_pending(&stage).await;
    stage.delete(lease.hook).await;
    let late = Settlement {
        attempt: Some(attempt(1, 200)),
        ..settlement(lease, 1, Verdict::Delivered)
    };
    assert_eq!(stage.settle(late).await, Settled::Cancelled);
    let found = stage.find(1).await;
    assert_eq!(
        *found.state(),
        DeliveryState::Cancelled(CancelCause::HookDeleted)
    );
    assert_eq!(found.attempts.len(), 1);
    assert_eq!(found.view.delivery.last_status, Some(200));
}

async fn two_tries_at_once_are_both_kept(stage: Stage) {
    let lease = one_pending(&stage).await;
    let tries = [500, 502].map(|status| Settlement {
        attempt: Some(attempt(1, status)),
        ..settlement(lease, 1, RETRY)
    });
    // The second time they are repetitions, though one of them got another number.
    for settlement in tries.iter().chain(&tries) {
        stage.settle(settlement.clone()).await;
    }
    let found = stage.find(1).await;
    let numbers: Vec<_> = found.attempts.iter().map(|a| a.number).collect();
    assert_eq!(numbers, [1, 2]);
    assert_eq!(found.view.delivery.last_status, Some(502));
}

async fn a_wrong_lease_is_fenced(stage: Stage) {
    let lease = one_pending(&stage).await;
    let other = stage.hook("ann", "https://b.example/", "transfer.*").await;
    let wrong = [
        Lease {
            fence: Fence(lease.fence.0 + 1),
            ..lease
        },
        Lease {
            hook: other.id,
            ..lease
        },
    ];
    for lease in wrong {
        let settlement = Settlement {
            attempt: Some(attempt(1, 200)),
            ..settlement(lease, 1, Verdict::Delivered)
        };
        assert_eq!(stage.settle(settlement).await, Settled::Fenced);
    }
    assert!(stage.find(1).await.attempts.is_empty());
    assert_eq!(stage.due(lease).await, [1]);
}

async fn gone_disables_the_hook_and_cancels_its_lane(stage: Stage) {
    let lease = one_pending(&stage).await;
    let neighbour = stage.hook("bob", "https://b.example/", "*").await;
    stage.post("e2").await;
    let before = stage.catalog.snapshot();
    let settlement = Settlement {
        attempt: Some(attempt(1, 410)),
        effect: Some(HookEffect::Gone {
            reason: "410 Gone".to_owned(),
        }),
        ..settlement(lease, 1, Verdict::Dead(DeadCause::Exhausted))
    };
    stage.settle(settlement).await;

    let hook = stage.catalog.snapshot().hooks[&lease.hook].clone();
    let disabled = HookStatus::Disabled {
        reason: "410 Gone".to_owned(),
        since: START,
    };
    assert_eq!(hook.status, disabled);
    assert_eq!(hook.revision, 2);
    let noted = &stage.catalog.audit(None, 1).await.unwrap()[0];
    assert_eq!(
        (&*noted.action, &*noted.object, noted.actor.owner.as_str()),
        ("disabled", "hooks/1", "whisperer")
    );
    assert_eq!(noted.after.as_deref(), Some(r#"{"reason":"410 Gone"}"#));
    assert!(stage.catalog.snapshot().revision > before.revision);
    assert_eq!(
        *stage.find(1).await.state(),
        DeliveryState::Dead(DeadCause::Exhausted)
    );
    assert_eq!(
        *stage.find(2).await.state(),
        DeliveryState::Cancelled(CancelCause::Gone)
    );
    assert_eq!(stage.find(3).await.state().word(), "pending");
    assert_eq!(stage.post("e3").await.deliveries, 1, "only the neighbour's");

    // Enabled again it starts anew: what was cancelled stays so.
    let active = Hook {
        status: HookStatus::Active,
        ..Hook::clone(&hook)
    };
    stage.replace(active).await;
    stage.post("e4").await;
    let lane = stage.lease(lease.hook).await;
    assert_eq!(stage.due(lane).await, [5]);
    let lane = stage.lease(neighbour.id).await;
    assert_eq!(stage.due(lane).await, [3, 4, 6]);
}

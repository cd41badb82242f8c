//! What lanes learn of their receivers: saved with what it was learned from, given back when they
//! are leased, gone when the hook is another.

use std::time::Duration;

use whisperer_domain::attempt::Attempt;
use whisperer_domain::health::{Breaker, Health};
use whisperer_domain::hook::{Hook, HookStatus};
use whisperer_domain::id::HookId;
use whisperer_domain::port::{Acquired, Fence, HookEffect, Lease, Settled, Settlement, Verdict};
use whisperer_domain::time::Timestamp;
use whisperer_store::RedbStore;

use crate::stage::{START, Stage, TestClock, attempt, config, hook, over_both, settlement};

over_both!(
    what_is_saved_comes_with_the_lease,
    a_clean_one_is_not_kept,
    a_hook_that_is_another_begins_with_a_clean_one,
    what_was_learned_of_the_hook_before_it_was_changed_is_not_its_own,
    what_changes_nothing_saves_nothing,
    lanes_are_leased_in_the_order_of_hooks,
    a_disabled_hook_keeps_what_is_pending,
    what_was_stopped_or_changed_meanwhile_is_not_disabled,
);

fn bad(strikes: u32) -> Health {
    Health {
        failing_since: Some(START),
        breaker: Breaker::Closed {
            strikes,
            last: None,
        },
        ..Health::default()
    }
}

fn learned(lease: Lease, sequence: u64, health: Health) -> Settlement {
    Settlement {
        attempt: Some(attempt(1, 500)),
        health: Some(health),
        ..settlement(lease, sequence, Verdict::Delivered)
    }
}

async fn acquired(stage: &Stage) -> Vec<Acquired> {
    stage.ledger.acquire(None, 100).await.unwrap()
}

async fn view(stage: &Stage, hook: HookId) -> Health {
    let view = stage.ledger.lanes(vec![hook], 9).await.unwrap();
    view[0].health.clone()
}

async fn one_pending(stage: &Stage) -> Lease {
    let hook = stage.hook("ann", "https://a.example/", "*").await;
    stage.post("e1").await;
    stage.lease(hook.id).await
}

async fn what_is_saved_comes_with_the_lease(stage: Stage) {
    let lease = one_pending(&stage).await;
    assert!(acquired(&stage).await[0].health.is_default());
    stage.settle(learned(lease, 1, bad(3))).await;
    let saved = Acquired {
        lease,
        health: bad(3),
    };
    assert_eq!(acquired(&stage).await, [saved], "though nothing is pending");
    assert_eq!(view(&stage, lease.hook).await, bad(3));
}

async fn a_clean_one_is_not_kept(stage: Stage) {
    let lease = one_pending(&stage).await;
    stage.post("e2").await;
    stage.settle(learned(lease, 1, bad(3))).await;
    stage.settle(learned(lease, 2, Health::default())).await;
    assert_eq!(acquired(&stage).await, []);
    assert!(view(&stage, lease.hook).await.is_default());
}

async fn a_hook_that_is_another_begins_with_a_clean_one(stage: Stage) {
    let lease = one_pending(&stage).await;
    stage.settle(learned(lease, 1, bad(3))).await;
    let hook = stage.catalog.snapshot().hooks[&lease.hook].clone();
    stage.replace(Hook::clone(&hook)).await;
    assert!(view(&stage, lease.hook).await.is_default());

    stage.post("e2").await;
    let disabled = Settlement {
        effect: Some(HookEffect::Disable {
            reason: "enough".to_owned(),
        }),
        ..learned(lease, 2, bad(9))
    };
    stage.settle(disabled).await;
    assert!(view(&stage, lease.hook).await.is_default());

    stage.settle(learned(lease, 2, bad(4))).await;
    assert_eq!(view(&stage, lease.hook).await, bad(4), "a straggler's");
    stage.delete(lease.hook).await;
    stage.settle(learned(lease, 2, bad(5))).await;
    assert!(view(&stage, lease.hook).await.is_default());
    assert_eq!(acquired(&stage).await, []);
}

async fn what_was_learned_of_the_hook_before_it_was_changed_is_not_its_own(stage: Stage) {
    let lease = one_pending(&stage).await;
    stage.clock.advance(Duration::from_secs(60));
    let hook = stage.catalog.snapshot().hooks[&lease.hook].clone();
    stage.replace(Hook::clone(&hook)).await;
    stage.settle(learned(lease, 1, bad(3))).await;
    assert!(view(&stage, lease.hook).await.is_default());
    stage.post("e2").await;
    let mut later = learned(lease, 2, bad(4));
    later.attempt = later.attempt.map(|attempt| Attempt {
        started_at: START.after(Duration::from_secs(61)),
        ..attempt
    });
    stage.settle(later).await;
    assert_eq!(view(&stage, lease.hook).await, bad(4));
}

async fn what_changes_nothing_saves_nothing(stage: Stage) {
    let lease = one_pending(&stage).await;
    let first = learned(lease, 1, bad(3));
    stage.settle(first.clone()).await;
    let again = Settlement {
        health: Some(bad(7)),
        ..first
    };
    let settled = stage.settle(again.clone()).await;
    assert_eq!(settled, Settled::Applied { due: None });
    let foreign = Settlement {
        lease: Lease {
            fence: Fence(lease.fence.0 + 1),
            ..lease
        },
        attempt: Some(attempt(2, 500)),
        ..again
    };
    assert_eq!(stage.settle(foreign).await, Settled::Fenced);
    assert_eq!(view(&stage, lease.hook).await, bad(3));
}

async fn lanes_are_leased_in_the_order_of_hooks(stage: Stage) {
    for name in ["a", "b", "c", "d", "e"] {
        let target = format!("https://{name}.example/");
        stage.hook("ann", &target, "*").await;
    }
    stage.post("e1").await;
    for hook in [1, 2, 4] {
        let lease = stage.lease(HookId(hook)).await;
        // 2 and 4 have nothing pending then, 1 and 5 have both or pending alone.
        let verdict = if hook == 1 {
            Verdict::Retry {
                after: Duration::ZERO,
            }
        } else {
            Verdict::Delivered
        };
        let health = Some(bad(2));
        stage
            .settle(Settlement {
                health,
                ..settlement(lease, hook, verdict)
            })
            .await;
    }
    let lease = stage.lease(HookId(3)).await;
    stage.settle(settlement(lease, 3, Verdict::Delivered)).await;
    for want in 1..6 {
        let mut found = Vec::new();
        loop {
            let after = found.last().map(|(hook, _)| HookId(*hook));
            let some = stage.ledger.acquire(after, want).await.unwrap();
            assert!(some.len() <= want);
            if some.is_empty() {
                break;
            }
            let some = some.into_iter();
            found.extend(some.map(|it| (it.lease.hook.0, it.health == bad(2))));
        }
        let expected = [(1, true), (2, true), (4, true), (5, false)];
        assert_eq!(found, expected, "{want} at a time");
    }
}

async fn a_disabled_hook_keeps_what_is_pending(stage: Stage) {
    let lease = one_pending(&stage).await;
    stage.post("e2").await;
    let disabled = Settlement {
        effect: Some(HookEffect::Disable {
            reason: "five days".to_owned(),
        }),
        ..settlement(lease, 1, Verdict::Delivered)
    };
    stage.settle(disabled).await;
    let hook = stage.catalog.snapshot().hooks[&lease.hook].clone();
    let status = HookStatus::Disabled {
        reason: "five days".to_owned(),
        since: START,
    };
    assert_eq!((&hook.status, hook.revision), (&status, 2));
    assert_eq!(stage.states(1..=2).await, ["delivered", "pending"]);
    assert_eq!(stage.post("e3").await.deliveries, 0);
    stage
        .replace(Hook {
            status: HookStatus::Active,
            ..Hook::clone(&hook)
        })
        .await;
    assert_eq!(stage.due(lease).await, [2]);
}

async fn what_was_stopped_or_changed_meanwhile_is_not_disabled(stage: Stage) {
    let lease = one_pending(&stage).await;
    stage.post("e2").await;
    let reason = || "410".to_owned();
    let effects = [
        HookEffect::Gone { reason: reason() },
        HookEffect::Disable { reason: reason() },
    ];
    let asked = |effect: &HookEffect, began_at: Timestamp| {
        let mut made = attempt(1, 410);
        made.started_at = began_at;
        Settlement {
            attempt: Some(made),
            effect: Some(effect.clone()),
            ..settlement(lease, 1, Verdict::Delivered)
        }
    };
    let now = || stage.catalog.snapshot().hooks[&lease.hook].clone();
    let statuses = [
        HookStatus::Inactive,
        HookStatus::Paused { since: START },
        HookStatus::Disabled {
            reason: "other".to_owned(),
            since: START,
        },
    ];
    for status in statuses {
        let hook = Hook {
            status,
            ..Hook::clone(&now())
        };
        let stopped = stage.replace(hook).await;
        for effect in &effects {
            stage.settle(asked(effect, stage.clock_now())).await;
            assert_eq!(*now(), *stopped);
        }
    }
    let earlier = stage.clock_now();
    stage.clock.advance(Duration::from_millis(1));
    let active = Hook {
        status: HookStatus::Active,
        ..Hook::clone(&now())
    };
    let changed = stage.replace(active).await;
    for effect in &effects {
        stage.settle(asked(effect, earlier)).await;
        assert_eq!(*now(), *changed, "that was another receiver");
    }
    assert_eq!(stage.states([2]).await, ["pending"]);
    let [gone, _] = &effects;
    stage.settle(asked(gone, stage.clock_now())).await;
    assert!(!now().delivers());
    assert_eq!(stage.states([2]).await, ["cancelled"]);
}

#[tokio::test]
async fn a_restart_finds_what_was_saved() {
    let folder = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let open = || {
        let store = RedbStore::open(config(folder.path()), clock.clone()).unwrap();
        Stage::over(store, clock.clone(), None)
    };
    let stage = open();
    let limited = Hook {
        rate_limit: Some(7),
        ..hook("ann", "https://a.example/", "*")
    };
    let limited = stage.create(limited).await;
    stage.post("e1").await;
    let lease = stage.lease(limited.id).await;
    stage.settle(learned(lease, 1, bad(3))).await;
    drop(stage);
    let stage = open();
    assert_eq!(acquired(&stage).await[0].health, bad(3));
    assert_eq!(*stage.catalog.snapshot().hooks[&lease.hook], *limited);
}

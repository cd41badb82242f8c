//! Random operations, alike on both stores: whatever is asked, the redb store answers what the
//! model answers, also after it was dropped and opened again.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use whisperer_domain::catalog::{CatalogChange, Changed};
use whisperer_domain::delivery::{DeadCause, Waiting};
use whisperer_domain::hook::{Hook, HookStatus};
use whisperer_domain::id::{HookId, Sequence};
use whisperer_domain::port::{
    Budget, DeliveryQuery, Fence, HookEffect, Lease, Settlement, Verdict,
};
use whisperer_store::{MemoryStore, RedbStore};

use crate::stage::{Stage, TestClock, attempt, config, event, everything, hook, settlement};

/// Numbers are taken modulo what exists, so that most operations hit something.
#[derive(Clone, Debug)]
enum Step {
    Create {
        target: u8,
        pattern: u8,
    },
    SetActive {
        hook: u64,
        active: bool,
    },
    Delete {
        hook: u64,
    },
    Post {
        id: u8,
        event_type: u8,
        fingerprint: u8,
    },
    PostStale {
        id: u8,
    },
    Settle {
        sequence: u64,
        verdict: u8,
        number: u32,
    },
    Gone {
        sequence: u64,
    },
    Take {
        hook: u64,
        rows: usize,
        held: u64,
    },
    List {
        hook: Option<u64>,
        limit: usize,
    },
    Lanes {
        pending_max: usize,
    },
    Advance {
        secs: u64,
    },
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let hook = 1..6u64;
    let sequence = 1..40u64;
    prop_oneof![
        2 => (0..3u8, 0..3u8).prop_map(|(target, pattern)| Step::Create { target, pattern }),
        1 => (hook.clone(), any::<bool>())
            .prop_map(|(hook, active)| Step::SetActive { hook, active }),
        1 => hook.clone().prop_map(|hook| Step::Delete { hook }),
        6 => (0..30u8, 0..2u8, 0..8u8).prop_map(|(id, event_type, fingerprint)| Step::Post {
            id,
            event_type,
            fingerprint: u8::from(fingerprint == 0),
        }),
        1 => (0..30u8).prop_map(|id| Step::PostStale { id }),
        6 => (sequence.clone(), 0..4u8, 1..4u32).prop_map(|(sequence, verdict, number)| {
            Step::Settle { sequence, verdict, number }
        }),
        1 => sequence.prop_map(|sequence| Step::Gone { sequence }),
        4 => (hook.clone(), 1..5usize, 0..40u64)
            .prop_map(|(hook, rows, held)| Step::Take { hook, rows, held }),
        2 => (proptest::option::of(hook), 1..9usize)
            .prop_map(|(hook, limit)| Step::List { hook, limit }),
        2 => (0..9usize).prop_map(|pending_max| Step::Lanes { pending_max }),
        2 => (0..8u64).prop_map(|secs| Step::Advance { secs }),
        1 => Just(Step::Reopen),
    ]
}

fn lease(hook: u64) -> Lease {
    Lease {
        hook: HookId(hook),
        fence: Fence(1),
    }
}

/// Does one step and tells what came of it; uuids aside, which are chance.
async fn done(stage: &Stage, step: &Step) -> String {
    match step.clone() {
        Step::Create { target, pattern } => {
            let pattern = ["*", "package.*", "package.created"][usize::from(pattern)];
            let hook = hook("ann", &format!("https://h{target}.example/"), pattern);
            changed(stage, CatalogChange::CreateHook(Box::new(hook))).await
        }
        Step::SetActive { hook, active } => {
            let Some(old) = stage.catalog.snapshot().hooks.get(&HookId(hook)).cloned() else {
                return "no such hook".to_owned();
            };
            let status = if active {
                HookStatus::Active
            } else {
                HookStatus::Inactive
            };
            let hook = Hook {
                status,
                ..Hook::clone(&old)
            };
            changed(stage, CatalogChange::ReplaceHook(Box::new(hook))).await
        }
        Step::Delete { hook } => changed(stage, CatalogChange::DeleteHook(HookId(hook))).await,
        Step::Post {
            id,
            event_type,
            fingerprint,
        } => {
            let name = ["package.created", "transfer.status.created"][usize::from(event_type)];
            let mut event = event(&format!("e{id}"), name);
            event.fingerprint = [fingerprint; 32];
            format!("{:?}", stage.accept(event).await)
        }
        Step::PostStale { id } => {
            let event = event(&format!("e{id}"), "package.created");
            let revision = whisperer_domain::catalog::Revision(0);
            format!(
                "{:?}",
                stage.ledger.accept(event, Vec::new(), revision).await
            )
        }
        Step::Settle {
            sequence,
            verdict,
            number,
        } => settled(stage, sequence, number, verdict_of(verdict), None).await,
        Step::Gone { sequence } => {
            let effect = HookEffect::Gone {
                reason: "410".to_owned(),
            };
            let verdict = Verdict::Dead(DeadCause::Exhausted);
            settled(stage, sequence, 9, verdict, Some(effect)).await
        }
        Step::Take { hook, rows, held } => {
            let budget = Budget {
                rows,
                bytes: 1 << 20,
            };
            let horizon = stage.clock_now();
            let held = vec![Sequence(held), Sequence(held + 1)];
            let taken = stage.ledger.take(lease(hook), horizon, held, budget).await;
            let taken = taken.unwrap();
            let rows: Vec<_> = taken
                .ready
                .iter()
                .map(|ready| (ready.delivery.sequence, &ready.event.id, &ready.pin))
                .collect();
            format!("{rows:?} {} {:?}", taken.more, taken.next_due)
        }
        Step::List { hook, limit } => {
            let query = DeliveryQuery {
                hook: hook.map(HookId),
                limit,
                ..everything()
            };
            let page = stage.ledger.page(query).await.unwrap();
            let rows: Vec<_> = page
                .items
                .iter()
                .map(|item| &item.delivery.sequence)
                .collect();
            format!("{rows:?}")
        }
        Step::Lanes { pending_max } => {
            let hooks = (1..6).map(HookId).collect();
            format!("{:?}", stage.ledger.lanes(hooks, pending_max).await)
        }
        Step::Advance { .. } | Step::Reopen => String::new(),
    }
}

fn verdict_of(number: u8) -> Verdict {
    match number {
        0 => Verdict::Delivered,
        1 => Verdict::Retry {
            after: Duration::from_secs(3),
        },
        2 => Verdict::Defer {
            after: Duration::from_secs(1),
            waiting_for: Waiting::SecretUnreadable,
        },
        _ => Verdict::Dead(DeadCause::Exhausted),
    }
}

async fn changed(stage: &Stage, change: CatalogChange) -> String {
    match stage.catalog.change(change).await {
        Ok(Changed::Hook(hook)) => format!("{hook:?}"),
        Ok(Changed::Done) => "done".to_owned(),
        Err(error) => error.to_string(),
    }
}

/// Attempts are the same for the same sequence and number, so that some are repetitions.
async fn settled(
    stage: &Stage,
    sequence: u64,
    number: u32,
    verdict: Verdict,
    effect: Option<HookEffect>,
) -> String {
    let found = stage
        .ledger
        .find(Sequence(sequence), whisperer_domain::port::Scope::All)
        .await
        .unwrap();
    let Some(found) = found else {
        return "no such delivery".to_owned();
    };
    let mut made = attempt(number, 500);
    let id = (u128::from(sequence) << 64) | u128::from(number);
    made.id = whisperer_domain::id::AttemptId(uuid::Uuid::from_u128(id));
    let settlement = Settlement {
        attempt: (!matches!(verdict, Verdict::Defer { .. })).then_some(made),
        effect,
        ..settlement(lease(found.view.delivery.hook.0), sequence, verdict)
    };
    format!("{:?}", stage.settle(settlement).await)
}

/// The whole of a store, uuids aside.
async fn whole(stage: &Stage) -> String {
    let mut text = String::new();
    for item in stage.ledger.page(everything()).await.unwrap().items {
        let found = stage.find(item.delivery.sequence.0).await;
        let delivery = &found.view.delivery;
        text += &format!(
            "{:?} {:?} {:?} {} {:?} {:?} {:?} {:?} {:?} {:?}\n",
            delivery.sequence,
            delivery.hook,
            delivery.state,
            delivery.attempts,
            delivery.last_status,
            delivery.modified_at,
            found.attempts,
            found.view.attempted_at,
            found.view.event,
            found.view.hook,
        );
    }
    let snapshot = stage.catalog.snapshot();
    text + &format!("{:?} {:?}", snapshot.revision, snapshot.hooks)
}

async fn compare(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let clock = TestClock::new();
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        let store = RedbStore::open(config(folder.path()), clock.clone()).unwrap();
        Stage::over(store, clock.clone(), None)
    };
    let model = Stage::over(MemoryStore::new(clock.clone()), clock.clone(), None);
    let mut redb = Some(open());
    for step in steps {
        match step {
            Step::Advance { secs } => clock.advance(Duration::from_secs(secs)),
            Step::Reopen => {
                redb = None;
                redb = redb.or_else(|| Some(open()));
            }
            _ => {}
        }
        let store = redb.as_ref().unwrap();
        let (theirs, ours) = (done(store, &step).await, done(&model, &step).await);
        prop_assert_eq!(theirs, ours, "{:?}", step);
    }
    prop_assert_eq!(whole(redb.as_ref().unwrap()).await, whole(&model).await);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_redb_store_does_what_the_model_does(steps in vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(compare(steps))?;
    }
}

//! Random operations, alike on both stores: whatever is asked, the redb store answers what the
//! model answers, also after it was dropped and opened again.

mod step;

use std::sync::Arc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use whisperer_domain::access::{Right, Rights};
use whisperer_domain::attempt::Attempt;
use whisperer_domain::catalog::{CatalogChange, Changed, Token};
use whisperer_domain::delivery::{DeadCause, StateKind, Waiting};
use whisperer_domain::event::Event;
use whisperer_domain::health::{Breaker, Health};
use whisperer_domain::hook::{Hook, HookStatus, Ordered};
use whisperer_domain::id::{AttemptId, HookId, Owner, Sequence};
use whisperer_domain::news::HookNews;
use whisperer_domain::port::{
    Budget, DeliveryQuery, Directive, Fence, HookEffect, Lease, Retention, Scope, Selection,
    Settlement, Taken, Verdict,
};
use whisperer_store::{MemoryStore, RedbStore};

use step::{Step, step};

use crate::stage::{
    Heard, START, Stage, TestClock, attempt, config, event, everything, hook, settlement,
};

fn lease(hook: u64) -> Lease {
    Lease {
        hook: HookId(hook),
        fence: Fence(1),
    }
}

/// Does one step and tells what came of it; uuids aside, which are chance.
async fn done(stage: &Stage, step: &Step) -> String {
    match step.clone() {
        Step::Create {
            target,
            pattern,
            ordered,
        } => {
            let patterns = ["*", "package.*", "package.created", "whisperer.*"];
            let pattern = patterns[usize::from(pattern)];
            let hook = Hook {
                ordered: order_of(ordered),
                ..hook("ann", &format!("https://h{target}.example/"), pattern)
            };
            changed(stage, CatalogChange::CreateHook(Box::new(hook))).await
        }
        Step::SetOrdered { hook, ordered } => {
            let Some(old) = stage.catalog.snapshot().hooks.get(&HookId(hook)).cloned() else {
                return "no such hook".to_owned();
            };
            let hook = Hook {
                ordered: order_of(ordered),
                ..Hook::clone(&old)
            };
            changed(stage, CatalogChange::ReplaceHook(Box::new(hook))).await
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
            object,
        } => {
            let name = ["package.created", "transfer.status.created"][usize::from(event_type)];
            let mut event = event(&format!("e{id}"), name);
            event.fingerprint = [fingerprint; 32];
            event.object_id = (object > 0).then(|| object.to_string());
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
            strikes,
        } => {
            let settlement = Settlement {
                attempt: Some(attempt_at(stage, sequence, number)),
                health: health_of(strikes),
                news: (strikes == 3).then_some(HookNews::Failing { since: START }),
                ..settlement(lease(0), sequence, verdict_of(verdict))
            };
            settled(stage, settlement).await
        }
        Step::Disable {
            sequence,
            is_gone,
            is_late,
        } => {
            let reason = "enough".to_owned();
            let mut made = attempt_at(stage, sequence, 9);
            if is_late {
                made.started_at = START;
            }
            let settlement = Settlement {
                attempt: Some(made),
                effect: Some(if is_gone {
                    HookEffect::Gone { reason }
                } else {
                    HookEffect::Disable { reason }
                }),
                ..settlement(lease(0), sequence, Verdict::Dead(DeadCause::Exhausted))
            };
            settled(stage, settlement).await
        }
        Step::Retry { sequence } => {
            let retry = Directive::Retry {
                delivery: Sequence(sequence),
                force: true,
            };
            format!("{:?}", stage.direct(retry).await)
        }
        Step::Select { hook, cancel } => {
            let selection = Selection {
                hook: hook.map(HookId),
                ..Selection::default()
            };
            let directive = if cancel {
                Directive::Cancel(selection)
            } else {
                let state = StateKind::Dead;
                Directive::Requeue { selection, state }
            };
            format!("{:?}", stage.direct(directive).await)
        }
        Step::Acquire { after, want } => {
            let after = after.checked_sub(1).map(HookId);
            format!("{:?}", stage.ledger.acquire(after, want).await)
        }
        Step::Take {
            hook,
            rows,
            held,
            ordered,
        } => {
            let snapshot = stage.catalog.snapshot();
            let known = snapshot.hooks.get(&HookId(hook));
            let known = known.map_or(Ordered::No, |hook| hook.ordered);
            let ordered = ordered.map_or(known, order_of);
            let budget = Budget {
                rows,
                bytes: 1 << 20,
            };
            let horizon = stage.clock_now();
            let held = vec![Sequence(held), Sequence(held + 1)];
            let taken = stage
                .ledger
                .take(lease(hook), horizon, held, budget, ordered)
                .await
                .unwrap();
            let rows: Vec<_> = taken
                .ready
                .iter()
                .map(|ready| (ready.delivery.sequence, ready.event.key, &ready.pin))
                .collect();
            let Taken {
                more,
                next_due,
                blocked,
                closed,
                ..
            } = &taken;
            format!("{rows:?} {more} {next_due:?} {blocked:?} {closed}")
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
        Step::Sweep { older_secs } => {
            let retention = Retention {
                age: Some(Duration::from_secs(older_secs)),
                bytes: None,
            };
            // In one go, as the model does it.
            let swept = stage.sweep(retention, 1000).await;
            let oldest = stage.ledger.stock().oldest_event_at;
            format!("{} {} {oldest:?}", swept.events, swept.passed)
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

fn order_of(number: u8) -> Ordered {
    [Ordered::No, Ordered::Hook, Ordered::Object][usize::from(number)]
}

fn health_of(strikes: u32) -> Option<Health> {
    let last = None;
    let breaker = Breaker::Closed { strikes, last };
    (strikes < 3).then_some(Health {
        breaker,
        ..Health::default()
    })
}

/// Attempts are the same for the same sequence and number, so that some are repetitions.
fn attempt_at(stage: &Stage, sequence: u64, number: u32) -> Attempt {
    let id = (u128::from(sequence) << 64) | u128::from(number);
    Attempt {
        id: AttemptId(uuid::Uuid::from_u128(id)),
        started_at: stage.clock_now(),
        ..attempt(number, 500)
    }
}

/// Under the lease of the hook that the delivery belongs to.
async fn settled(stage: &Stage, settlement: Settlement) -> String {
    let found = stage.ledger.find(settlement.sequence, Scope::All).await;
    let Some(found) = found.unwrap() else {
        return "no such delivery".to_owned();
    };
    let is_deferral = matches!(settlement.verdict, Verdict::Defer { .. });
    let settlement = Settlement {
        lease: lease(found.view.delivery.hook.0),
        attempt: settlement.attempt.filter(|_| !is_deferral),
        ..settlement
    };
    format!("{:?}", stage.settle(settlement).await)
}

/// An operational event names a delivery's uuid, and its own id is chance.
fn shown(event: &Event) -> String {
    if !event.event_type.is_operational() {
        return format!("{event:?}");
    }
    let mut payload: serde_json::Value = serde_json::from_slice(&event.payload).unwrap();
    payload["delivery"]["uuid"].take();
    format!("{:?} {:?} {payload}", event.key, event.event_type)
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
            shown(&found.view.event),
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
    let of_redb = Arc::new(Heard::default());
    let of_model = Arc::new(Heard::default());
    redb.as_ref().unwrap().ledger.feed(of_redb.clone());
    model.ledger.feed(of_model.clone());
    for stage in [redb.as_ref().unwrap(), &model] {
        let token = Token {
            hash: [1; 32],
            owner: Owner::parse("ann").unwrap(),
            rights: Rights::from_iter([Right::Admin]),
            created_at: START,
        };
        let admin = CatalogChange::PutToken(token);
        stage.catalog.change(admin).await.unwrap();
    }
    for step in steps {
        match step {
            Step::Advance { secs } => clock.advance(Duration::from_secs(secs)),
            Step::Reopen => {
                redb = None;
                redb = redb.or_else(|| Some(open()));
                redb.as_ref().unwrap().ledger.feed(of_redb.clone());
            }
            _ => {}
        }
        let store = redb.as_ref().unwrap();
        let (theirs, ours) = (done(store, &step).await, done(&model, &step).await);
        prop_assert_eq!(theirs, ours, "{:?}", step);
        prop_assert_eq!(of_redb.words(), of_model.words(), "told of {:?}", step);
    }
    let store = redb.as_ref().unwrap();
    prop_assert_eq!(whole(store).await, whole(&model).await);
    // Whatever was done, it is whole: each record, each reference, each sum.
    let checked = store.ledger.check(9, Arc::new(|_| true)).await.unwrap();
    prop_assert_eq!(checked.found, 0, "{:#?}", checked.findings);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_redb_store_does_what_the_model_does(steps in vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(compare(steps))?;
    }
}

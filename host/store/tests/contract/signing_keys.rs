//! A hook's keys: those that are over do not outlive a write of it, none outlive its end, and
//! none lies in the file in clear.

use std::time::Duration;

use whisperer_domain::delivery::CancelCause;
use whisperer_domain::hook::{FreshKeys, Hook};
use whisperer_domain::port::{HookEffect, Settlement, Verdict};
use whisperer_domain::secret::Secret;
use whisperer_domain::sign::{KeyPair, SignatureForm};
use whisperer_store::RedbStore;

use crate::stage::{START, Stage, attempt, config, hook, over_both, settlement};

over_both!(
    a_key_that_is_over_does_not_outlive_a_write_of_its_hook,
    the_receivers_end_of_a_hook_drops_what_is_over_too,
    a_deleted_hook_keeps_no_key,
);

const OLD: &str = "an old secret, to be looked for";
const NEW: &str = "a new secret, to be looked for";
const OVERLAP: Duration = Duration::from_secs(10);

fn fresh(secret: &str, seed: u8) -> FreshKeys {
    FreshKeys {
        secret: Secret::new(secret.to_owned()),
        pair: Some(KeyPair::from_seed(&[seed; 32])),
    }
}

/// A hook one rotation after its first keys.
fn rotated() -> Hook {
    let mut hook = hook("ann", "https://a.example/", "*");
    hook.signatures = vec![SignatureForm::Standard, SignatureForm::Ed25519];
    hook.rotate(fresh(OLD, 1), OVERLAP, START).unwrap();
    hook.rotate(fresh(NEW, 2), OVERLAP, START).unwrap();
    hook
}

fn old_keys(hook: &Hook) -> (usize, usize) {
    (
        hook.old_secret_keys.iter().len(),
        hook.old_key_pairs.iter().len(),
    )
}

async fn a_key_that_is_over_does_not_outlive_a_write_of_its_hook(stage: Stage) {
    let made = stage.create(rotated()).await;
    assert_eq!(old_keys(&made), (1, 1));
    stage.clock.advance(OVERLAP);
    let written = stage.replace(Hook::clone(&made)).await;
    assert_eq!(old_keys(&written), (1, 1), "to the end it holds");
    stage.clock.advance(Duration::from_millis(1));
    let kept = stage.catalog.snapshot().hooks[&made.id].clone();
    assert_eq!(old_keys(&kept), (1, 1), "nothing happens by itself");
    let written = stage.replace(Hook::clone(&written)).await;
    assert_eq!(old_keys(&written), (0, 0));
    assert_eq!(written.secret_key, made.secret_key);
    assert_eq!(written.key_pair, made.key_pair);
}

async fn the_receivers_end_of_a_hook_drops_what_is_over_too(stage: Stage) {
    let made = stage.create(rotated()).await;
    stage.post("e1").await;
    let lease = stage.lease(made.id).await;
    stage.clock.advance(OVERLAP + Duration::from_millis(1));
    let gone = Settlement {
        attempt: Some(attempt(1, 410)),
        effect: Some(HookEffect::Gone {
            reason: "410".to_owned(),
        }),
        ..settlement(lease, 1, Verdict::Cancelled(CancelCause::Gone))
    };
    stage.settle(gone).await;
    let ended = stage.catalog.snapshot().hooks[&made.id].clone();
    assert!(!ended.delivers());
    assert_eq!(old_keys(&ended), (0, 0));
}

async fn a_deleted_hook_keeps_no_key(stage: Stage) {
    let id = stage.create(rotated()).await.id;
    stage.post("e1").await;
    stage.delete(id).await;
    let last = stage.find(1).await.view.hook.unwrap();
    assert!(last.secret_key.is_none() && last.key_pair.is_none());
    assert_eq!(old_keys(&last), (0, 0));
}

#[tokio::test]
async fn keys_lie_sealed_in_the_file_and_are_there_after_a_restart() {
    let stage = Stage::redb();
    let made = stage.create(rotated()).await;
    let Stage {
        ledger,
        catalog,
        clock,
        folder,
    } = stage;
    drop((ledger, catalog));
    let folder = folder.unwrap();
    let bytes = std::fs::read(folder.path().join("whisperer.redb")).unwrap();
    let holds = |part: &[u8]| bytes.windows(part.len()).any(|it| it == part);
    assert!(holds(b"https://a.example/"), "the look itself works");
    for text in [OLD, NEW, "whsk_"] {
        assert!(!holds(text.as_bytes()), "{text}");
    }
    assert!(!holds(&[1; 32]) && !holds(&[2; 32]), "a bare seed");

    let store = RedbStore::open(config(folder.path()), clock.clone()).unwrap();
    let stage = Stage::over(store, clock, Some(folder));
    assert_eq!(*stage.catalog.snapshot().hooks[&made.id], *made);
}

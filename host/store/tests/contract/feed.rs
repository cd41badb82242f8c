//! What the feed tells, in the order of the commits.

use std::sync::Arc;

use whisperer_domain::catalog::CatalogChange;
use whisperer_domain::hook::Hook;
use whisperer_domain::port::{HookEffect, Settlement, Verdict};

use crate::stage::{Heard, Stage, event, over_both, settlement};

over_both!(the_feed_tells_everything_in_order, nothing_refused_is_told);

async fn the_feed_tells_everything_in_order(stage: Stage) {
    let heard = Arc::new(Heard::default());
    stage.ledger.feed(heard.clone());
    let first = stage.hook("ann", "https://a.example/", "*").await;
    let second = stage.hook("ann", "https://b.example/", "*").await;
    stage.post("e1").await;
    stage.post("e2").await;
    assert_eq!(
        heard.words(),
        [
            "catalog 2",
            "catalog 3",
            "fresh 1 for 1",
            "fresh 2 for 2",
            "fresh 3 for 1",
            "fresh 4 for 2"
        ]
    );
    stage.replace(Hook::clone(&first)).await;
    stage.delete(second.id).await;
    let lease = stage.lease(first.id).await;
    let gone = Settlement {
        effect: Some(HookEffect::Gone {
            reason: "410".to_owned(),
        }),
        ..settlement(lease, 1, Verdict::Delivered)
    };
    stage.settle(gone).await;
    assert_eq!(
        heard.words(),
        [
            "catalog 4",
            "look at 1",
            "catalog 5",
            "recall 2",
            "catalog 6"
        ]
    );
}

async fn nothing_refused_is_told(stage: Stage) {
    let hook = stage.hook("ann", "https://a.example/", "*").await;
    stage.post("e1").await;
    let heard = Arc::new(Heard::default());
    stage.ledger.feed(heard.clone());
    stage.post("e1").await;
    let mut other = event("e1", "package.created");
    other.fingerprint = [9; 32];
    stage.accept(other).await.unwrap_err();
    let twin = CatalogChange::CreateHook(Box::new(Hook::clone(&hook)));
    stage.catalog.change(twin).await.unwrap_err();
    assert_eq!(heard.words(), [""; 0]);
}

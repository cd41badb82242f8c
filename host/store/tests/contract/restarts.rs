//! A selection takes many steps, and a process that is killed between two of them.

use std::fs;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::oneshot;
use whisperer_domain::delivery::{CancelCause, DeliveryState};
use whisperer_domain::id::HookId;
use whisperer_domain::port::{Directive, FeedItem, FeedSink, Run, Scope, Selection};
use whisperer_store::RedbStore;

use crate::stage::{Stage, config, everything};

/// Holds the writer fast after the first step is on disk.
struct Gate {
    reached: Mutex<Option<oneshot::Sender<()>>>,
    opens: Mutex<Receiver<()>>,
}

impl FeedSink for Gate {
    fn push(&self, item: FeedItem) {
        match item {
            FeedItem::Recall(_) => {
                if let Some(reached) = self.reached.lock().unwrap().take() {
                    reached.send(()).unwrap();
                }
                // Its other end is dropped when the gate opens.
                assert!(self.opens.lock().unwrap().recv().is_err());
            }
            FeedItem::Fresh { .. }
            | FeedItem::Urgent { .. }
            | FeedItem::Look(_)
            | FeedItem::Catalog(_) => {}
        }
    }
}

async fn pending(stage: &Stage, hooks: &[HookId]) -> usize {
    let lanes = stage.ledger.lanes(hooks.to_vec(), 5000).await.unwrap();
    lanes.iter().map(|lane| lane.pending).sum()
}

#[tokio::test]
async fn a_selection_at_work_is_carried_out_after_a_kill() {
    let stage = Stage::redb();
    let mut hooks = Vec::new();
    for number in 0..50 {
        let target = format!("https://h{number}.example/");
        hooks.push(stage.hook("ann", &target, "*").await.id);
    }
    for post in 0..40 {
        stage.post(&format!("e{post}")).await;
    }
    assert_eq!(pending(&stage, &hooks).await, 2000);

    let (reached, at_the_gate) = oneshot::channel();
    let (opener, opens) = sync_channel(1);
    stage.ledger.feed(Arc::new(Gate {
        reached: Mutex::new(Some(reached)),
        opens: Mutex::new(opens),
    }));
    let cancel = Directive::Cancel(Selection::default());
    let mut directed = stage.ledger.direct(cancel, Scope::All, Run::Real(None));
    tokio::select! {
        _ = &mut directed => panic!("it is answered after the lanes are told"),
        reached = at_the_gate => reached.unwrap(),
    }
    let left = pending(&stage, &hooks).await;
    assert!((1..2000).contains(&left), "{left} of 2000: no half-way");

    // What is on disk now is what a kill would leave.
    let copy = tempfile::tempdir().unwrap();
    let folder = stage.folder.as_ref().unwrap().path();
    for name in ["whisperer.redb", "whisperer.key"] {
        fs::copy(folder.join(name), copy.path().join(name)).unwrap();
    }
    let store = RedbStore::open(config(copy.path()), stage.clock.clone()).unwrap();
    let again = Stage::over(store, stage.clock.clone(), Some(copy));
    let carried_out = async {
        while pending(&again, &hooks).await > 0 {
            tokio::task::yield_now().await;
        }
    };
    let within = tokio::time::timeout(Duration::from_secs(60), carried_out);
    within.await.expect("it goes on by itself");
    let mut query = everything();
    let by_hand = DeliveryState::Cancelled(CancelCause::ByHand);
    let mut seen = 0;
    loop {
        let page = again.ledger.page(query.clone()).await.unwrap();
        assert!(page.items.iter().all(|it| it.delivery.state == by_hand));
        seen += page.items.len();
        match page.next {
            Some(next) => query.before = Some(next),
            None => break,
        }
    }
    assert_eq!(seen, 2000);
    drop(opener);
    directed.await.unwrap();
}

//! S-11: a disk whose syncs take half a second. What waits for one rides in the next, so it costs
//! time and no throughput.

use std::thread;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use tokio::time::sleep_until;
use whisperer_domain::catalog::CatalogChange;
use whisperer_domain::event::NewEvent;
use whisperer_domain::event_type::EventPattern;
use whisperer_domain::id::{HookId, Sequence};
use whisperer_domain::port::{Catalog, Ledger, Scope};

use super::disk::Disk;
use super::stage::{Hand, config, event, hook, open};

const SYNC: Duration = Duration::from_millis(500);
const EVENTS: u32 = 800;
const PER_SECOND: u32 = 200;
/// Of the machine that tests run on, which does other things too.
const SLACK: Duration = Duration::from_millis(150);

#[tokio::test]
async fn a_slow_disk_costs_two_syncs_of_time_and_no_throughput() {
    let disk = Disk::blank();
    let store = open(&disk, &config(), Hand::new()).unwrap();
    let hook = hook("https://a.example/", EventPattern::All);
    let made = store.change(CatalogChange::CreateHook(Box::new(hook)));
    made.await.unwrap();
    let revision = store.snapshot().revision;
    // A file doubles as long as it is small, and each time takes a sync more. Here it is large
    // enough not to.
    let padded = |number: u32| NewEvent {
        payload: vec![b' '; 4000].into(),
        ..event(&format!("before {number}"))
    };
    let before = (0..3000).map(|number| store.accept(padded(number), vec![HookId(1)], revision));
    assert!(join_all(before).await.iter().all(Result::is_ok));
    disk.before_sync(|| thread::sleep(SYNC));
    let start = tokio::time::Instant::now();
    let posts: FuturesUnordered<_> = (0..EVENTS)
        .map(|number| {
            let store = store.clone();
            async move {
                sleep_until(start + Duration::from_secs(1) * number / PER_SECOND).await;
                let asked = Instant::now();
                let event = event(&format!("e{number}"));
                store
                    .accept(event, vec![HookId(1)], revision)
                    .await
                    .unwrap();
                let acknowledged = asked.elapsed();
                let asked = Instant::now();
                let found = store.find(Sequence(1), Scope::All).await;
                assert!(found.unwrap().is_some());
                (acknowledged, asked.elapsed())
            }
        })
        .collect();
    let waited: Vec<(Duration, Duration)> = posts.collect().await;
    let took = start.elapsed();
    let (mut acknowledged, mut read): (Vec<_>, Vec<_>) = waited.into_iter().unzip();
    acknowledged.sort_unstable();
    read.sort_unstable();
    let at = |sorted: &[Duration], percent: usize| sorted[sorted.len() * percent / 100];
    println!(
        "{EVENTS} events in {took:?}: acknowledged after {:?} (median) and {:?} (p99), read after {:?} (p99)",
        at(&acknowledged, 50),
        at(&acknowledged, 99),
        at(&read, 99)
    );
    assert!(at(&acknowledged, 50) > SYNC / 2, "the disk was not slow");
    assert!(at(&acknowledged, 99) <= 2 * SYNC + SLACK);
    assert!(took <= Duration::from_secs(1) * EVENTS / PER_SECOND + 2 * SYNC + SLACK);
    assert!(at(&read, 99) < SYNC / 2, "reads wait for nobody's sync");
}

//! W-09, W-16 and W-18: many calls, many plugins, calls that are given up, and swaps meanwhile.
//! Nothing is lost of the pool, nobody waits for ever, and who is late is told so.

use std::collections::BTreeSet;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::{join_all, select};
use whisperer_domain::plugin::PluginFailure;
use whisperer_domain::port::Chained;
use whisperer_sandbox::PluginStatus;

use crate::alone::{Footprint, alone};
use crate::bench::{Bench, config};
use crate::scene::{self, BAD, GOOD, another, call, failure};
use crate::torture::often;
use crate::wat::wat;

/// Each is given up at another moment of its life: before it began, while it waits for its turn,
/// and while it runs.
#[tokio::test]
async fn calls_that_are_given_up_leave_nothing_behind() {
    let calls = often(3_000, 100_000);
    let _alone = alone().await;
    let bench = scene::with(&wat("exponential")).await;
    let give_up = async |polls: usize| {
        let mut call = Box::pin(call(&bench, BAD));
        let mut left = polls;
        std::future::poll_fn(|context| {
            if left == 0 {
                return Poll::Ready(());
            }
            left -= 1;
            // It never ends by itself; a machine that is away for a second ends it as busy.
            if let Poll::Ready(run) = call.as_mut().poll(context) {
                assert_eq!(failure(&run).0, PluginFailure::Busy);
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    };
    for number in 0..100 {
        give_up(number % 4).await;
    }
    let footprint = Footprint::start();
    for number in 0..calls {
        give_up(number % 4).await;
    }
    let grown = footprint.grown_mib();
    println!("{grown} MiB more after {calls} calls");
    assert!(grown < 5, "{grown} MiB after {calls} calls");
    // As many at once as there are places: none is taken for ever.
    for run in join_all((0..16).map(|_| call(&bench, GOOD))).await {
        assert!(matches!(run.result, Chained::Unchanged), "{:?}", run.result);
    }
    scene::good_call(&bench).await;
}

/// Fifty plugins, eight calls of each at once, in a pool of four places.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_gets_its_turns_one_after_the_other() {
    let _alone = alone().await;
    let folder = tempfile::tempdir().unwrap();
    for number in 0..50 {
        let file = folder.path().join(format!("p{number}.wasm"));
        std::fs::write(file, another(GOOD, number)).unwrap();
    }
    std::fs::write(folder.path().join("bad.wasm"), wat("exponential")).unwrap();
    let mut config = config(&folder);
    config.calls_max = 4;
    config.limits.calls_max = 2;
    config.turn_wait = Duration::from_secs(30);
    let bench = Bench::start(folder, config, Default::default()).await;
    let names: Vec<String> = (0..50).map(|number| format!("p{number}")).collect();
    let calls = (0..8).flat_map(|_| names.iter().map(|name| call(&bench, name)));
    for run in join_all(calls).await {
        assert!(matches!(run.result, Chained::Unchanged), "{:?}", run.result);
    }
}

/// Who gets no turn in time is `busy`, which blames nobody; all come to an end, and after it
/// everything runs as before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_too_long_in_a_crowd_is_busy() {
    let _alone = alone().await;
    let folder = tempfile::tempdir().unwrap();
    let names: Vec<String> = (0..8).map(|number| format!("p{number}")).collect();
    for (number, name) in (0_u8..).zip(&names) {
        let file = folder.path().join(format!("{name}.wasm"));
        std::fs::write(file, another("exponential", number)).unwrap();
    }
    std::fs::write(folder.path().join("good.wasm"), wat(GOOD)).unwrap();
    let mut config = config(&folder);
    config.calls_max = 2;
    config.limits.calls_max = 1;
    config.turn_wait = Duration::from_millis(20);
    let bench = Bench::start(folder, config, Default::default()).await;
    let calls = (0..4).flat_map(|_| names.iter().map(|name| call(&bench, name)));
    let mut kinds = BTreeSet::new();
    for run in join_all(calls).await {
        kinds.insert(failure(&run).0.word());
    }
    assert_eq!(kinds, BTreeSet::from(["busy", "timeout"]));
    scene::good_call(&bench).await;
}

/// A component with as many memories as it may have, as often as it may run, leaves the others
/// what they need.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_takes_all_the_places_it_may_leaves_the_others_theirs() {
    let _alone = alone().await;
    let bench = scene::with_config(&wat("two-memories"), |config| {
        config.calls_max = 8;
        config.limits.calls_max = 4;
    })
    .await;
    let greedy = join_all((0..4).map(|_| call(&bench, BAD)));
    let others = async {
        for _ in 0..100 {
            join_all((0..4).map(|_| scene::good_call(&bench))).await;
        }
    };
    let (greedy, ()) = tokio::join!(greedy, others);
    for run in greedy {
        // Busy, where the machine gave it no core for its time.
        let ended = [PluginFailure::Timeout, PluginFailure::Busy];
        assert!(ended.contains(&failure(&run).0));
    }
}

/// One call in ten swaps is still running on the code that was there before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_swap_every_100_ms_fails_no_call() {
    const SWAPS: u8 = 20;
    let _alone = alone().await;
    let bench = scene::with(&another(GOOD, 0)).await;
    let swaps = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(100));
        for number in 1..=SWAPS {
            ticks.tick().await;
            bench.drop_in("bad.wasm", &another(GOOD, number));
            let wanted = u64::from(number) + 1;
            let swapped = |all: &[PluginStatus]| all[0].generation == wanted;
            bench.until("the swap", swapped).await;
        }
    };
    let calls = async {
        let mut digests = BTreeSet::new();
        let mut count = 0_usize;
        loop {
            for run in join_all((0..4).map(|_| call(&bench, BAD))).await {
                assert!(matches!(run.result, Chained::Unchanged), "{:?}", run.result);
                assert_eq!(run.runs.len(), 1);
                digests.insert(run.runs[0].digest);
                count += 1;
            }
            if digests.len() > usize::from(SWAPS) {
                return count;
            }
        }
    };
    let calls = std::pin::pin!(calls);
    let swaps = std::pin::pin!(swaps);
    let count = match select(swaps, calls).await {
        futures_util::future::Either::Left(((), calls)) => calls.await,
        futures_util::future::Either::Right((count, _)) => count,
    };
    assert!(count >= usize::from(SWAPS), "only {count} calls");
}

//! The folder changes while the sandbox runs.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::FutureExt;
use whisperer_domain::port::{Catalog, Chained};
use whisperer_sandbox::{PluginStatus, SandboxConfig};

use crate::bench::{Bench, Shelf, chain, config, event};
use crate::guests::{guest, variant};

fn generation(all: &[PluginStatus], name: &str) -> u64 {
    let found = all.iter().find(|status| status.name.as_str() == name);
    found.map_or(0, |status| status.generation)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_dropped_in_goes_live_and_one_that_is_taken_out_goes() {
    let bench = Bench::with(&[]).await;
    bench.drop_in("stamp.wasm", &guest("stamp"));
    bench
        .until("it is live", |all| generation(all, "stamp") == 1)
        .await;
    let status = bench.status("stamp");
    assert_eq!(status.about.version, "0.1.0");
    assert_eq!(status.patterns[0].to_string(), "package.*");
    assert!(
        status
            .imports
            .iter()
            .any(|name| name == "whisperer:plugin/log@1.0.0")
    );
    let kept = bench.catalog.snapshot();
    let kept = kept.plugins.get(&status.name).unwrap();
    assert_eq!(
        (kept.digest, &kept.patterns),
        (status.digest, &status.patterns)
    );

    std::fs::remove_file(bench.folder.path().join("stamp.wasm")).unwrap();
    bench.until("it is gone", <[_]>::is_empty).await;
    assert!(bench.catalog.snapshot().plugins.is_empty());
}

/// Invariant 5: while it is swapped, again and again, no run fails and none is put off.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn swapping_under_load_fails_no_run() {
    let stamp = guest("stamp");
    let bench = Bench::with(&[("stamp.wasm", &stamp)]).await;
    let swaps = async {
        for number in 1..=8 {
            bench.drop_in("stamp.wasm", &variant(&stamp, number));
            let wanted = u64::from(number) + 1;
            bench
                .until("the swap", |all| generation(all, "stamp") == wanted)
                .await;
        }
    };
    let mut digests = std::collections::BTreeSet::new();
    let load = async {
        loop {
            let run = bench
                .run(chain(&[("stamp", "{}")]), event("package.created", "{}"))
                .await;
            assert!(matches!(run.result, Chained::Made(_)), "{:?}", run.result);
            digests.insert(run.runs[0].digest);
        }
    };
    tokio::select! {
        () = swaps => {}
        () = load => {}
    }
    assert!(digests.len() >= 8, "{} digests", digests.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_file_is_refused_with_its_reason_and_the_good_one_goes_on() {
    let stamp = guest("stamp");
    let bench = Bench::with(&[("stamp.wasm", &stamp)]).await;
    let good = bench.status("stamp").digest;
    let half = &stamp[..stamp.len() / 2];
    let foreign = hex::decode(NO_TRANSFORM).unwrap();
    let hungry = hex::decode(IMPORTS_HTTP).unwrap();
    let cases: [(&[u8], &str); 5] = [
        (b"\0asm\x01\0\0\0", "wasm32-wasip2"),
        (b"hello", "text"),
        (half, "cannot be compiled"),
        (&foreign, "whisperer:plugin/transform@1.0.0"),
        (&hungry, "wasi:http/types@0.2.0"),
    ];
    for (bytes, words) in cases {
        bench.drop_in("stamp.wasm", bytes);
        let refused = |all: &[PluginStatus]| {
            all[0]
                .refusal
                .as_ref()
                .is_some_and(|refusal| refusal.reason.contains(words))
        };
        bench.until(words, refused).await;
        assert_eq!(bench.status("stamp").digest, good);
        let run = bench
            .run(chain(&[("stamp", "{}")]), event("package.created", "{}"))
            .await;
        assert!(matches!(run.result, Chained::Made(_)), "{:?}", run.result);
    }
    bench.drop_in("stamp.wasm", &variant(&stamp, 1));
    bench
        .until("a good one", |all| {
            all[0].generation == 2 && all[0].refusal.is_none()
        })
        .await;
}

/// An empty component.
const NO_TRANSFORM: &str = "0061736d0d000100";

/// `(component (import "wasi:http/types@0.2.0" (instance)))`
const IMPORTS_HTTP: &str = concat!(
    "0061736d0d000100",
    "0703",
    "014200",
    "0a1a",
    "01",
    "00",
    "15",
    "776173693a687474702f747970657340302e322e30",
    "0500",
);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_content_is_no_new_generation_and_a_broken_copy_heals() {
    let stamp = guest("stamp");
    let bench = Bench::with(&[("a.wasm", &stamp)]).await;
    // Written in place, in two halves, as a plain `cp` does it.
    let path = bench.folder.path().join("a.wasm");
    std::fs::write(&path, &stamp[..1000]).unwrap();
    bench
        .until("the half is refused", |all| all[0].refusal.is_some())
        .await;
    std::fs::write(&path, &stamp).unwrap();
    // A pass goes by names: once b is live, a was looked at again.
    bench.drop_in("b.wasm", &variant(&stamp, 1));
    bench
        .until("b is live", |all| generation(all, "b") == 1)
        .await;
    bench
        .until("a is healed", |all| all[0].refusal.is_none())
        .await;
    std::fs::write(&path, &stamp).unwrap();
    bench.drop_in("b.wasm", &variant(&stamp, 2));
    bench
        .until("b is swapped", |all| generation(all, "b") == 2)
        .await;
    assert_eq!(generation(&bench.sandbox.plugins(), "a"), 1);
}

/// As Kubernetes swaps a mounted folder: what the link leads to changes elsewhere, which no
/// watcher sees.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_behind_a_link_is_found_by_looking() {
    let elsewhere = tempfile::tempdir().unwrap();
    let target = elsewhere.path().join("real.wasm");
    let stamp = guest("stamp");
    std::fs::write(&target, &stamp).unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(&target, folder.path().join("stamp.wasm")).unwrap();
    let mut config = config(&folder);
    config.folder_times.rescan = Duration::from_millis(100);
    let bench = Bench::start(folder, config, Arc::default()).await;
    assert_eq!(bench.status("stamp").generation, 1);
    std::fs::write(&target, variant(&stamp, 1)).unwrap();
    bench
        .until("the rescan", |all| {
            all[0].generation == 2 && all[0].refusal.is_none()
        })
        .await;
}

/// A membership must be in the store before its plugin is live: after a crash the store is what
/// tells that deliveries must wait for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_goes_live_while_the_store_cannot_write() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("stamp.wasm"), guest("stamp")).unwrap();
    let mut config = config(&folder);
    config.folder_times.rescan = Duration::from_millis(100);
    let catalog = Arc::new(Shelf::default());
    catalog.down.store(true, Ordering::SeqCst);
    let bench = Bench::begin(folder, config, Arc::clone(&catalog));
    for _ in 0..2 {
        catalog.refused.notified().await;
    }
    let reconciled = bench.sandbox.reconciled();
    assert!(reconciled.now_or_never().is_none(), "no lane may start yet");
    assert!(bench.sandbox.plugins().is_empty());
    catalog.down.store(false, Ordering::SeqCst);
    bench.reconciled().await;
    bench
        .until("it is live", |all| generation(all, "stamp") == 1)
        .await;
    assert_eq!(catalog.snapshot().plugins.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compiled_code_is_kept_outside_the_folder_only() {
    let folder = tempfile::tempdir().unwrap();
    let within = SandboxConfig {
        cache: Some(folder.path().join("cache")),
        ..SandboxConfig::new(folder.path())
    };
    let tasks = tokio_util::task::TaskTracker::new();
    let shelf = Arc::new(Shelf::default());
    let started = whisperer_sandbox::Sandbox::start(within, shelf, &tasks, Default::default());
    assert!(
        started
            .err()
            .unwrap()
            .to_string()
            .contains("lies in the plugin folder")
    );

    std::fs::remove_dir(folder.path().join("cache")).unwrap();
    std::fs::write(folder.path().join("stamp.wasm"), guest("stamp")).unwrap();
    let private = tempfile::tempdir().unwrap();
    let mut config = config(&folder);
    config.cache = Some(private.path().join("cache"));
    let bench = Bench::start(folder, config, Arc::default()).await;
    assert_eq!(bench.status("stamp").generation, 1);
    assert!(
        std::fs::read_dir(private.path().join("cache"))
            .unwrap()
            .next()
            .is_some()
    );
    assert_eq!(std::fs::read_dir(bench.folder.path()).unwrap().count(), 1);
}

//! A hostile plugin and a good one in one folder, and what the good one notices.

use std::time::Duration;

use whisperer_domain::plugin::PluginFailure;
use whisperer_domain::port::{Chained, Transformed};
use whisperer_sandbox::{PluginStatus, SandboxConfig};

use crate::bench::{Bench, chain, config, event};
use crate::guests::variant;
use crate::wat::wat;

pub(crate) const GOOD: &str = "good";
pub(crate) const BAD: &str = "bad";

/// The good one is loaded; whether the bad one is, is for the test to see.
pub(crate) async fn with(bad: &[u8]) -> Bench {
    with_config(bad, |_| {}).await
}

pub(crate) async fn with_config(bad: &[u8], set: impl FnOnce(&mut SandboxConfig)) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("bad.wasm"), bad).unwrap();
    std::fs::write(folder.path().join("good.wasm"), wat(GOOD)).unwrap();
    let mut config = config(&folder);
    set(&mut config);
    let bench = Bench::start(folder, config, Default::default()).await;
    assert!(bench.status(GOOD).refusal.is_none());
    bench
}

pub(crate) async fn call(bench: &Bench, plugin: &str) -> Transformed {
    let job = event("package.created", "{}");
    bench.run(chain(&[(plugin, "{}")]), job).await
}

/// The neighbour's call, which must always do.
pub(crate) async fn good_call(bench: &Bench) {
    let run = call(bench, GOOD).await;
    assert!(matches!(run.result, Chained::Unchanged), "{:?}", run.result);
}

/// What the bad one's failed call was called, and its words. The neighbour runs meanwhile and
/// after it.
pub(crate) async fn fails(bench: &Bench) -> (PluginFailure, String) {
    let neighbours = async {
        loop {
            good_call(bench).await;
            tokio::task::yield_now().await;
        }
    };
    let run = tokio::select! {
        run = call(bench, BAD) => run,
        () = neighbours => unreachable!("it calls for ever"),
    };
    good_call(bench).await;
    failure(&run)
}

pub(crate) fn failure(run: &Transformed) -> (PluginFailure, String) {
    match &run.result {
        Chained::Failed { kind, message, .. } => {
            assert_eq!(run.runs.last().unwrap().result, kind.word());
            (*kind, message.clone())
        }
        other => panic!("it did not fail: {other:?}"),
    }
}

/// Why the bad one is refused; the neighbour is live and well.
pub(crate) async fn refused(bad: &[u8]) -> String {
    let bench = with(bad).await;
    let reason = refusal(&bench.status(BAD));
    let run = call(&bench, BAD).await;
    assert!(
        matches!(run.result, Chained::Deferred(_)),
        "{:?}",
        run.result
    );
    assert!(run.runs.is_empty(), "nothing of it ran");
    good_call(&bench).await;
    reason
}

pub(crate) fn refusal(status: &PluginStatus) -> String {
    let refusal = status.refusal.as_ref();
    refusal.expect("it is refused").reason.clone()
}

/// The same code under another digest, so that each gets its own quarantine.
pub(crate) fn another(name: &str, number: u8) -> Vec<u8> {
    variant(&wat(name), number)
}

/// Of a time that has a bound.
pub(crate) fn within(took: Duration, most: Duration) {
    assert!(took <= most, "{took:?} is more than {most:?}");
}

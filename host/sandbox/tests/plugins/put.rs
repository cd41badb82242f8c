//! Plugins written into the folder for the API.

use std::collections::BTreeSet;
use std::path::Path;

use futures_util::future::join_all;
use whisperer_domain::plugin::PluginName;
use whisperer_sandbox::{Part, PutError};

use crate::bench::Bench;
use crate::guests::{guest, variant};

fn stamp() -> PluginName {
    PluginName::parse("stamp").unwrap()
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

fn settings(text: &str) -> Part {
    Part::Settings(Some(text.to_owned()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_touches_nothing_and_what_is_taken_is_live_at_once() {
    let component = guest("stamp");
    let bench = Bench::with(&[("stamp.wasm", &component)]).await;
    let half = component[..component.len() / 2].to_vec();
    for part in [Part::Component(half), settings("[limits]\ntime_ms = 0")] {
        let refused = bench.sandbox.put(&stamp(), part).await;
        assert!(matches!(refused, Err(PutError::Refused(_))), "{refused:?}");
        let left = names(bench.folder.path());
        assert_eq!(left, BTreeSet::from(["stamp.wasm".to_owned()]));
        let file = std::fs::read(bench.folder.path().join("stamp.wasm")).unwrap();
        assert!(file == component, "the file is another one");
        assert_eq!(bench.status("stamp").generation, 1);
    }
    let part = settings("[limits]\ntime_ms = 50");
    bench.sandbox.put(&stamp(), part).await.unwrap();
    let limits = bench.status("stamp").limits.unwrap();
    assert_eq!(limits.own_time.as_millis(), 50);
    bench.sandbox.remove(&stamp()).await.unwrap();
    assert_eq!(names(bench.folder.path()), BTreeSet::new());
    let missing = bench.sandbox.put(&stamp(), settings("")).await;
    assert!(matches!(missing, Err(PutError::Missing)), "{missing:?}");
}

/// They wrote into one file aside, and whoever came second waited for a digest that was gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_puts_of_one_name_at_once_all_go_live_one_after_the_other() {
    let component = guest("stamp");
    let bench = Bench::with(&[("stamp.wasm", &component)]).await;
    let puts = (1..=4).map(|number| {
        let part = Part::Component(variant(&component, number));
        let name = stamp();
        let sandbox = &bench.sandbox;
        async move { sandbox.put(&name, part).await }
    });
    for done in join_all(puts).await {
        done.unwrap();
    }
    assert_eq!(bench.status("stamp").generation, 5);
    let left = names(bench.folder.path());
    assert_eq!(left, BTreeSet::from(["stamp.wasm".to_owned()]));
}

/// A caller that goes away while its file is tried must not keep the others out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_put_that_is_given_up_leaves_the_way_free() {
    let component = guest("stamp");
    let bench = Bench::with(&[("stamp.wasm", &component)]).await;
    let name = stamp();
    let mut given_up = Box::pin(
        bench
            .sandbox
            .put(&name, Part::Component(variant(&component, 1))),
    );
    let first = futures_util::poll!(given_up.as_mut());
    assert!(first.is_pending());
    drop(given_up);
    let part = Part::Component(variant(&component, 2));
    bench.sandbox.put(&name, part).await.unwrap();
    assert_eq!(bench.status("stamp").digest, digest_in(bench.folder.path()));
}

fn digest_in(folder: &Path) -> Option<whisperer_domain::id::Digest> {
    use sha2::Digest as _;
    let file = std::fs::read(folder.join("stamp.wasm")).ok()?;
    Some(whisperer_domain::id::Digest(
        sha2::Sha256::digest(file).into(),
    ))
}

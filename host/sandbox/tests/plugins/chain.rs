//! Which plugins run on an event, what flows from one to the next, and what holds it back.

use std::sync::Arc;

use whisperer_domain::catalog::CatalogChange;
use whisperer_domain::delivery::Waiting;
use whisperer_domain::header::HeaderOp;
use whisperer_domain::hook::PluginChoice;
use whisperer_domain::plugin::{Membership, PluginName};
use whisperer_domain::port::{Catalog, Chained, Transformed};

use crate::bench::{Bench, Shelf, acts, chain, config, event, payload};
use crate::guests::guest;

fn results(transformed: &Transformed) -> Vec<(&str, &str)> {
    let runs = transformed.runs.iter();
    runs.map(|run| (run.plugin.as_str(), run.result.as_str()))
        .collect()
}

#[tokio::test]
async fn a_hook_without_a_chain_gets_what_matches_in_name_order() {
    let stamp = guest("stamp");
    let files: [(&str, &[u8]); 5] = [
        ("20-b.wasm", &stamp),
        ("10-a.wasm", &stamp),
        ("30-off.wasm", &stamp),
        ("30-off.toml", b"enabled = false"),
        ("hostile.wasm", &guest("hostile")),
    ];
    let bench = Bench::with(&files).await;
    let made = bench
        .run(PluginChoice::ByPattern, event("package.created", "{}"))
        .await;
    assert_eq!(results(&made), [("10-a", "modified"), ("20-b", "modified")]);
    assert_eq!(payload(&made), r#"{"stamp":"0.1.0"}"#);
    assert_eq!(made.runs[0].log, ["info: stamped evt-1"]);
    let other = bench
        .run(PluginChoice::ByPattern, event("transfer.created", "{}"))
        .await;
    assert!(matches!(other.result, Chained::Unchanged) && other.runs.is_empty());
    let none = bench.run(chain(&[]), event("package.created", "{}")).await;
    assert!(matches!(none.result, Chained::Unchanged) && none.runs.is_empty());
    let named = bench
        .run(chain(&[("30-off", "")]), event("transfer.created", "{}"))
        .await;
    assert_eq!(results(&named), [("30-off", "modified")]);
}

#[tokio::test]
async fn each_plugin_sees_what_the_one_before_made() {
    let stamp = guest("stamp");
    let bench = Bench::with(&[("hostile.wasm", &guest("hostile")), ("stamp.wasm", &stamp)]).await;
    let links = [
        ("stamp", r#"{"field": "a"}"#),
        ("stamp", r#"{"field": "b"}"#),
    ];
    let made = bench
        .run(chain(&links), event("package.created", r#"{"n": 1.50}"#))
        .await;
    let Chained::Made(made) = made.result else {
        panic!("{:?}", made.result);
    };
    assert_eq!(
        made.payload.unwrap(),
        r#"{"n":1.5,"a":"0.1.0","b":"0.1.0"}"#
    );
    let set = |value: &str| HeaderOp::Set {
        name: "X-Stamp".to_owned(),
        value: value.to_owned().into(),
    };
    assert_eq!(made.header_ops, [set("a"), set("b")]);
    assert!(!made.bare && made.content_type.is_none());

    let links = [("stamp", "{}"), ("hostile", r#"{"act": "see-headers"}"#)];
    let seen = bench
        .run(chain(&links), event("package.created", "{}"))
        .await;
    assert_eq!(payload(&seen), r#""X-Stamp=stamp""#);
}

#[tokio::test]
async fn a_discard_or_a_failure_ends_the_chain() {
    let bench = Bench::with(&[("hostile.wasm", &guest("hostile"))]).await;
    let event = || event("package.created", "{}");
    let run = bench
        .run(acts(&["unchanged", "discard", "loop"]), event())
        .await;
    assert_eq!(
        results(&run),
        [("hostile", "unchanged"), ("hostile", "discard")]
    );
    let Chained::Discarded { code, message, .. } = run.result else {
        panic!("{:?}", run.result);
    };
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("unwanted", "not for this hook")
    );
    let run = bench.run(acts(&["reject", "loop"]), event()).await;
    assert_eq!(results(&run), [("hostile", "reject")]);
}

#[tokio::test]
async fn what_is_no_json_any_more_goes_bare() {
    let bench = Bench::with(&[("hostile.wasm", &guest("hostile"))]).await;
    let Chained::Made(made) = bench.act("text").await.result else {
        panic!("nothing was made");
    };
    assert!(made.bare);
    assert_eq!(made.content_type.as_deref(), Some("text/plain"));
    let Chained::Made(made) = bench.act("state").await.result else {
        panic!("nothing was made");
    };
    assert!(!made.bare);
}

#[tokio::test]
async fn the_operators_configuration_is_the_default() {
    let hostile = guest("hostile");
    let toml = b"events = [\"package.*\"]\n[config]\nact = \"discard\"" as &[u8];
    let bench = Bench::with(&[("hostile.wasm", &hostile), ("hostile.toml", toml)]).await;
    for choice in [PluginChoice::ByPattern, chain(&[("hostile", "{}")])] {
        let run = bench.run(choice, event("package.created", "{}")).await;
        assert_eq!(results(&run), [("hostile", "discard")]);
    }
    let run = bench
        .run(acts(&["unchanged"]), event("package.created", "{}"))
        .await;
    assert_eq!(results(&run), [("hostile", "unchanged")]);
}

/// Invariant 2: a plugin that belongs there and cannot run holds its deliveries back, no plugin
/// of the chain sees the event, and what was known before a restart still counts.
#[tokio::test]
async fn a_chain_that_is_not_complete_does_not_run_at_all() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("b-broken.wasm"), "half").unwrap();
    std::fs::write(folder.path().join("a-stamp.wasm"), guest("stamp")).unwrap();
    let name = PluginName::parse("b-broken").unwrap();
    let membership = Membership {
        name: name.clone(),
        enabled: true,
        patterns: vec![whisperer_domain::event_type::EventPattern::All],
        digest: None,
        config_schema: None,
    };
    let catalog = Arc::new(Shelf::default());
    catalog
        .change(CatalogChange::PutPlugin(membership.clone()))
        .await
        .unwrap();
    let config = config(&folder);
    let bench = Bench::start(folder, config, Arc::clone(&catalog)).await;

    let run = bench
        .run(PluginChoice::ByPattern, event("package.created", "{}"))
        .await;
    assert!(run.runs.is_empty());
    assert!(matches!(&run.result, Chained::Deferred(Waiting::PluginNotReady(of)) if *of == name));
    let run = bench
        .run(
            chain(&[("a-stamp", "{}"), ("none", "{}")]),
            event("x", "{}"),
        )
        .await;
    assert!(run.runs.is_empty());
    assert!(
        matches!(&run.result, Chained::Deferred(Waiting::PluginMissing(of)) if of.as_str() == "none")
    );
    assert_eq!(
        *catalog.snapshot().plugins[&name],
        membership,
        "its patterns are kept"
    );

    std::fs::remove_file(bench.folder.path().join("b-broken.wasm")).unwrap();
    bench.until("it is gone", |all| all.len() == 1).await;
    let run = bench
        .run(PluginChoice::ByPattern, event("package.created", "{}"))
        .await;
    assert_eq!(results(&run), [("a-stamp", "modified")]);
    assert!(!catalog.snapshot().plugins.contains_key(&name));
}

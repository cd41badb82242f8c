//! Plugins under the real server: swapped while events flow, and misbehaving in every way.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use tempfile::TempDir;

use crate::support::eventually;
use crate::support::guests::{drop_in, guest, variant};
use crate::support::process::Process;
use crate::support::receiver::Receiver;
use crate::support::server::{Server, Setup};
use crate::support::torture::often;

/// A server with one hook whose chain is the guest `stamp`.
struct Stamped {
    server: Server,
    receiver: Receiver,
    hook: u64,
    component: Vec<u8>,
    plugins: PathBuf,
    /// Gone with its last binding, and the server's data with it.
    folder: TempDir,
}

async fn stamped() -> Stamped {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::in_folder(folder.path());
    let plugins = setup.plugins();
    let component = guest("stamp");
    drop_in(&plugins, "stamp.wasm", &component);
    let server = Server::start(&setup).ready().await;
    let receiver = Receiver::accepting().await;
    let hook = server
        .hook(json!({
            "target_url": receiver.url("/"), "event_type": "package.created",
            "plugins": [{"name": "stamp", "config": {}}],
        }))
        .await;
    Stamped {
        server,
        receiver,
        hook,
        component,
        plugins,
        folder,
    }
}

/// Invariant 5: a swap under load fails no delivery, and each attempt ran one generation.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn swapping_a_plugin_every_600_ms_fails_no_delivery() {
    let (swaps, burst) = (often(33, 500), often(1, 5));
    let Stamped {
        server,
        receiver,
        hook,
        component,
        plugins,
        folder: _folder,
        ..
    } = stamped().await;

    let own = Process(server.pid());
    let resident = own.resident_kib();
    let mut posted = 0;
    let start = Instant::now();
    let mut ticks = tokio::time::interval(Duration::from_millis(25));
    let mut swapped = 0;
    while swapped < swaps {
        ticks.tick().await;
        let posts = (0..burst).map(|n| server.event("package.created", json!({"n": posted + n})));
        for made in join_all(posts).await {
            assert_eq!(made, 1);
        }
        posted += burst;
        let turn = usize::try_from(start.elapsed().as_millis() / 600).unwrap();
        if turn > swapped {
            swapped = turn;
            let next = variant(&component, u8::try_from(turn % 256).unwrap());
            drop_in(&plugins, "stamp.wasm", &next);
        }
    }
    receiver.wait(posted, Duration::from_secs(20)).await;

    eventually("all settled", Duration::from_secs(20), async || {
        let (_, list) = server
            .call(Method::GET, "/hook_events/?state=pending", None)
            .await;
        (list == json!([])).then_some(())
    })
    .await;
    let deliveries = server.deliveries(hook).await;
    assert_eq!(deliveries.len(), posted);
    let mut digests = BTreeSet::new();
    for delivery in &deliveries {
        assert_eq!(delivery["state"], "delivered", "{delivery:#}");
        assert_eq!(
            delivery["attempts"].as_array().unwrap().len(),
            1,
            "{delivery:#}"
        );
        let chain = delivery["attempts"][0]["chain"].as_array().unwrap();
        assert_eq!(chain.len(), 1);
        digests.insert(chain[0]["digest"].as_str().unwrap().to_owned());
    }
    assert_eq!(receiver.count(), posted, "each event arrived once");
    println!(
        "{posted} events, {swapped} swaps, {} digests; {resident} KiB resident before, {} after",
        digests.len(),
        own.resident_kib()
    );
    assert!(
        digests.len() >= 20,
        "only {} digests in {swapped} swaps",
        digests.len()
    );
}

/// Invariant 3: each way of misbehaving harms its own delivery only, and is named.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hostile_plugin_harms_its_own_delivery_only_and_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::in_folder(folder.path());
    drop_in(&setup.plugins(), "hostile.wasm", &guest("hostile"));
    let server = Server::start(&setup).ready().await;
    let receiver = Receiver::accepting().await;
    let healthy = server
        .hook(json!({
            "target_url": receiver.url("/healthy"), "event_type": "package.created",
            "plugins": [],
        }))
        .await;
    let kinds = [
        ("loop", "timeout"),
        ("alloc", "memory"),
        ("trap", "trap"),
        ("panic", "panic"),
        ("recurse", "stack"),
        ("nest", "stack"),
        ("exit", "exit"),
        ("huge-output", "output-too-large"),
        ("bad-json", "invalid-output"),
        ("forbidden-header", "invalid-output"),
        ("crlf-header", "invalid-output"),
    ];
    let mut hooks = BTreeMap::new();
    for (act, kind) in kinds {
        let hook = server
            .hook(json!({
                "target_url": receiver.url(&format!("/{act}")), "event_type": "package.created",
                "plugins": [{"name": "hostile", "config": {"act": act}}],
                "on_plugin_error": "dead",
            }))
            .await;
        hooks.insert(hook, (act, kind));
    }
    const EVENTS: usize = 5;
    for number in 0..EVENTS {
        let made = server.event("package.created", json!({"n": number})).await;
        assert_eq!(made, 1 + kinds.len() as u64);
    }
    receiver.wait(EVENTS, Duration::from_secs(10)).await;
    for (hook, (act, kind)) in hooks {
        let deliveries = eventually(act, Duration::from_secs(30), async || {
            let deliveries = server.deliveries(hook).await;
            let done = deliveries
                .iter()
                .all(|delivery| delivery["state"] == "dead");
            (done && deliveries.len() == EVENTS).then_some(deliveries)
        })
        .await;
        for delivery in deliveries {
            let attempt = &delivery["attempts"][0];
            assert_eq!(attempt["outcome"], "plugin_failed", "{act}: {attempt:#}");
            assert!(
                attempt["error"].as_str().unwrap().contains(kind),
                "{act}: {attempt:#}"
            );
            assert_eq!(attempt["chain"][0]["result"], kind, "{act}: {attempt:#}");
        }
    }
    // Nothing of a failed chain left, and the healthy hook got everything, once.
    assert!(
        receiver
            .got()
            .iter()
            .all(|request| request.path == "/healthy")
    );
    assert_eq!(server.deliveries(healthy).await.len(), EVENTS);
    assert_eq!(receiver.count(), EVENTS);
}

/// Invariant 2: a plugin that is gone or refused holds its deliveries back, and they go when it
/// is there again, unharmed and without having used up an attempt.
#[tokio::test]
async fn a_missing_plugin_defers_and_its_return_releases() {
    let Stamped {
        server,
        receiver,
        hook,
        component,
        plugins,
        folder: _folder,
        ..
    } = stamped().await;
    std::fs::remove_file(plugins.join("stamp.wasm")).unwrap();
    eventually("the plugin is gone", Duration::from_secs(10), async || {
        let (_, list) = server.call(Method::GET, "/plugins/", None).await;
        (list == json!([])).then_some(())
    })
    .await;
    server.event("package.created", json!({"n": 1})).await;
    eventually(
        "it waits for the plugin",
        Duration::from_secs(10),
        async || {
            let delivery = server.deliveries(hook).await.pop()?;
            delivery["waiting_for"]
                .as_str()?
                .contains("stamp")
                .then_some(())
        },
    )
    .await;
    assert_eq!(receiver.count(), 0);

    drop_in(&plugins, "stamp.wasm", &component);
    receiver.wait(1, Duration::from_secs(10)).await;
    let delivery = eventually("delivered", Duration::from_secs(5), async || {
        let delivery = server.deliveries(hook).await.pop()?;
        (delivery["state"] == "delivered").then_some(delivery)
    })
    .await;
    assert_eq!(delivery["attempts"].as_array().unwrap().len(), 1);
}

/// What is no plugin is refused with its reason; what ran goes on running.
#[tokio::test]
async fn a_bad_file_is_refused_and_the_good_generation_goes_on() {
    let Stamped {
        server,
        receiver,
        component,
        plugins,
        folder: _folder,
        ..
    } = stamped().await;
    let (_, before) = server.call(Method::GET, "/plugins/stamp/", None).await;
    let core_module = b"\0asm\x01\0\0\0".to_vec();
    let half = component[..component.len() / 2].to_vec();
    let mut last_refusal = None;
    for (number, bad) in [b"not wasm at all".to_vec(), core_module, half]
        .iter()
        .enumerate()
    {
        drop_in(&plugins, "stamp.wasm", bad);
        let refusal = eventually("its own refusal", Duration::from_secs(10), async || {
            let (_, now) = server.call(Method::GET, "/plugins/stamp/", None).await;
            let refusal = now["load_error"].as_str()?.to_owned();
            (last_refusal.as_ref() != Some(&refusal)).then_some(refusal)
        })
        .await;
        last_refusal = Some(refusal);
        server.event("package.created", json!({"n": number})).await;
        receiver.wait(number + 1, Duration::from_secs(5)).await;
        let (_, now) = server.call(Method::GET, "/plugins/stamp/", None).await;
        assert_eq!(now["digest"], before["digest"]);
    }
}

/// From the moment at which a plugin's file is in place until a partner has what it made of a
/// delivery that waited for it: all of loading, and all of a delivery's way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_plugin_delivers_within_a_second_or_so() {
    const ROUNDS: u8 = 5;
    const AT_MOST: Duration = Duration::from_secs(5);
    let Stamped {
        server,
        receiver,
        component,
        plugins,
        folder: _folder,
        ..
    } = stamped().await;
    let mut took = Vec::new();
    for number in 1..=ROUNDS {
        std::fs::remove_file(plugins.join("stamp.wasm")).unwrap();
        eventually("the plugin is gone", Duration::from_secs(10), async || {
            let (_, list) = server.call(Method::GET, "/plugins/", None).await;
            (list == json!([])).then_some(())
        })
        .await;
        server.event("package.created", json!({"n": number})).await;
        let dropped = Instant::now();
        drop_in(&plugins, "stamp.wasm", &variant(&component, number));
        let got = receiver
            .wait(usize::from(number), Duration::from_secs(20))
            .await;
        took.push(got.last().unwrap().at - dropped);
    }
    took.sort_unstable();
    println!(
        "a component of {} KB, in place to its first delivery: {took:?}",
        component.len() / 1000
    );
    assert!(took[0] < AT_MOST, "{took:?}");
}

//! Every limit: broken, it has its own name, it ends that call alone, and nothing is left of it.

use std::time::Duration;

use whisperer_domain::plugin::PluginFailure;
use whisperer_domain::port::{Chained, Transformed};
use whisperer_sandbox::Limits;

use crate::bench::{Bench, acts, chain, config, event};
use crate::guests::{guest, variant};

/// What the failed run was called, and its words.
fn failure(transformed: &Transformed) -> (PluginFailure, &str) {
    match &transformed.result {
        Chained::Failed { kind, message, .. } => {
            assert_eq!(transformed.runs.last().unwrap().result, kind.word());
            (*kind, message)
        }
        other => panic!("it did not fail: {other:?}"),
    }
}

fn is_unchanged(transformed: &Transformed) -> bool {
    matches!(transformed.result, Chained::Unchanged)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_limit_has_its_own_name_and_the_next_call_is_well() {
    let bench = Bench::with(&[("hostile.wasm", &guest("hostile"))]).await;
    let cases = [
        ("loop", PluginFailure::Timeout, "100 ms"),
        ("alloc", PluginFailure::Memory, "67108864 bytes"),
        ("trap", PluginFailure::Trap, "unreachable"),
        ("panic", PluginFailure::Panic, "the guest's own fault"),
        ("exit", PluginFailure::Exit, "exit("),
        ("recurse", PluginFailure::Stack, "stack"),
        ("nest", PluginFailure::Stack, "stack"),
        (
            "huge-output",
            PluginFailure::OutputTooLarge,
            "2097152 bytes",
        ),
        (
            "huge-reason",
            PluginFailure::OutputTooLarge,
            "2097152 bytes",
        ),
        ("bad-json", PluginFailure::InvalidOutput, "JSON"),
        (
            "bad-content-type",
            PluginFailure::InvalidOutput,
            "content type",
        ),
        (
            "forbidden-header",
            PluginFailure::InvalidOutput,
            "Content-Length",
        ),
        ("crlf-header", PluginFailure::InvalidOutput, "X-A"),
        ("many-headers", PluginFailure::InvalidOutput, "32"),
        ("retry", PluginFailure::Retry, "come back later"),
        ("reject", PluginFailure::Reject, "this will never do"),
    ];
    for (act, kind, words) in cases {
        let failed = bench.act(act).await;
        let (told, message) = failure(&failed);
        assert_eq!(told, kind, "{act}: {message}");
        assert!(message.contains(words), "{act}: {message}");
        assert!(is_unchanged(&bench.act("unchanged").await), "after {act}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_within_its_time_is_let_be() {
    let bench = Bench::with(&[("hostile.wasm", &guest("hostile"))]).await;
    assert!(is_unchanged(&bench.act("busy").await));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plugin_that_loops_leaves_its_neighbours_their_turns() {
    let hostile = guest("hostile");
    let good = variant(&hostile, 1);
    let bench = Bench::with(&[("good.wasm", &good), ("hostile.wasm", &hostile)]).await;
    let loops = async {
        let all = (0..8).map(|_| bench.act("loop"));
        for looped in futures_util::future::join_all(all).await {
            assert_eq!(failure(&looped).0, PluginFailure::Timeout);
        }
    };
    let neighbours = async {
        for _ in 0..50 {
            let choice = chain(&[("good", r#"{"act": "unchanged"}"#)]);
            assert!(is_unchanged(
                &bench.run(choice, event("package.created", "{}")).await
            ));
        }
    };
    tokio::pin!(loops);
    tokio::select! {
        biased;
        () = &mut loops => panic!("the neighbour had to wait for all that looped"),
        () = neighbours => {}
    }
    loops.await;
}

#[tokio::test]
async fn who_gets_no_turn_in_time_is_busy_and_not_to_blame() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("hostile.wasm"), guest("hostile")).unwrap();
    let mut config = config(&folder);
    config.limits.calls_max = 1;
    config.turn_wait = Duration::from_millis(10);
    let bench = Bench::start(folder, config, Default::default()).await;
    let (first, second) = tokio::join!(bench.act("loop"), bench.act("loop"));
    assert_eq!(failure(&first).0, PluginFailure::Timeout);
    assert_eq!(failure(&second).0, PluginFailure::Busy);
}

/// Something else takes the one thread for 20 ms between any two ticks of the guest: by the
/// clock it is far over, of its own time it has used a tenth.
#[tokio::test]
async fn a_machine_that_is_busy_elsewhere_is_not_the_plugins_fault() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("hostile.wasm"), guest("hostile")).unwrap();
    let mut config = config(&folder);
    config.limits.own_time = Duration::from_millis(50);
    let bench = Bench::start(folder, config, Default::default()).await;
    let hog = async {
        loop {
            std::thread::sleep(Duration::from_millis(20));
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        run = bench.act("loop") => assert_eq!(failure(&run).0, PluginFailure::Busy),
        () = hog => {}
    }
}

#[tokio::test]
async fn a_talkative_plugin_is_cut_off_and_not_stopped() {
    let bench = Bench::with(&[("hostile.wasm", &guest("hostile"))]).await;
    let flood = bench.act("log-flood").await;
    assert!(is_unchanged(&flood));
    let log = &flood.runs[0].log;
    assert!(log[0].starts_with("info: line 0 xxx"), "{}", log[0]);
    assert_eq!(log[1..3], ["out 0", "err 0"]);
    assert_eq!(log.last().unwrap(), "[the rest was cut off]");
    let bytes: usize = log.iter().map(String::len).sum();
    assert!(bytes <= Limits::default().log_bytes_max + 64, "{bytes}");
}

#[tokio::test]
async fn nothing_is_granted_and_nothing_survives_a_call() {
    let bench = Bench::with(&[("hostile.wasm", &guest("hostile"))]).await;
    let event = || event("package.created", "{}");
    let got = bench.told("environment", event()).await;
    assert_eq!(got, "[false, false, false, false, false, false, false]");
    for _ in 0..3 {
        assert_eq!(bench.told("state", event()).await, "0");
    }
}

#[tokio::test]
async fn time_and_chance_are_the_events_own() {
    let bench = Bench::with(&[("hostile.wasm", &guest("hostile"))]).await;
    let event = || event("package.created", "{}");
    assert_eq!(bench.told("clock", event()).await, "1700000000123");
    assert_eq!(bench.told("sleep", event()).await, "true");
    let mut other = event();
    other.id = whisperer_domain::id::EventId::parse("evt-2").unwrap();
    let first = bench.told("random", event()).await;
    assert_eq!(bench.told("random", event()).await, first);
    assert_ne!(bench.told("random", other).await, first);
}

/// What a guest took goes back to the system: many that take all they may leave no more behind
/// than the pool has places for.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn memory_that_a_guest_took_is_given_back() {
    let bench = Bench::with(&[("hostile.wasm", &guest("hostile"))]).await;
    for _ in 0..40 {
        assert_eq!(failure(&bench.act("alloc").await).0, PluginFailure::Memory);
        // Else it would be stopped for breaking too often in a row.
        assert!(is_unchanged(&bench.act("unchanged").await));
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let resident = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    let kib: u64 = resident.trim().trim_end_matches(" kB").parse().unwrap();
    // 40 times 64 MiB would be 2,560; the other tests of this binary run beside.
    assert!(kib < 1_500 << 10, "{} MiB are resident", kib >> 10);
}

#[tokio::test]
async fn limits_are_set_per_plugin_in_its_toml() {
    let toml = b"[limits]\nmemory_mib = 4\noutput_kib = 3000000" as &[u8];
    let hostile = guest("hostile");
    let bench = Bench::with(&[("hostile.wasm", &hostile), ("hostile.toml", toml)]).await;
    let reason = bench.status("hostile").refusal.unwrap().reason;
    assert!(reason.contains("limits.output_kib"), "{reason}");
    bench.drop_in(
        "hostile.toml",
        b"[limits]\nmemory_mib = 4\noutput_kib = 4096",
    );
    bench
        .until("it is live", |all| all[0].generation == 1)
        .await;
    let alloc = bench
        .run(acts(&["alloc"]), event("package.created", "{}"))
        .await;
    assert!(
        failure(&alloc).1.contains("4194304 bytes"),
        "{:?}",
        alloc.result
    );
}

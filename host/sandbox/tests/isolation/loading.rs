//! W-10, W-11, W-15 and W-17: files that are no plugins, or no longer, or harm while they are
//! loaded. The plugin that was there goes on, the others load, and the reason is told.

use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::time::{Duration, Instant};

use whisperer_domain::port::Chained;
use whisperer_sandbox::PluginStatus;

use crate::alone::{Footprint, alone};
use crate::bench::Bench;
use crate::scene::{self, BAD, GOOD, another, call, refusal};
use crate::wat::wat;

/// Puts something in the place of a plugin that runs.
type Spoil = fn(&Path);

fn put(path: &Path, bytes: &[u8]) {
    let aside = path.with_extension("part");
    std::fs::write(&aside, bytes).unwrap();
    std::fs::rename(&aside, path).unwrap();
}

fn pipe(path: &Path) {
    std::fs::remove_file(path).unwrap();
    let made = std::process::Command::new("mkfifo").arg(path).status();
    assert!(made.unwrap().success());
}

fn make_folder(path: &Path) {
    std::fs::remove_file(path).unwrap();
    std::fs::create_dir(path).unwrap();
}

/// Half a gigabyte, none of which is on disk.
fn huge(path: &Path) {
    let aside = path.with_extension("part");
    let file = std::fs::File::create(&aside).unwrap();
    file.set_len(500 << 20).unwrap();
    std::fs::rename(&aside, path).unwrap();
}

/// A program: this one.
fn program(path: &Path) {
    put(path, &std::fs::read("/proc/self/exe").unwrap()[..1 << 20]);
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// What wasmtime itself would run without looking: its own compiled code.
fn compiled(path: &Path) {
    let engine = wasmtime::Engine::default();
    put(path, &engine.precompile_component(&wat(GOOD)).unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_takes_a_plugins_place_the_old_one_goes_on() {
    let _alone = alone().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("good.wasm");
    std::fs::write(&path, wat(GOOD)).unwrap();
    let mut config = crate::bench::config(&folder);
    // A folder cannot take a file's place in one step: for a moment nothing is there.
    config.folder_times.removal_wait = Duration::from_secs(2);
    let bench = Bench::start(folder, config, Default::default()).await;
    let digest = bench.status(GOOD).digest;
    let cases: [(&str, Spoil, &str); 10] = [
        ("nothing", |path| put(path, b""), "empty"),
        (
            "half",
            |path| {
                let whole = wat(GOOD);
                put(path, &whole[..whole.len() / 2]);
            },
            "cut off",
        ),
        (
            "a module",
            |path| put(path, b"\0asm\x01\0\0\0"),
            "core WebAssembly module",
        ),
        (
            "another world",
            |path| put(path, &wat("wrong-signature")),
            "0 parameters in place of 3",
        ),
        ("500 MB", huge, "larger than"),
        ("a pipe", pipe, "not a regular file"),
        ("a folder", make_folder, "not a regular file"),
        (
            "a device",
            |path| {
                std::fs::remove_dir(path).unwrap();
                symlink("/dev/zero", path).unwrap();
            },
            "not a regular file",
        ),
        ("a program", program, ".cwasm"),
        ("compiled code", compiled, ".cwasm"),
    ];
    for (number, (name, spoil, words)) in (0_u8..).zip(cases) {
        let footprint = Footprint::start();
        spoil(&path);
        let so = |all: &[PluginStatus]| {
            let status = all.iter().find(|status| status.name.as_str() == GOOD);
            let refusal = status.and_then(|status| status.refusal.as_ref());
            refusal.is_some_and(|refusal| refusal.reason.contains(words))
        };
        bench.until(name, so).await;
        assert_eq!(bench.status(GOOD).digest, digest, "{name}");
        scene::good_call(&bench).await;
        assert!(
            footprint.peak_mib() < 64,
            "{name}: {} MiB",
            footprint.peak_mib()
        );
        // Another plugin loads beside it.
        let beside = format!("beside-{number}");
        bench.drop_in(&format!("{beside}.wasm"), &another(GOOD, number));
        let live = |all: &[PluginStatus]| {
            let mut all = all.iter();
            all.any(|status| status.name.as_str() == beside && status.generation == 1)
        };
        bench.until("the one beside it", live).await;
    }
    put(&path, &another(GOOD, 99));
    let healed = |all: &[PluginStatus]| {
        let status = all.iter().find(|status| status.name.as_str() == GOOD);
        status.is_some_and(|status| status.refusal.is_none() && status.digest != digest)
    };
    bench.until("a good one", healed).await;
    std::fs::remove_file(&path).unwrap();
    let gone = |all: &[PluginStatus]| all.iter().all(|status| status.name.as_str() != GOOD);
    bench.until("it is gone", gone).await;
}

/// Code that was compiled elsewhere never runs, also where no good plugin stands in for it.
#[tokio::test]
async fn machine_code_never_runs() {
    let _alone = alone().await;
    for make in [program as Spoil, compiled] {
        let elsewhere = tempfile::tempdir().unwrap();
        let path = elsewhere.path().join("code");
        make(&path);
        let reason = scene::refused(&std::fs::read(&path).unwrap()).await;
        assert!(reason.contains("never run"), "{reason}");
    }
}

#[tokio::test]
async fn ten_thousand_other_files_are_in_nobodys_way() {
    let _alone = alone().await;
    let folder = tempfile::tempdir().unwrap();
    for number in 0..10_000 {
        std::fs::write(folder.path().join(format!("{number}.Wasm.wasm")), "x").unwrap();
    }
    let not_utf8 = std::ffi::OsStr::from_bytes(b"\xff.wasm");
    std::fs::write(folder.path().join(not_utf8), "x").unwrap();
    std::fs::write(folder.path().join("good.wasm"), wat(GOOD)).unwrap();
    let config = crate::bench::config(&folder);
    let start = Instant::now();
    let bench = Bench::start(folder, config, Default::default()).await;
    assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
    scene::good_call(&bench).await;
    assert_eq!(
        bench.sandbox.strays().len(),
        100,
        "the others are not named"
    );
    assert_eq!(bench.sandbox.plugins().len(), 1);
}

/// Instances are made under the limits of calls, and one is made before anything goes live.
#[tokio::test]
async fn what_breaks_while_it_starts_is_refused() {
    let _alone = alone().await;
    for (name, words) in [
        ("start-loop", "timeout"),
        ("start-alloc", "memory"),
        ("start-trap", "trap"),
        ("start-handles", "trap"),
    ] {
        let footprint = Footprint::start();
        let reason = scene::refused(&wat(name)).await;
        assert!(reason.contains("tried out, it failed"), "{name}: {reason}");
        assert!(reason.contains(words), "{name}: {reason}");
        let peak = footprint.peak_mib();
        assert!(peak < 32, "{name}: {peak} MiB");
    }
}

#[tokio::test]
async fn what_is_not_granted_is_refused_by_its_name() {
    let _alone = alone().await;
    for (name, words) in [
        ("unknown-interface", "evil:corp/backdoor@6.6.6"),
        ("unknown-function", "get-root-password"),
        ("unknown-core-module", "code"),
        ("wrong-signature", "0 parameters in place of 3"),
    ] {
        let reason = scene::refused(&wat(name)).await;
        assert!(reason.contains(words), "{name}: {reason}");
    }
}

/// A file of mode 000: root reads it all the same, everybody else is told why not.
#[tokio::test]
async fn a_file_that_may_not_be_read_is_refused_or_read() {
    let _alone = alone().await;
    let bench = scene::with(&another(GOOD, 1)).await;
    let path = bench.folder.path().join("bad.wasm");
    let closed = std::fs::Permissions::from_mode(0o000);
    let aside = path.with_extension("part");
    std::fs::write(&aside, another(GOOD, 2)).unwrap();
    std::fs::set_permissions(&aside, closed).unwrap();
    let readable = std::fs::File::open(&aside).is_ok();
    std::fs::rename(&aside, &path).unwrap();
    bench
        .until("it was looked at", |all| {
            let status = all.iter().find(|status| status.name.as_str() == BAD);
            status.is_some_and(|status| status.generation == 2 || status.refusal.is_some())
        })
        .await;
    let status = bench.status(BAD);
    if readable {
        assert_eq!(status.generation, 2);
    } else {
        assert!(refusal(&status).contains("cannot be read"));
    }
    let run = call(&bench, BAD).await;
    assert!(matches!(run.result, Chained::Unchanged), "{:?}", run.result);
}

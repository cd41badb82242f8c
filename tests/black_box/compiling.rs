//! W-12: components that pass every bound that is counted beforehand, and still keep a compiler
//! for a long time or fill its memory. They are compiled in a process of their own, which has
//! bounds; the server's does not notice.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::Method;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use whisperer_domain::catalog::{CatalogChange, CatalogSnapshot, Changed};
use whisperer_domain::plugin::PluginName;
use whisperer_domain::port::{BoxFuture, Catalog, CatalogError};
use whisperer_sandbox::{CompileBounds, Compiler, PluginStatus, Sandbox, SandboxConfig};

use crate::costly::{loops, straight};
use crate::support::eventually;
use crate::support::guests::{drop_in, guest, variant};
use crate::support::process::Process;
use crate::support::server::{ADMIN, Server, Setup};
use crate::wat::wat;

/// The compiler comes after everything else that the machine does.
const PATIENCE: Duration = Duration::from_secs(240);

/// Under every bound, and more than ten seconds of a fast processor.
fn bomb() -> Vec<u8> {
    loops(10, 1_000, 900)
}

/// As others of the same user may look into it, who would measure it.
fn with_compile_secs(folder: &TempDir, secs: u64) -> Setup {
    let settings = folder.path().join("settings.toml");
    std::fs::write(
        &settings,
        format!("plugin_compile_secs = {secs}\ncore_dumps = true"),
    )
    .unwrap();
    let mut setup = Setup::in_folder(&folder.path().join("data"));
    setup.args = vec!["--config".to_owned(), settings.to_str().unwrap().to_owned()];
    setup
}

/// The process that compiles for the server over this data.
async fn compiling(data: &Path) -> Process {
    let cache = data.join("compiled");
    eventually("a compiling process", PATIENCE, async || {
        Process::about(&cache)
    })
    .await
}

/// Long before it would have ended by itself.
async fn ended(process: Process) {
    eventually("its end", Duration::from_secs(5), async || {
        (!process.is_running()).then_some(())
    })
    .await;
}

/// How long the server took to say that it lives, again and again until `done`, in order of size.
async fn answers(server: &Server, mut done: impl AsyncFnMut(usize) -> bool) -> Vec<Duration> {
    let mut times = Vec::new();
    while !done(times.len()).await {
        let start = Instant::now();
        let url = format!("{}/livez", server.base);
        assert_eq!(server.http().get(url).send().await.unwrap().status(), 200);
        times.push(start.elapsed());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    times.sort_unstable();
    times
}

fn at(sorted: &[Duration], hundredth: usize) -> Duration {
    sorted[(sorted.len() - 1) * hundredth / 100]
}

async fn live(server: &Server, name: &str) {
    let path = format!("/plugins/{name}/");
    eventually(name, PATIENCE, async || {
        let (_, status) = server.call(Method::GET, &path, None).await;
        (status["generation"] == 1).then_some(())
    })
    .await;
}

async fn load_error(server: &Server, name: &str) -> Option<String> {
    let path = format!("/plugins/{name}/");
    let (_, status) = server.call(Method::GET, &path, None).await;
    Some(status["load_error"].as_str()?.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bomb_is_refused_and_the_server_does_not_notice() {
    let folder = tempfile::tempdir().unwrap();
    let setup = with_compile_secs(&folder, 2);
    let server = Server::start(&setup).ready().await;
    let before = answers(&server, async |count| count == 200).await;
    let own = Process(server.pid());
    own.forget_peak();
    let (resident, worked) = (own.resident_kib(), own.processor_time().unwrap());

    drop_in(&server.plugins, "bomb.wasm", &bomb());
    let compiler = compiling(&setup.data).await;
    drop_in(&server.plugins, "good.wasm", &guest("stamp"));
    eventually("it steps back", PATIENCE, async || {
        (compiler.niceness() == Some(19)).then_some(())
    })
    .await;
    assert_eq!(compiler.read("oom_score_adj").unwrap().trim(), "1000");
    assert!(!compiler.read("environ").unwrap().contains(ADMIN));
    let during = answers(&server, async |_| !compiler.is_running()).await;
    let worked = own.processor_time().unwrap() - worked;
    let peak_mib = own.peak_kib().saturating_sub(resident) >> 10;

    let words = eventually("the refusal", PATIENCE, async || {
        load_error(&server, "bomb").await
    })
    .await;
    assert!(
        words.contains("compiling it took more than 2 s of processor time"),
        "{words}"
    );
    live(&server, "good").await;
    println!(
        "livez: median {:?} alone, {:?} beside; 99th {:?} alone, {:?} beside ({} calls); the \
         server's own peak +{peak_mib} MiB, its processor time {worked:?}",
        at(&before, 50),
        at(&during, 50),
        at(&before, 99),
        at(&during, 99),
        during.len(),
    );
    assert!(peak_mib < 16, "{peak_mib} MiB");
    // Tests run beside this one, on few cores: what would show is a thread that compiles.
    assert!(at(&during, 90) < at(&before, 90) * 3 + Duration::from_millis(20));
}

/// The same by the API; nothing of it lies in the folder after it.
#[tokio::test]
async fn a_bomb_is_not_put() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&with_compile_secs(&folder, 1)).ready().await;
    let url = format!("{}/whisperer/plugins/bomb/", server.base);
    let request = server.http().put(url).body(bomb());
    let answer = request
        .header("authorization", format!("Token {ADMIN}"))
        .header("content-type", "application/wasm")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 400);
    let words = answer.text().await.unwrap();
    assert!(words.contains("more than 1 s of processor time"), "{words}");
    assert!(words.contains("plugin_compile_secs"), "{words}");
    assert_eq!(std::fs::read_dir(&server.plugins).unwrap().count(), 0);
}

/// However the server ends, its compiling process does not go on for nothing.
#[tokio::test]
async fn a_compiling_process_ends_with_its_server() {
    for signal in ["TERM", "KILL"] {
        let folder = tempfile::tempdir().unwrap();
        let setup = with_compile_secs(&folder, 600);
        let mut server = Server::start(&setup);
        drop_in(&setup.plugins(), "bomb.wasm", &bomb());
        let compiler = compiling(&setup.data).await;
        server.signal(signal);
        server.ended(Duration::from_secs(20)).await;
        ended(compiler).await;
    }
}

/// What is compiled elsewhere is found in the cache, and costs the server's process next to
/// nothing; a plugin that was compiled for an earlier process likewise.
#[tokio::test]
async fn the_server_does_not_compile_itself() {
    let folder = tempfile::tempdir().unwrap();
    let setup = with_compile_secs(&folder, 600);
    drop_in(&setup.plugins(), "heavy.wasm", &loops(2, 1_000, 900));
    let server = Server::start(&setup);
    let compiler = compiling(&setup.data).await;
    let worked = Cell::new(Duration::ZERO);
    eventually("its end", PATIENCE, async || {
        let time = compiler.processor_time().unwrap_or_default();
        worked.set(worked.get().max(time));
        (!compiler.is_running()).then_some(())
    })
    .await;
    let worked = worked.get();
    live(&server, "heavy").await;
    let anew = Process(server.pid()).processor_time().unwrap();
    drop(server);
    let server = Server::start(&setup);
    live(&server, "heavy").await;
    let cached = Process(server.pid()).processor_time().unwrap();
    println!("the compiler took {worked:?}; the server {anew:?}, and {cached:?} the next time");
    assert!(worked > Duration::from_millis(200), "too light: {worked:?}");
    assert!(anew < worked / 2, "{anew:?}");
    assert!(cached < worked / 2, "{cached:?}");
}

/// A catalog that forgets.
struct NoCatalog;

impl Catalog for NoCatalog {
    fn snapshot(&self) -> Arc<CatalogSnapshot> {
        Arc::default()
    }

    fn change(&self, _: CatalogChange) -> BoxFuture<'_, Result<Changed, CatalogError>> {
        Box::pin(async { Ok(Changed::Done) })
    }
}

fn compiler(program: &str, arguments: &[&str]) -> Compiler {
    Compiler {
        program: PathBuf::from(program),
        arguments: arguments.iter().map(Into::into).collect(),
        bounds: CompileBounds::default(),
    }
}

/// Compiles, but is given so much memory.
fn ours(memory_bytes: u64) -> Compiler {
    let mut ours = compiler(env!("CARGO_BIN_EXE_whisperer"), &["compile-plugin"]);
    ours.bounds.memory_bytes = memory_bytes;
    ours
}

fn shell(words: &str) -> Compiler {
    compiler("/bin/sh", &["-c", words])
}

/// What becomes of a component with this compiler.
async fn loaded(component: &[u8], compiler: Compiler) -> PluginStatus {
    let folder = tempfile::tempdir().unwrap();
    let plugins = folder.path().join("plugins");
    std::fs::create_dir(&plugins).unwrap();
    drop_in(&plugins, "p.wasm", component);
    let mut config = SandboxConfig::new(&plugins);
    config.cache = Some(folder.path().join("compiled"));
    config.compiler = Some(compiler);
    let stop = CancellationToken::new();
    let _stopped = stop.clone().drop_guard();
    let sandbox = Sandbox::start(
        config,
        Arc::new(NoCatalog),
        &TaskTracker::new(),
        stop.clone(),
    )
    .unwrap();
    sandbox.reconciled().await;
    sandbox.plugin(&PluginName::parse("p").unwrap()).unwrap()
}

#[tokio::test]
async fn every_end_of_a_compiler_has_its_words() {
    let (good, heavy) = (wat("good"), straight(99_000));
    let half = good[..good.len() / 2].to_vec();
    for (what, component, compiler, words) in [
        (
            "too little memory",
            &heavy,
            ours(64 << 20),
            "more than 64 MiB of memory",
        ),
        ("enough memory", &good, ours(64 << 20), ""),
        (
            "half a file",
            &half,
            ours(1 << 30),
            "cannot be compiled (cut off?)",
        ),
        (
            "a crash",
            &good,
            shell("kill -SEGV $$"),
            "the compiler crashed on it",
        ),
        (
            "an odd end",
            &good,
            shell("exit 7"),
            "the compiler crashed on it",
        ),
        (
            "killed",
            &good,
            shell("kill -KILL $$"),
            "the compiler was killed on it",
        ),
        (
            "much to say",
            &good,
            shell("yes | head -c 1000000; exit 3"),
            "y\ny\n",
        ),
        (
            "unable",
            &good,
            shell("echo no engine; exit 4"),
            "cannot work: no engine",
        ),
        // Compiled in this process: there is nothing else to do it.
        (
            "nobody to start",
            &good,
            compiler("/nowhere/whisperer", &[]),
            "",
        ),
        // Likewise, once more: that it says so does not make it so.
        ("nothing left behind", &good, shell("exit 0"), ""),
    ] {
        let status = loaded(component, compiler).await;
        let reason = status.refusal.map(|refusal| refusal.reason);
        match (reason, words) {
            (None, "") => assert_eq!(status.generation, 1, "{what}"),
            (Some(reason), words) if !words.is_empty() => {
                assert!(reason.contains(words), "{what}: {reason}");
                assert!(reason.len() < 8 << 10, "{what}: {} bytes", reason.len());
            }
            (reason, _) => panic!("{what}: {reason:?}"),
        }
    }
}

#[tokio::test]
async fn a_sandbox_that_ends_takes_its_compiling_process_along() {
    let folder = tempfile::tempdir().unwrap();
    let (plugins, cache) = (
        folder.path().join("plugins"),
        folder.path().join("compiled"),
    );
    std::fs::create_dir(&plugins).unwrap();
    drop_in(&plugins, "p.wasm", &variant(&bomb(), 1));
    let mut config = SandboxConfig::new(&plugins);
    config.cache = Some(cache.clone());
    config.compiler = Some(ours(1 << 30));
    let stop = CancellationToken::new();
    let tasks = TaskTracker::new();
    let _sandbox = Sandbox::start(config, Arc::new(NoCatalog), &tasks, stop.clone()).unwrap();
    let compiler = eventually("a compiling process", PATIENCE, async || {
        Process::about(&cache)
    })
    .await;
    stop.cancel();
    ended(compiler).await;
}

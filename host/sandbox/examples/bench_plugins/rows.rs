//! The rows of the table, each measured on its own.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use whisperer_domain::port::{Chained, Transform as _};

use crate::bench::{Bench, chain, event, job};
use crate::beside::beside_a_loop;
use crate::memory::idle_kib;

const REDACT: &str = r#"{"paths": ["customer.email", "customer.phone"]}"#;
const ROUNDS: usize = 5;
const CALLS: usize = 4_000;
const PLUGINS: usize = 20;

pub(crate) struct Files {
    pub(crate) shipped: PathBuf,
    pub(crate) unchanged: PathBuf,
    pub(crate) javascript: Option<PathBuf>,
    pub(crate) python: Option<PathBuf>,
}

pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) measured: String,
    pub(crate) at_most: &'static str,
}

impl Row {
    fn of(what: impl Into<String>, measured: impl Into<String>, at_most: &'static str) -> Self {
        Self {
            what: what.into(),
            measured: measured.into(),
            at_most,
        }
    }
}

pub(crate) fn all(files: &Files) -> Result<Vec<Row>, Box<dyn Error>> {
    let redact = files.shipped.join("redact.wasm");
    let mut rows = vec![
        Row::of(
            "unchanged, 1 KiB, fresh instance, median",
            micros(chain_time(&files.unchanged, "{}", 1 << 10, CALLS, false)?),
            "15 us",
        ),
        Row::of(
            "redact of two fields, 1 KiB, fresh instance, median",
            micros(chain_time(&redact, REDACT, 1 << 10, CALLS, true)?),
            "45 us",
        ),
        Row::of(
            "redact of two fields, 100 KiB, fresh instance, median",
            micros(chain_time(&redact, REDACT, 100 << 10, CALLS / 10, true)?),
            "1500 us",
        ),
    ];
    rows.push(match &files.javascript {
        Some(file) => Row::of(
            "JavaScript doing the same, 1 KiB, fresh instance, median",
            micros(chain_time(file, REDACT, 1 << 10, CALLS / 10, true)?),
            "800 us",
        ),
        None => Row::of("JavaScript doing the same: not built", "-", "800 us"),
    });
    let bytes = std::fs::metadata(&redact)?.len() / 1000;
    rows.push(Row::of(
        format!("a dropped Rust plugin of {bytes} KB: in place to its first answer"),
        millis(dropped(&redact)?),
        "1000 ms",
    ));
    rows.push(Row::of(
        format!("memory with {PLUGINS} Rust plugins loaded, idle, over none"),
        format!("{:.1} MiB", memory(&redact)?),
        "40 MiB",
    ));
    rows.push(Row::of(
        format!("start with {PLUGINS} cached plugins{}", others(files)),
        millis(cached_start(files, &redact)?),
        "2000 ms",
    ));
    let slowest = beside_a_loop(&redact, REDACT)?;
    rows.push(Row::of(
        format!(
            "redact's p99 beside a plugin that loops ({}), over {} alone",
            micros(slowest.beside),
            micros(slowest.alone)
        ),
        percent(slowest.beside.as_secs_f64() / slowest.alone.as_secs_f64() - 1.0),
        "+20 %",
    ));
    if let Some(file) = &files.javascript {
        rows.push(Row::of(
            "redact's median while JavaScript compiles, over its median alone",
            percent(while_compiling(&redact, file)?),
            "+20 %",
        ));
    }
    Ok(rows)
}

fn others(files: &Files) -> &'static str {
    match (&files.javascript, &files.python) {
        (Some(_), Some(_)) => ", JavaScript and Python among them",
        (Some(_), None) => ", JavaScript among them",
        (None, Some(_)) => ", Python among them",
        (None, None) => ", all of them Rust",
    }
}

/// The middle of the medians of some rounds, each less that of an empty chain beside it.
fn chain_time(
    file: &Path,
    config: &str,
    payload_bytes: usize,
    calls: usize,
    made: bool,
) -> Result<Duration, Box<dyn Error>> {
    let bench = Bench::with(&[("plugin", file)], None)?;
    let event = event(payload_bytes)?;
    let (empty, full) = (chain(&[])?, chain(&[("plugin", config)])?);
    bench.times(&full, &event, calls / 10, made)?;
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let nothing = median(&bench.times(&empty, &event, calls, false)?);
        let all = median(&bench.times(&full, &event, calls, made)?);
        rounds.push(all.saturating_sub(nothing));
    }
    rounds.sort_unstable();
    Ok(median(&rounds))
}

/// From the moment at which the file is in place until a chain through it answers.
fn dropped(file: &Path) -> Result<Duration, Box<dyn Error>> {
    let bench = Bench::with(&[], None)?;
    let (event, choice) = (event(1 << 10)?, chain(&[("dropped", REDACT)])?);
    let changed = Arc::new(Notify::new());
    let bell = Arc::clone(&changed);
    bench.sandbox.on_change(Arc::new(move || bell.notify_one()));
    let aside = bench.folder.path().join(".dropped");
    std::fs::copy(file, &aside)?;
    bench.runtime.block_on(async {
        let start = Instant::now();
        std::fs::rename(&aside, bench.folder.path().join("dropped.wasm"))?;
        loop {
            let run = bench.sandbox.run(job(&choice, &event)).await;
            match run.result {
                Chained::Made(_) => return Ok(start.elapsed()),
                Chained::Deferred(_) => changed.notified().await,
                other => return Err(format!("{other:?}").into()),
            }
        }
    })
}

fn memory(file: &Path) -> Result<f64, Box<dyn Error>> {
    let (none, some) = (tempfile::tempdir()?, tempfile::tempdir()?);
    for number in 0..PLUGINS {
        write_variant(file, &some.path().join(format!("p{number}.wasm")), number)?;
    }
    let over = idle_kib(some.path())?.saturating_sub(idle_kib(none.path())?);
    Ok(over as f64 / 1024.0)
}

/// The same code with another digest: a custom section more.
fn write_variant(file: &Path, to: &Path, number: usize) -> Result<(), Box<dyn Error>> {
    let mut bytes = std::fs::read(file)?;
    bytes.extend_from_slice(&[0, 6, 4, b't', b'e', b's', b't', u8::try_from(number)?]);
    Ok(std::fs::write(to, bytes)?)
}

fn cached_start(files: &Files, redact: &Path) -> Result<Duration, Box<dyn Error>> {
    let (cache, variants) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let mut all: Vec<(String, PathBuf)> = Vec::new();
    let large = files.javascript.iter().chain(&files.python);
    for (number, file) in large.enumerate() {
        all.push((format!("large{number}"), file.clone()));
    }
    for number in all.len()..PLUGINS {
        let path = variants.path().join(format!("p{number}.wasm"));
        write_variant(redact, &path, number)?;
        all.push((format!("p{number}"), path));
    }
    let all: Vec<(&str, &Path)> = all
        .iter()
        .map(|(name, path)| (name.as_str(), path.as_path()))
        .collect();
    drop(Bench::with(&all, Some(cache.path()))?);
    settle(cache.path())?;
    let start = Instant::now();
    let bench = Bench::with(&all, Some(cache.path()))?;
    let took = start.elapsed();
    drop(bench);
    Ok(took)
}

/// The cache's own thread packs what was compiled, and may still be writing.
fn settle(cache: &Path) -> Result<(), Box<dyn Error>> {
    let size = || -> Result<u64, Box<dyn Error>> {
        let mut waiting = vec![cache.to_owned()];
        let mut bytes = 0;
        while let Some(folder) = waiting.pop() {
            for entry in std::fs::read_dir(folder)? {
                let entry = entry?;
                match entry.metadata() {
                    Ok(it) if it.is_dir() => waiting.push(entry.path()),
                    Ok(it) => bytes += it.len(),
                    // Renamed meanwhile.
                    Err(_) => bytes += 1,
                }
            }
        }
        Ok(bytes)
    };
    let mut before = size()?;
    loop {
        std::thread::sleep(Duration::from_secs(2));
        let now = size()?;
        if now == before {
            return Ok(());
        }
        before = now;
    }
}

/// In turns: alone, while compiling, alone, while compiling.
fn while_compiling(redact: &Path, large: &Path) -> Result<f64, Box<dyn Error>> {
    let bench = Bench::with(&[("redact", redact)], None)?;
    let (event, choice) = (event(1 << 10)?, chain(&[("redact", REDACT)])?);
    let mut alone = Vec::new();
    let mut beside = Vec::new();
    for turn in 0..2 {
        alone.push(median(&bench.times(&choice, &event, CALLS, true)?));
        let name = format!("large{turn}.wasm");
        write_variant(large, &bench.folder.path().join(&name), turn)?;
        let mut during = Vec::new();
        while bench.sandbox.plugins().len() < turn + 2 {
            during.extend(bench.times(&choice, &event, CALLS / 10, true)?);
        }
        during.sort_unstable();
        beside.push(median(&during));
    }
    let sum = |times: &[Duration]| times.iter().sum::<Duration>().as_secs_f64();
    Ok(sum(&beside) / sum(&alone) - 1.0)
}

fn median(sorted: &[Duration]) -> Duration {
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

fn percent(part: f64) -> String {
    format!("{:+.0} %", 100.0 * part)
}

fn micros(time: Duration) -> String {
    format!("{:.1} us", time.as_secs_f64() * 1e6)
}

fn millis(time: Duration) -> String {
    format!("{:.0} ms", time.as_secs_f64() * 1e3)
}

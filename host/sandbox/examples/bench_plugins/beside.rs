//! What a neighbour notices of a plugin that loops: its calls in turns alone and beside it.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use whisperer_domain::hook::PluginChoice;
use whisperer_domain::plugin::PluginFailure;
use whisperer_domain::port::{Chained, Transform as _};

use crate::bench::{Bench, chain, event, job};
use crate::wat::wat;

const TURNS: usize = 7;
const CALLS: usize = 4_000;

/// The 99th percentile of its time, alone and beside the loop: the best turn of each, because what
/// else the machine does can only make it longer.
pub(crate) struct Slowest {
    pub(crate) alone: Duration,
    pub(crate) beside: Duration,
}

pub(crate) fn beside_a_loop(file: &Path, config: &str) -> Result<Slowest, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let spin = folder.path().join("spin.wasm");
    std::fs::write(&spin, wat("spin"))?;
    let bench = Bench::with(&[("plugin", file), ("spin", &spin)], None)?;
    let choice = chain(&[("plugin", config)])?;
    let turn = || percentile(&bench, &choice);
    turn()?;
    let mut best = Slowest {
        alone: Duration::MAX,
        beside: Duration::MAX,
    };
    for _ in 0..TURNS {
        best.alone = best.alone.min(turn()?);
        let looping = Looping::start(&bench)?;
        best.beside = best.beside.min(turn()?);
        looping.stop(&bench)?;
    }
    Ok(best)
}

/// On the runtime's own threads, where the deliveries of a server are, and the loop is.
fn percentile(bench: &Bench, choice: &PluginChoice) -> Result<Duration, Box<dyn Error>> {
    let (sandbox, choice) = (Arc::clone(&bench.sandbox), choice.clone());
    let event = event(1 << 10)?;
    let calls = bench.runtime.spawn(async move {
        let mut times = Vec::with_capacity(CALLS);
        for _ in 0..CALLS {
            let job = job(&choice, &event);
            let start = Instant::now();
            let transformed = sandbox.run(job).await;
            times.push(start.elapsed());
            if !matches!(transformed.result, Chained::Made(_)) {
                return Err(format!("{:?}", transformed.result));
            }
        }
        Ok(times)
    });
    let mut times = bench.runtime.block_on(calls)??;
    times.sort_unstable();
    times
        .get(CALLS * 99 / 100)
        .copied()
        .ok_or("no calls".into())
}

/// A plugin that is called again and again, and each time loops until it is ended.
struct Looping {
    stop: Arc<AtomicBool>,
    calls: JoinHandle<Result<(), String>>,
}

impl Looping {
    /// Returns once it has run into its end for the first time.
    fn start(bench: &Bench) -> Result<Self, Box<dyn Error>> {
        let stop = Arc::new(AtomicBool::new(false));
        let began = Arc::new(Notify::new());
        let (choice, event) = (chain(&[("spin", "{}")])?, event(1 << 10)?);
        let calls = bench.runtime.spawn({
            let (sandbox, stop) = (Arc::clone(&bench.sandbox), Arc::clone(&stop));
            let began = Arc::clone(&began);
            async move {
                while !stop.load(Ordering::Relaxed) {
                    // A dry run: it would be in quarantine soon.
                    let trial = sandbox.try_out(&job(&choice, &event)).await;
                    match trial.transformed.result {
                        Chained::Failed {
                            kind: PluginFailure::Timeout,
                            ..
                        } => began.notify_one(),
                        other => {
                            began.notify_one();
                            return Err(format!("{other:?}"));
                        }
                    }
                }
                Ok(())
            }
        });
        bench.runtime.block_on(began.notified());
        Ok(Self { stop, calls })
    }

    fn stop(self, bench: &Bench) -> Result<(), Box<dyn Error>> {
        self.stop.store(true, Ordering::Relaxed);
        Ok(bench.runtime.block_on(self.calls)??)
    }
}

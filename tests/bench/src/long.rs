//! How speed changes as work grows (`make bench-long`): backlogs that are drained, many hooks, a
//! long history. What is compared is measured in turns, within one server where it can be: a
//! machine's speed drifts by more than what is asked for here.

mod drain;
mod history;
mod hooks;

use std::time::Instant;

use anyhow::{Context, ensure};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

use crate::how::How;
use crate::speed::{Lasts, Subject};
use crate::world::Stage;

#[derive(Args)]
pub(crate) struct Asked {
    #[command(flatten)]
    how: How,
    /// Only this; can be given several times.
    #[arg(long, value_enum)]
    only: Vec<Curve>,
    /// How many deliveries a backlog has.
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(10..))]
    backlog: u64,
    /// With how many hooks speed is measured; all are compared with the first.
    #[arg(long, value_delimiter = ',', default_values_t = [10, 1_000, 100_000], value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    hooks: Vec<u32>,
    /// Beside how many deliveries that are done, each compared with a server that has none.
    #[arg(long, value_delimiter = ',', default_values_t = [1_000_000, 5_000_000])]
    history: Vec<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Curve {
    Drain,
    Hooks,
    History,
}

impl Curve {
    fn name(self) -> &'static str {
        match self {
            Self::Drain => "drain",
            Self::Hooks => "hooks",
            Self::History => "history",
        }
    }
}

/// How much of everything.
struct Sizes {
    backlog: u64,
    hooks: Vec<u32>,
    history: Vec<u64>,
    runs: u32,
    lasts: Lasts,
}

/// What the curves are measured with.
struct Bench {
    stage: Stage,
    subject: Subject,
    sizes: Sizes,
    start: Instant,
}

impl Bench {
    fn begin(asked: &Asked) -> anyhow::Result<Self> {
        let stage = || Stage::new(asked.how.server.as_deref(), asked.how.folder.as_deref());
        let mut sizes = Sizes {
            backlog: asked.backlog,
            hooks: asked.hooks.clone(),
            history: asked.history.clone(),
            runs: asked.how.runs,
            lasts: Lasts::whole(),
        };
        if asked.how.quick {
            sizes.lasts = Lasts::quick();
            sizes.runs = sizes.runs.min(1);
            sizes.backlog = sizes.backlog.min(5_000);
            sizes.hooks.retain(|hooks| *hooks <= 1_000);
            sizes.history = vec![20_000];
        }
        sizes.history.sort_unstable();
        Ok(Self {
            stage: stage()?,
            subject: Subject::build(stage()?, Vec::new())?,
            sizes,
            start: Instant::now(),
        })
    }

    fn say(&self, curve: Curve, words: &str) {
        let secs = self.start.elapsed().as_secs();
        println!("[{secs:>4} s] {}: {words}", curve.name());
    }

    async fn curve(&self, curve: Curve) -> anyhow::Result<Value> {
        match curve {
            Curve::Drain => drain::measure(self).await,
            Curve::Hooks => hooks::measure(self).await,
            Curve::History => history::measure(self).await,
        }
    }
}

pub(crate) fn measure(asked: Asked) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(async {
            let mut terminated = signal(SignalKind::terminate())?;
            // Whatever runs is dropped with its future, and the processes it started are killed.
            tokio::select! {
                ended = Box::pin(all(&asked)) => ended,
                _ = tokio::signal::ctrl_c() => anyhow::bail!("stopped by a signal"),
                _ = terminated.recv() => anyhow::bail!("stopped by a signal"),
            }
        })
}

async fn all(asked: &Asked) -> anyhow::Result<()> {
    let bench = Bench::begin(asked)?;
    println!("Speed as work grows, of {}\n", bench.stage.binary.display());
    let (mut figures, mut failed) = (serde_json::Map::new(), Vec::new());
    for curve in Curve::value_variants() {
        if !asked.only.is_empty() && !asked.only.contains(curve) {
            continue;
        }
        match Box::pin(bench.curve(*curve)).await {
            Ok(measured) => {
                figures.insert(curve.name().to_owned(), measured);
            }
            Err(why) => {
                bench.say(*curve, &format!("broke off: {why:#}"));
                failed.push(curve.name());
            }
        }
    }
    println!("\nMeasured in {} s.", bench.start.elapsed().as_secs());
    if asked.how.quick {
        println!("A quick run tries the tool out: its figures mean little.");
    }
    if let Some(file) = &asked.how.json {
        let whole = json!({
            "server": bench.stage.binary.display().to_string(),
            "quick": asked.how.quick,
            "runs": bench.sizes.runs,
            "curves": figures,
        });
        std::fs::write(file, serde_json::to_string_pretty(&whole)?)
            .with_context(|| format!("cannot write {}", file.display()))?;
        println!("All figures: {}", file.display());
    }
    ensure!(
        failed.is_empty(),
        "not everything could be measured: {}",
        failed.join(", ")
    );
    Ok(())
}

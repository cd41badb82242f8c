//! `plugin bench`: what a call costs a server, each in a fresh instance, one after another.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::bail;
use clap::Args;

use super::case::call_from;
use super::workbench::{Counting, Workbench};
use crate::chain_result;
use crate::stdout::say;

#[derive(Args)]
pub(in crate::cli) struct Bench {
    /// The component; a NAME.toml beside NAME.wasm is read too
    file: PathBuf,
    /// A JSON file with type and payload, or a golden case
    #[arg(long, value_name = "FILE")]
    event: PathBuf,
    /// The configuration: JSON, or @FILE
    #[arg(long, value_name = "JSON")]
    config: Option<String>,
    /// Calls to measure
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    calls: u32,
}

impl Bench {
    pub(super) fn run(&self) -> anyhow::Result<()> {
        let call = call_from(&self.event, self.config.as_deref())?;
        let bench = Workbench::with(&self.file, Counting::Off)?;
        bench.loaded()?;
        let trial = bench.call(&call);
        let result = chain_result::show(&trial.transformed.result);
        if result["outcome"] == "failed" || result["outcome"] == "deferred" {
            bail!("there is nothing to measure, it does not run: {result}");
        }
        let calls = self.calls as usize;
        // The first calls fault pages in that the others find.
        bench.times(&call, calls / 10, true);
        let empty = bench.times(&call, calls, false);
        let times = bench.times(&call, calls, true);
        let nothing = at(&empty, 500);
        say(&format!(
            "{} bytes of payload, {calls} calls, less {nothing:?} for an empty chain",
            call.event.payload.len()
        ));
        for (what, part) in [("median", 500), ("p99", 990), ("p99.9", 999)] {
            say(&format!(
                "  {what:<7} {:?}",
                at(&times, part).saturating_sub(nothing)
            ));
        }
        Ok(())
    }
}

/// The value below which this part of a thousand lies.
fn at(sorted: &[Duration], part: usize) -> Duration {
    let place = sorted.len() * part / 1000;
    sorted[place.min(sorted.len() - 1)]
}

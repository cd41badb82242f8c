//! `plugin run`: one event through a component, under the limits of a server.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::case::call_from;
use super::workbench::{Call, Counting, Workbench};
use crate::chain_result;
use crate::stdout::say;

/// Enough for a median, soon enough for a person.
const CALLS: usize = 101;

#[derive(Args)]
pub(in crate::cli) struct Run {
    /// The component; a NAME.toml beside NAME.wasm is read too
    file: PathBuf,
    /// A JSON file with type and payload, or a golden case
    #[arg(long, value_name = "FILE")]
    event: PathBuf,
    /// The configuration: JSON, or @FILE
    #[arg(long, value_name = "JSON")]
    config: Option<String>,
    /// Answer with one JSON document
    #[arg(long)]
    json: bool,
}

impl Run {
    pub(super) fn run(&self) -> anyhow::Result<()> {
        let call = call_from(&self.event, self.config.as_deref())?;
        let bench = Workbench::with(&self.file, Counting::Off)?;
        bench.loaded()?;
        let trial = bench.call(&call);
        let result = chain_result::show(&trial.transformed.result);
        let diff = chain_result::diff(&call.event, &trial.transformed.result);
        let log = trial.transformed.runs.first().map(|run| run.log.clone());
        let first = trial.transformed.took;
        let answered = result["outcome"] != "failed" && result["outcome"] != "deferred";
        // A plugin that breaks would only be stopped for breaking.
        let median = answered.then(|| bench.times(&call, CALLS, true)[CALLS / 2]);
        let instructions = if answered {
            self.instructions(&call)?
        } else {
            None
        };
        let cost = json!({
            "first_us": micros(first),
            "median_us": median.map(micros),
            "memory_bytes": trial.usages.first().map(|usage| usage.memory_bytes),
            "instructions": instructions,
        });
        let log = log.unwrap_or_default();
        if self.json {
            let whole = json!({"result": result, "diff": diff, "log": log, "cost": cost});
            say(&format!("{whole:#}"));
        } else {
            say(&format!("{result:#}"));
            show_diff(&diff);
            show_log(&log);
            show_cost(&cost);
        }
        Ok(())
    }

    /// By code that counts, which is compiled apart.
    fn instructions(&self, call: &Call) -> anyhow::Result<Option<u64>> {
        let bench = Workbench::with(&self.file, Counting::Instructions)?;
        Ok(bench
            .call(call)
            .usages
            .first()
            .and_then(|usage| usage.instructions))
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn show_diff(diff: &[Value]) {
    if !diff.is_empty() {
        say("\nwhat changed in the payload:");
    }
    for operation in diff {
        let text = |name: &str| operation[name].as_str().unwrap_or_default();
        let value = operation.get("value").map(|it| format!(" = {it}"));
        say(&format!(
            "  {:<7} {}{}",
            text("op"),
            text("path"),
            value.unwrap_or_default()
        ));
    }
}

fn show_log(log: &[String]) {
    if !log.is_empty() {
        say("\nlog:");
    }
    for line in log {
        say(&format!("  {line}"));
    }
}

fn show_cost(cost: &Value) {
    let kib = cost["memory_bytes"].as_u64().unwrap_or(0) / 1024;
    say(&format!("\npeak memory   {kib} KiB"));
    match cost["median_us"].as_u64() {
        Some(median) => say(&format!(
            "time          {median} us (median of {CALLS}; the first took {} us)",
            cost["first_us"]
        )),
        None => say(&format!("time          {} us", cost["first_us"])),
    }
    if let Some(count) = cost["instructions"].as_u64() {
        say(&format!("instructions  {count}"));
    }
}

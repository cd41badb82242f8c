//! `make bench-lanes`: what lanes promise, measured over the release binary from outside.
//!
//! Six scenarios, each with a fresh server in a data folder of its own. The generator is this
//! process and the receiver another one, so that what they cost is not counted with the server;
//! all share the machine. Times run from the moment at which the schedule says that an event is to
//! be posted until the receiver has it. What is compared is measured in turns.

mod latency;
mod load;
mod pairs;
mod plan;
mod report;
mod scenario;

use std::path::PathBuf;

use anyhow::ensure;
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use crate::world::Stage;
use plan::Plan;
use report::{Report, Row, Verdict};
use scenario::Scenario;

#[derive(Args)]
pub(crate) struct Asked {
    /// The server to measure; by default the one that was built beside this program.
    #[arg(long)]
    server: Option<PathBuf>,
    /// Only this scenario; can be given several times.
    #[arg(long, value_enum)]
    only: Vec<Scenario>,
    /// A few minutes that try the tool out; the figures mean nothing.
    #[arg(long)]
    quick: bool,
    /// How many pairs of A and B.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=20), conflicts_with = "quick")]
    pairs: u32,
    /// Where to write all figures.
    #[arg(long)]
    json: Option<PathBuf>,
    /// On which disk: a folder for the servers' data, several GiB at most, removed at the end.
    #[arg(long)]
    folder: Option<PathBuf>,
}

pub(crate) fn measure(asked: Asked) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(run(asked))
}

async fn run(asked: Asked) -> anyhow::Result<()> {
    let stage = Stage::new(asked.server.as_deref(), asked.folder.as_deref())?;
    let plan = match asked.quick {
        true => Plan::quick(),
        false => Plan::whole(asked.pairs),
    };
    let scenarios = scenario::chosen(&asked.only);
    announce(&scenarios, &plan, &stage);

    let mut report = Report::begin();
    let (mut terminated, mut whole) = (signal(SignalKind::terminate())?, true);
    for scenario in scenarios {
        // Whatever runs is dropped with its future, and the processes it started are killed.
        let ended = tokio::select! {
            ended = Box::pin(scenario.run(&stage, &plan, &mut report)) => Some(ended),
            _ = tokio::signal::ctrl_c() => None,
            _ = terminated.recv() => None,
        };
        match ended {
            Some(Ok(())) => {}
            Some(Err(error)) => {
                whole = false;
                broke_off(&mut report, scenario, &format!("broke off: {error:#}"));
            }
            None => {
                whole = false;
                broke_off(&mut report, scenario, "stopped by a signal");
                break;
            }
        }
    }
    report.print(&stage.binary, asked.quick);
    if let Some(file) = &asked.json {
        report.write(file, &stage.binary, asked.quick)?;
        println!("All figures: {}", file.display());
    }
    ensure!(whole, "not everything could be measured");
    Ok(())
}

fn broke_off(report: &mut Report, scenario: Scenario, words: &str) {
    report.say(scenario.name(), words);
    let told = "it did not come to its end, see above";
    let bar = ("its end", Verdict::Missed);
    report.row(Row::bar(scenario.name(), "the scenario itself", told, bar));
}

fn announce(scenarios: &[Scenario], plan: &Plan, stage: &Stage) {
    let secs: u64 = scenarios.iter().map(|it| it.takes_secs(plan)).sum();
    let names: Vec<&str> = scenarios.iter().map(|it| it.name()).collect();
    println!(
        "Lanes under load: {}. It takes about {}; the data lies in {} meanwhile.\n",
        names.join(", "),
        match secs.div_ceil(60) {
            1 => "a minute".to_owned(),
            minutes => format!("{minutes} minutes"),
        },
        stage.folder.display()
    );
}

//! `make bench-lanes`: what lanes promise, measured over the release binary from outside.
//!
//! Six scenarios, each with a fresh server in a data folder of its own. The generator is this
//! process and the receiver another one, so that what they cost is not counted with the server;
//! all share the machine. Times run from the moment at which the schedule says that an event is to
//! be posted until the receiver has it. What is compared is measured in turns.

mod api;
mod backlog;
mod event;
mod latency;
mod load;
mod pairs;
mod plan;
mod receiver;
mod report;
mod scenario;
mod server;
mod usage;
mod wall;
mod world;

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use plan::Plan;
use report::{Report, Row, Verdict};
use scenario::Scenario;
use world::Stage;

#[derive(Parser)]
struct Args {
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
    /// This process is the receiver.
    #[arg(long, hide = true)]
    as_receiver: bool,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    if args.as_receiver {
        return receiver::serve();
    }
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(run(args))
}

async fn run(args: Args) -> anyhow::Result<()> {
    let stage = Stage {
        binary: match &args.server {
            Some(server) => server.clone(),
            None => built_beside()?,
        },
        folder: args.folder.clone().unwrap_or_else(std::env::temp_dir),
    };
    ensure!(
        stage.binary.is_file(),
        "{} is no file: build the server first, or name one by --server",
        stage.binary.display()
    );
    std::fs::create_dir_all(&stage.folder)
        .with_context(|| format!("cannot make {}", stage.folder.display()))?;
    let plan = match args.quick {
        true => Plan::quick(),
        false => Plan::whole(args.pairs),
    };
    let scenarios = scenario::chosen(&args.only);
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
    report.print(&stage.binary, args.quick);
    if let Some(file) = &args.json {
        report.write(file, &stage.binary, args.quick)?;
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

fn built_beside() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe()?;
    let release = program.parent().and_then(Path::parent);
    let release = release.context("this program does not lie in target/release/examples")?;
    Ok(release.join("whisperer"))
}

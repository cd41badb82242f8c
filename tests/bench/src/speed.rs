//! How fast a server is (`make bench`): one base point, and one factor at a time from it.
//!
//! Each run has a fresh server on a fresh data folder, a warm-up of the same load, and counts from
//! the first post to the last receipt. With `--against`, two builds are measured in turns, A B, B A,
//! A B, and each B is compared with the A beside it: a machine's speed drifts by a quarter within
//! minutes, and what was measured one after the other says nothing of a change.

mod figure;
mod limits;
mod payload;
mod plugin;
mod point;
mod run;
mod subject;
mod table;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

use crate::floor::Floor;
use crate::how::How;
use crate::target::Target;
use crate::usage::load_average;
use crate::world::Stage;
pub(crate) use figure::Spread;
pub(crate) use point::{Lasts, Point};
pub(crate) use run::{Run, load, measure as run_in, run};
pub(crate) use subject::{Scene, Subject};
pub(crate) use table::{compare, print_rows, thousands, words};

/// To start a server, and to wait for what is under way: only to say beforehand how long it takes.
const AROUND: Duration = Duration::from_millis(900);

#[derive(Args)]
pub(crate) struct Asked {
    #[command(flatten)]
    how: How,
    /// Another build, to be compared with it, in turns.
    #[arg(long)]
    against: Option<PathBuf>,
    /// A server that runs already, by a description file: targets/whisperer.toml is one and tells
    /// what stands in it.
    #[arg(long, conflicts_with_all = ["server", "against"])]
    target: Option<PathBuf>,
    /// NAME=VALUE for the description's [values]; can be given several times.
    #[arg(long, value_parser = name_and_value, requires = "target")]
    set: Vec<(String, String)>,
    /// A plugin's component, of unchanged.wasm, redact.wasm and js-redact.wasm; can be given
    /// several times. Points of plugins that are not there are left out.
    #[arg(long)]
    component: Vec<PathBuf>,
    /// Only this point, or this group of points; can be given several times.
    #[arg(long)]
    only: Vec<String>,
}

fn name_and_value(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("it is NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// A point, and its runs with each subject: the first ones of all were beside each other, and so
/// on.
#[derive(Serialize)]
pub(crate) struct Measured {
    point: Point,
    runs: Vec<Vec<Run>>,
    /// The machine's limits just before; none where two builds are compared, which are each
    /// other's measure.
    floor: Option<Floor>,
    load_average: f64,
}

impl Measured {
    /// Two ways, measured in turns.
    pub(crate) fn pair(point: Point, one: Vec<Run>, other: Vec<Run>) -> Self {
        Self {
            point,
            runs: vec![one, other],
            floor: None,
            load_average: load_average(),
        }
    }
}

pub(crate) fn measure(asked: Asked) -> anyhow::Result<()> {
    // One thread: what the generator does is to cost as little as it can.
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(async {
            let mut terminated = signal(SignalKind::terminate())?;
            // Whatever runs is dropped with its future, and the processes it started are killed.
            tokio::select! {
                ended = Box::pin(Session::begin(&asked)?.measure()) => ended,
                _ = tokio::signal::ctrl_c() => anyhow::bail!("stopped by a signal"),
                _ = terminated.recv() => anyhow::bail!("stopped by a signal"),
            }
        })
}

struct Session<'a> {
    asked: &'a Asked,
    subjects: Vec<Subject>,
    points: Vec<Point>,
    lasts: Lasts,
    start: Instant,
    load_at_start: f64,
    measured: Vec<Measured>,
    /// Points that could not be measured; why was said then.
    failed: Vec<String>,
}

impl<'a> Session<'a> {
    fn begin(asked: &'a Asked) -> anyhow::Result<Self> {
        let points = chosen(&asked.only)?;
        Ok(Self {
            asked,
            subjects: subjects(asked)?,
            points,
            lasts: match asked.how.quick {
                true => Lasts::quick(),
                false => Lasts::whole(),
            },
            start: Instant::now(),
            load_at_start: load_average(),
            measured: Vec::new(),
            failed: Vec::new(),
        })
    }

    async fn measure(mut self) -> anyhow::Result<()> {
        self.announce();
        for point in std::mem::take(&mut self.points) {
            let left_out = self.subjects.iter().find_map(|it| it.leaves_out(&point));
            if let Some(why) = left_out {
                self.say(&format!("{}: left out, {why}", point.name));
                continue;
            }
            if let Err(why) = self.point(&point).await {
                self.say(&format!("{}: broke off: {why:#}", point.name));
                self.failed.push(point.name);
            }
        }
        self.report()
    }

    async fn point(&mut self, point: &Point) -> anyhow::Result<()> {
        let floor = self.floor(point).await?;
        let mut runs: Vec<Vec<Run>> = self.subjects.iter().map(|_| Vec::new()).collect();
        for nth in 1..=self.asked.how.runs {
            let mut turns: Vec<usize> = (0..self.subjects.len()).collect();
            if nth % 2 == 0 {
                turns.reverse();
            }
            for turn in turns {
                let run = run(&self.subjects[turn], point, self.lasts).await?;
                let letter = self.letter(turn);
                let words = table::words(&run);
                self.say(&format!("{}{letter} {nth}: {words}", point.name));
                runs[turn].push(run);
            }
        }
        self.measured.push(Measured {
            point: point.clone(),
            runs,
            floor,
            load_average: load_average(),
        });
        Ok(())
    }

    /// Measured anew for each group of points and each length of payload in it.
    async fn floor(&self, point: &Point) -> anyhow::Result<Option<Floor>> {
        if self.subjects.len() > 1 {
            return Ok(None);
        }
        let last = self.measured.last().filter(|last| {
            last.point.group == point.group && last.point.payload_bytes == point.payload_bytes
        });
        if let Some(last) = last {
            return Ok(last.floor);
        }
        let folder = self.asked.how.folder.clone();
        let folder = folder.unwrap_or_else(std::env::temp_dir);
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
        let rest = payload::rest(point.payload_bytes);
        let payload = (point.payload_bytes, rest.as_str());
        let floor = Floor::measure(&folder, payload, self.lasts.floor).await?;
        self.say(&format!(
            "limits with {} bytes: {}",
            point.payload_bytes,
            floor.words()
        ));
        Ok(Some(floor))
    }

    fn announce(&self) {
        let names = (0..).zip(&self.subjects).map(|(nth, subject)| {
            let letter = self.letter(nth).trim_start();
            format!("{letter} {}", subject.name())
                .trim_start()
                .to_owned()
        });
        println!("Speed of {}", names.collect::<Vec<_>>().join(", against "));
        let minutes = self.takes().as_secs().div_ceil(60);
        println!(
            "{} points, {} runs of each: about {minutes} min.\n",
            self.points.len(),
            self.asked.how.runs
        );
    }

    fn takes(&self) -> Duration {
        let Lasts {
            warm_up,
            measure,
            floor,
        } = self.lasts;
        let points = u32::try_from(self.points.len()).unwrap_or(u32::MAX);
        let subjects = u32::try_from(self.subjects.len()).unwrap_or(u32::MAX);
        let runs = (AROUND + warm_up + measure) * (points * subjects * self.asked.how.runs);
        match subjects {
            1 => runs + (floor.warm_up * 2 + floor.http * 2 + floor.disk * 3) * points,
            _ => runs,
        }
    }

    /// Tells two builds apart.
    fn letter(&self, subject: usize) -> &'static str {
        match (self.subjects.len(), subject) {
            (1, _) => "",
            (_, 0) => " A",
            (_, _) => " B",
        }
    }

    fn say(&self, words: &str) {
        println!("[{:>4} s] {words}", self.start.elapsed().as_secs());
    }

    fn report(self) -> anyhow::Result<()> {
        println!();
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        match self.subjects.len() {
            // Nothing was measured.
            _ if self.measured.is_empty() => {}
            1 => {
                table::print(&self.measured);
                limits::print(&self.measured, cores);
            }
            _ => table::compare(&self.measured),
        }
        println!(
            "Measured in {} s; {cores} cores shared by server, generator and receiver. Load average of \
             the last minute {:.1} at the start, {:.1} at the end: much more than {cores} means that \
             something else wanted the processors, and so does a generator that is late.",
            self.start.elapsed().as_secs(),
            self.load_at_start,
            load_average()
        );
        if self.asked.how.quick {
            println!("A quick run tries the tool out: its figures mean little.");
        }
        if let Some(file) = &self.asked.how.json {
            let text = serde_json::to_string_pretty(&self.json(cores))?;
            std::fs::write(file, text)
                .with_context(|| format!("cannot write {}", file.display()))?;
            println!("All figures: {}", file.display());
        }
        ensure!(
            self.failed.is_empty(),
            "not everything could be measured: {} broke off",
            self.failed.join(", ")
        );
        Ok(())
    }

    fn json(&self, cores: usize) -> Value {
        json!({
            "subjects": self.subjects.iter().map(Subject::name).collect::<Vec<_>>(),
            "quick": self.asked.how.quick,
            "cores": cores,
            "lasts": self.lasts,
            "load_average_at_start": self.load_at_start,
            "load_average_at_end": load_average(),
            "took_secs": self.start.elapsed().as_secs(),
            "points": self.measured,
            "failed": self.failed,
        })
    }
}

fn subjects(asked: &Asked) -> anyhow::Result<Vec<Subject>> {
    if let Some(file) = &asked.target {
        let target = Target::read(file, &asked.set)?;
        return Ok(vec![Subject::Elsewhere(Box::new(target))]);
    }
    let builds = [
        Some(asked.how.server.as_deref()),
        asked.against.as_deref().map(Some),
    ];
    let builds = builds.into_iter().flatten().map(|server| {
        let stage = Stage::new(server, asked.how.folder.as_deref())?;
        Subject::build(stage, asked.component.clone())
    });
    builds.collect()
}

/// All points, or those that were asked for.
fn chosen(only: &[String]) -> anyhow::Result<Vec<Point>> {
    let mut points = point::all();
    let names: Vec<&str> = points.iter().map(|it| it.name.as_str()).collect();
    for name in only {
        ensure!(
            points.iter().any(|point| point.is_called(name)),
            "--only: there is no point {name:?}; there are {}, and groups of them: fan-out, hooks, \
             connections, open, payload, plugins",
            names.join(", ")
        );
    }
    points.retain(|point| only.is_empty() || only.iter().any(|name| point.is_called(name)));
    Ok(points)
}

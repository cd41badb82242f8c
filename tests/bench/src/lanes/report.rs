//! What was measured: told while it comes, as a table at the end, and as JSON beside it.

use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use serde::Serialize;
use serde_json::{Value, json};

use crate::usage::load_average;
use crate::wall;

/// Whether what is asked was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Verdict {
    Reached,
    Missed,
    /// Some pairs reach it and some do not: the machine is too restless to say.
    Unclear,
    /// Nothing is asked, or it could not be measured.
    None,
}

impl Verdict {
    pub(crate) fn of(reached: bool) -> Self {
        match reached {
            true => Self::Reached,
            false => Self::Missed,
        }
    }

    /// Nothing is reached unless this holds too.
    pub(crate) fn and(self, holds: bool) -> Self {
        match holds {
            true => self,
            false => Self::Missed,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Reached => "yes",
            Self::Missed => "NO",
            Self::Unclear => "unclear",
            Self::None => "-",
        }
    }
}

/// A line of the table.
#[derive(Serialize)]
pub(crate) struct Row {
    pub(crate) scenario: &'static str,
    pub(crate) what: String,
    pub(crate) measured: String,
    /// Empty where nothing is asked.
    pub(crate) asked: &'static str,
    pub(crate) reached: Verdict,
    load_average: f64,
}

impl Row {
    /// A figure and what is asked of it.
    pub(crate) fn bar(
        scenario: &'static str,
        what: impl Into<String>,
        measured: impl Into<String>,
        (asked, reached): (&'static str, Verdict),
    ) -> Self {
        Self {
            asked,
            reached,
            ..Self::note(scenario, what, measured)
        }
    }

    /// A figure of which nothing is asked.
    pub(crate) fn note(
        scenario: &'static str,
        what: impl Into<String>,
        measured: impl Into<String>,
    ) -> Self {
        Self {
            scenario,
            what: what.into(),
            measured: measured.into(),
            asked: "",
            reached: Verdict::None,
            load_average: load_average(),
        }
    }
}

/// A row that stands below figures of time.
pub(crate) const LATE: &str = "the generator's own lateness, p99";

pub(crate) struct Report {
    start: Instant,
    start_us: u64,
    load_at_start: f64,
    rows: Vec<Row>,
    /// Each measurement with all its figures, for the file.
    legs: Vec<Value>,
}

impl Report {
    pub(crate) fn begin() -> Self {
        Self {
            start: Instant::now(),
            start_us: wall::now_us(),
            load_at_start: load_average(),
            rows: Vec::new(),
            legs: Vec::new(),
        }
    }

    pub(crate) fn say(&self, scenario: &str, words: &str) {
        let secs = self.start.elapsed().as_secs();
        println!("[{secs:>4} s] {scenario}: {words}");
    }

    /// Tells a measurement and keeps its figures.
    pub(crate) fn leg(&mut self, scenario: &str, leg: &str, words: &str, figures: &impl Serialize) {
        let load = load_average();
        self.say(scenario, &format!("{leg}: {words} (load {load:.1})"));
        self.legs.push(json!({
            "scenario": scenario, "leg": leg, "load_average": load,
            "at_secs": self.start.elapsed().as_secs(), "figures": figures,
        }));
    }

    pub(crate) fn row(&mut self, row: Row) {
        self.rows.push(row);
    }

    pub(crate) fn print(&self, server: &Path, quick: bool) {
        println!("\n{}\n", server.display());
        let longest = |of: fn(&Row) -> &str| {
            let lengths = self.rows.iter().map(|row| of(row).chars().count());
            lengths.max().unwrap_or(0)
        };
        let scenario = longest(|row| row.scenario);
        let what = longest(|row| &row.what);
        let asked = longest(|row| row.asked).max("asked".len());
        let line = |cells: [&str; 6]| {
            let [a, b, c, d, e, f] = cells;
            println!("{a:<scenario$}  {b:<what$}  {c:<asked$}  {d:<7}  {e:>4}  {f}");
        };
        line(["", "", "asked", "reached", "load", "measured"]);
        for row in &self.rows {
            let reached = row.reached.word();
            let load = format!("{:.1}", row.load_average);
            let (what, measured) = (&row.what, &row.measured);
            line([row.scenario, what, row.asked, reached, &load, measured]);
        }
        println!("\n{}", self.foot());
        if quick {
            println!("A quick run tries the tool out: its figures and verdicts mean nothing.");
        }
    }

    fn foot(&self) -> String {
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        format!(
            "Measured in {} s on {cores} cores; load average of the last minute {:.1} at the start, \
             {:.1} at the end, at each figure in its column.\nThe load counts this benchmark too; \
             more than {cores} means that something else wanted the processors, and so does a \
             generator that is late.\nUnclear: some pairs reach what is asked, and some do not.",
            self.start.elapsed().as_secs(),
            self.load_at_start,
            load_average(),
        )
    }

    pub(crate) fn write(&self, file: &Path, server: &Path, quick: bool) -> anyhow::Result<()> {
        let whole = json!({
            "server": server.display().to_string(),
            "quick": quick,
            "started_unix_us": self.start_us,
            "took_secs": self.start.elapsed().as_secs(),
            "cores": std::thread::available_parallelism().map_or(0, usize::from),
            "load_average_at_start": self.load_at_start,
            "load_average_at_end": load_average(),
            "rows": self.rows,
            "legs": self.legs,
        });
        let text = serde_json::to_string_pretty(&whole)?;
        std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
    }
}

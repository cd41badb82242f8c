//! `plugin test`: the golden cases that lie beside a plugin's source, each run as a server would.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::Value;

use super::case::{Case, meets};
use super::project::Project;
use super::workbench::{Counting, Workbench};
use crate::chain_result;
use crate::stdout::say;

#[derive(Args)]
pub(in crate::cli) struct Test {
    /// The project's folder
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// The component, if it is not dist/NAME.wasm of the project
    #[arg(long, value_name = "FILE")]
    component: Option<PathBuf>,
    /// Write what the plugin answers into the cases, as what is expected from now on
    #[arg(long)]
    update: bool,
}

impl Test {
    pub(super) fn run(&self) -> anyhow::Result<()> {
        let component = match &self.component {
            Some(file) => file.clone(),
            None => Project::find(&self.folder)?.component(),
        };
        let bench = Workbench::with(&component, Counting::Off)?;
        bench.loaded()?;
        let folder = self.folder.join("cases");
        let cases = cases(&folder)?;
        if cases.is_empty() {
            bail!(
                "there is no case in {}: a case is a JSON file with event, config and expect",
                folder.display()
            );
        }
        let mut failed = 0;
        for path in &cases {
            if !self.one(&bench, path)? {
                failed += 1;
            }
        }
        say(&format!("{} cases, {failed} failed", cases.len()));
        if failed > 0 {
            bail!("{failed} of {} cases failed", cases.len());
        }
        Ok(())
    }

    fn one(&self, bench: &Workbench, path: &Path) -> anyhow::Result<bool> {
        let mut case = Case::read(path)?;
        let call = case
            .call()
            .with_context(|| format!("{} is not a case", path.display()))?;
        let trial = bench.call(&call);
        let result = chain_result::show(&trial.transformed.result);
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        if meets(&case.expect, &result) {
            say(&format!("ok    {name}"));
            return Ok(true);
        }
        if self.update {
            case.expect = result;
            let text = serde_json::to_string_pretty(&case)? + "\n";
            fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
            say(&format!("wrote {name}"));
            return Ok(true);
        }
        say(&format!("FAIL  {name}"));
        show("expected", &case.expect);
        show("got", &result);
        for line in trial.transformed.runs.iter().flat_map(|run| &run.log) {
            say(&format!("      log: {line}"));
        }
        Ok(false)
    }
}

fn show(what: &str, value: &Value) {
    for (number, line) in format!("{value:#}").lines().enumerate() {
        let what = if number == 0 { what } else { "" };
        say(&format!("      {what:<9} {line}"));
    }
}

/// In the order of their names.
fn cases(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let listed = fs::read_dir(folder)
        .with_context(|| format!("there is no folder of cases at {}", folder.display()))?;
    let mut cases = Vec::new();
    for entry in listed {
        let path = entry?.path();
        if path.extension().is_some_and(|it| it == "json") {
            cases.push(path);
        }
    }
    cases.sort();
    Ok(cases)
}

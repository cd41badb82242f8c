//! `plugin build`: a project's component, by the tools of its language. What those need is
//! installed into the project's own folder, once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, bail};
use clap::Args;

use super::project::{Language, Project};
use crate::stdout::say;

const TARGET: &str = "wasm32-wasip2";

#[derive(Args)]
pub(in crate::cli) struct Build {
    /// The project's folder
    #[arg(default_value = ".")]
    folder: PathBuf,
}

impl Build {
    pub(super) fn run(&self) -> anyhow::Result<()> {
        let project = Project::find(&self.folder)?;
        let component = project.component();
        fs::create_dir_all(project.folder.join("dist"))
            .with_context(|| format!("cannot write into {}", project.folder.display()))?;
        match project.language {
            Language::Rust => rust(&project)?,
            Language::Javascript => javascript(&project)?,
            Language::Python => python(&project)?,
        }
        let bytes = fs::metadata(&component)
            .with_context(|| format!("the build left no {}", component.display()))?
            .len();
        say(&format!(
            "{} ({} KiB). Try it with `whisperer plugin test`; copied into a server's plugin folder it is live.",
            component.display(),
            bytes.div_ceil(1024)
        ));
        Ok(())
    }
}

fn rust(project: &Project) -> anyhow::Result<()> {
    let rustup = "rustup, from https://rustup.rs";
    let installed = output(
        tool("rustup").args(["target", "list", "--installed"]),
        rustup,
    )?;
    if !installed.lines().any(|line| line == TARGET) {
        step(
            "installing the target for WebAssembly components",
            tool("rustup").args(["target", "add", TARGET]),
            rustup,
        )?;
    }
    step(
        "compiling",
        tool("cargo")
            // The component alone: beside a library of Rust's own kind cargo leaves out the
            // optimisation at link time.
            .args(["rustc", "--release", "--target", TARGET])
            .args(["--lib", "--crate-type", "cdylib"])
            // Its own, whatever is set for other projects.
            .args(["--target-dir", "target"])
            .current_dir(&project.folder),
        rustup,
    )?;
    let file = format!("{}.wasm", project.name.as_str().replace('-', "_"));
    let built = project.folder.join("target").join(TARGET).join("release");
    fs::copy(built.join(&file), project.component())
        .with_context(|| format!("the build left no {file}"))?;
    Ok(())
}

fn javascript(project: &Project) -> anyhow::Result<()> {
    let node = "Node.js with npm, from https://nodejs.org";
    if is_older(
        &project.folder.join("node_modules"),
        &project.folder.join("package.json"),
    ) {
        step(
            "installing componentize-qjs into node_modules",
            tool("npm")
                .args(["install", "--no-audit", "--no-fund", "--loglevel=error"])
                .current_dir(&project.folder),
            node,
        )?;
    }
    step(
        "making the component",
        tool("node")
            .arg("whisperer/build.mjs")
            .current_dir(&project.folder),
        node,
    )
}

fn python(project: &Project) -> anyhow::Result<()> {
    let python = "Python 3.10 or newer, from https://www.python.org";
    let venv = project.folder.join(".venv");
    let bin = venv.join("bin");
    let componentize = bin.join("componentize-py");
    let manifest = project.folder.join("pyproject.toml");
    if is_older(&componentize, &manifest) {
        step(
            "making .venv",
            tool("python3")
                .args(["-m", "venv", "--clear", ".venv"])
                .current_dir(&project.folder),
            python,
        )?;
        let mut install = Command::new(absolute(&bin.join("pip"))?);
        install
            .args(["install", "--quiet", "--disable-pip-version-check"])
            .args(requirements(&manifest)?);
        step(
            "installing componentize-py into .venv",
            &mut install,
            python,
        )?;
    }
    let mut make = Command::new(absolute(&componentize)?);
    make.args(["-d", "wit", "-w", "described-plugin", "componentize"])
        .args(["component", "-o"])
        .arg(absolute(&project.folder.join("dist"))?.join(format!("{}.wasm", project.name)))
        .current_dir(&project.folder);
    step("making the component", &mut make, python)
}

/// The group `build` of the manifest.
fn requirements(manifest: &Path) -> anyhow::Result<Vec<String>> {
    let text = fs::read_to_string(manifest)
        .with_context(|| format!("cannot read {}", manifest.display()))?;
    let table: toml::Table = text
        .parse()
        .with_context(|| format!("{} is not TOML", manifest.display()))?;
    let group = table
        .get("dependency-groups")
        .and_then(|groups| groups.get("build"))
        .and_then(toml::Value::as_array);
    let group = group.with_context(|| {
        format!(
            "{}: dependency-groups.build names no tools",
            manifest.display()
        )
    })?;
    Ok(group
        .iter()
        .filter_map(|it| it.as_str().map(str::to_owned))
        .collect())
}

/// Not there, or from before the manifest was changed.
fn is_older(made: &Path, manifest: &Path) -> bool {
    let time = |path: &Path| fs::metadata(path).and_then(|it| it.modified()).ok();
    time(made) < time(manifest)
}

fn absolute(path: &Path) -> anyhow::Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("where is {}?", path.display()))
}

fn tool(name: &str) -> Command {
    Command::new(name)
}

/// Runs one step for everyone to see; what the tool says is shown as it says it.
fn step(what: &str, command: &mut Command, comes_from: &str) -> anyhow::Result<()> {
    say(&format!("… {what}"));
    let start = Instant::now();
    let status = command
        .stdin(Stdio::null())
        .status()
        .map_err(|why| missing(command, &why, comes_from))?;
    if !status.success() {
        bail!("{what} failed: {} ended with {status}", program(command));
    }
    say(&format!("  done in {:.1} s", start.elapsed().as_secs_f64()));
    Ok(())
}

fn output(command: &mut Command, comes_from: &str) -> anyhow::Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|why| missing(command, &why, comes_from))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn program(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

fn missing(command: &Command, why: &std::io::Error, comes_from: &str) -> anyhow::Error {
    let program = program(command);
    if why.kind() == std::io::ErrorKind::NotFound {
        anyhow::anyhow!("{program} is not installed: get {comes_from}")
    } else {
        anyhow::anyhow!("{program} cannot be run: {why}")
    }
}

//! This program once more, as a process of its own, so that what it costs is counted with nobody
//! else: it tells on its first line where it listens, and ends when its standard input does, so
//! that it does not outlive the one that started it, however that ends.

use std::io::Read as _;
use std::process::Stdio;

use anyhow::{Context, bail};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{ChildStdout, Command};

/// The rest of a child's output. Kept: a child that writes where nobody can read would get an
/// error.
pub(crate) type Lines = tokio::io::Lines<BufReader<ChildStdout>>;

pub(crate) struct Child {
    /// Killed when dropped.
    _process: tokio::process::Child,
    _stdout: Lines,
    pub(crate) pid: u32,
    pub(crate) base: String,
}

impl Child {
    /// `role`: the subcommand by which it knows what it is.
    pub(crate) async fn start(role: &str) -> anyhow::Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg(role)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start the {role}"))?;
        let pid = process.id();
        let (base, stdout) = first_address(&mut process)
            .await
            .with_context(|| format!("the {role} did not start"))?;
        Ok(Self {
            _process: process,
            _stdout: stdout,
            pid: pid.with_context(|| format!("the {role} is gone already"))?,
            base,
        })
    }
}

/// From the first line that a child writes with an address in it.
pub(crate) async fn first_address(
    child: &mut tokio::process::Child,
) -> anyhow::Result<(String, Lines)> {
    let stdout = child.stdout.take().context("its output is not piped")?;
    let mut lines = BufReader::new(stdout).lines();
    while let Some(line) = lines.next_line().await? {
        if let Some(at) = line.find("http://") {
            return Ok((line[at..].trim().to_owned(), lines));
        }
    }
    bail!("it ended before it said where it listens")
}

/// In the child: ends the process when nobody holds the other end of its standard input.
pub(crate) fn end_with_stdin() {
    std::thread::spawn(|| {
        let mut nothing = [0; 64];
        while let Ok(1..) = std::io::stdin().read(&mut nothing) {}
        std::process::exit(0);
    });
}

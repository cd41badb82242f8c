//! The release binary as a child process: started on a data folder, asked to end, or killed.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use crate::child::{Lines, first_address};
use crate::usage::Usage;

pub(crate) const TOKEN: &str = "whs_bench-only-not-for-production";

/// Longer than its own grace period.
const STOP_WITHIN: Duration = Duration::from_secs(60);

pub(crate) struct Server {
    /// Killed when dropped.
    child: Child,
    pid: u32,
    pub(crate) base: String,
    _stdout: Lines,
}

impl Server {
    /// Starts it and waits for the line that says where it listens.
    pub(crate) async fn start(binary: &Path, data: &Path, log: &Path) -> anyhow::Result<Self> {
        let log_file = File::options().create(true).append(true).open(log)?;
        let mut child = Command::new(binary)
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(["--allow-network", "127.0.0.0/8", "--data"])
            .arg(data)
            .env("WHISPERER_ADMIN_TOKEN", TOKEN)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log_file)
            // Ctrl-C reaches it through us, once.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        let pid = child.id().context("the server is gone already")?;
        let Ok((base, stdout)) = first_address(&mut child).await else {
            let log = std::fs::read_to_string(log).unwrap_or_default();
            bail!("the server ended before it listened:\n{log}");
        };
        Ok(Self {
            child,
            pid,
            base,
            _stdout: stdout,
        })
    }

    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        Usage::of(self.pid)
    }

    /// SIGTERM, as a service manager would; answers how long it took to end.
    pub(crate) async fn stop(mut self) -> anyhow::Result<Duration> {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        let start = Instant::now();
        kill_process(pid.context("no process number")?, Signal::TERM)?;
        let ended = tokio::time::timeout(STOP_WITHIN, self.child.wait()).await;
        let status = ended.with_context(|| format!("the server ran on {STOP_WITHIN:?}"))??;
        ensure!(
            status.success(),
            "asked to end, the server ended with {status}"
        );
        Ok(start.elapsed())
    }

    /// SIGKILL, and gone.
    pub(crate) async fn kill(mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }
}

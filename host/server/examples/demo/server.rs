//! The release binary as a child process.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::process::{Child, Command};

/// Known beforehand, so that the printed curl lines work as they stand.
pub(crate) const TOKEN: &str = "whs_demo-only-not-for-production";

pub(crate) struct Server {
    child: Child,
    pub(crate) base: String,
    pub(crate) plugins: PathBuf,
}

/// Starts it on an empty data folder with the shipped plugins in place.
pub(crate) fn start(data: &Path, built: &Path) -> anyhow::Result<Server> {
    if data.exists() {
        if !data.join("plugins").is_dir() {
            bail!(
                "{} is not a data folder of the demo: give another --data",
                data.display()
            );
        }
        fs::remove_dir_all(data).with_context(|| format!("cannot empty {}", data.display()))?;
    }
    let plugins = data.join("plugins");
    fs::create_dir_all(&plugins).with_context(|| format!("cannot make {}", plugins.display()))?;
    for name in ["redact.wasm", "slack.wasm"] {
        let from = built.join(name);
        fs::copy(&from, plugins.join(name))
            .with_context(|| format!("cannot copy {}: is `make plugins` done?", from.display()))?;
    }
    let binary = std::env::current_exe()?
        .parent()
        .and_then(Path::parent)
        .context("the demo does not lie in target/release/examples")?
        .join("whisperer");
    // The child stays in its own process group, so that Ctrl-C reaches it through us, once.
    let mut child = Command::new(&binary)
        .args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--allow-network",
            "127.0.0.0/8",
        ])
        .arg("--data")
        .arg(data)
        .env("WHISPERER_ADMIN_TOKEN", TOKEN)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot start {}", binary.display()))?;
    let stdout = child
        .stdout
        .take()
        .context("the server has no stdout")?
        .into_owned_fd()?;
    let base = listening_line(BufReader::new(fs::File::from(stdout)))?;
    Ok(Server {
        child,
        base,
        plugins,
    })
}

fn listening_line(stdout: impl BufRead) -> anyhow::Result<String> {
    for line in stdout.lines() {
        let line = line?;
        if let Some(at) = line.find("http://") {
            return Ok(line[at..].trim().to_owned());
        }
    }
    bail!("the server ended before it listened; its reason stands above")
}

impl Server {
    /// Resolves when the process ends by itself.
    pub(crate) async fn ended(&mut self) -> String {
        match self.child.wait().await {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        }
    }

    /// SIGTERM, as a service manager would; the server finishes what is in flight.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        let pid = self.child.id().context("the server is gone already")?;
        std::process::Command::new("kill")
            .arg(pid.to_string())
            .status()?;
        for _ in 0..200 {
            if let Some(status) = self.child.try_wait()? {
                if status.success() {
                    return Ok(());
                }
                bail!("the server ended with {status}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("the server did not stop within 10 s")
    }
}

//! What is measured in: a fresh server on a data folder of its own, and a receiver.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tempfile::TempDir;

use crate::api::{self, Api};
use crate::receiver::Receiver;
use crate::server::Server;

/// How a server is started.
pub(crate) struct Stage {
    pub(crate) binary: PathBuf,
    /// In which the data folders are made, and removed again.
    pub(crate) folder: PathBuf,
}

impl Stage {
    /// By default the server that was built beside this program, and the system's folder for what
    /// is passing.
    pub(crate) fn new(server: Option<&Path>, folder: Option<&Path>) -> anyhow::Result<Self> {
        let binary = match server {
            Some(server) => server.to_owned(),
            None => std::env::current_exe()?.with_file_name("whisperer"),
        };
        ensure!(
            binary.is_file(),
            "{} is no file: build the server first, or name one by --server",
            binary.display()
        );
        let folder = folder.map_or_else(std::env::temp_dir, Path::to_owned);
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(Self { binary, folder })
    }
}

/// A start may have a large store to repair.
const READY_WITHIN: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(2);

// Dropped in this order: the server before what it sends to and what it stands on.
pub(crate) struct World {
    server: Option<Server>,
    pub(crate) api: Arc<Api>,
    pub(crate) receiver: Receiver,
    http: reqwest::Client,
    binary: PathBuf,
    folder: TempDir,
}

impl World {
    pub(crate) async fn start(stage: &Stage) -> anyhow::Result<Self> {
        Self::start_on(stage, |_| Ok(())).await
    }

    /// On a data folder into which something is put first.
    pub(crate) async fn start_on(
        stage: &Stage,
        prepare: impl FnOnce(&Path) -> anyhow::Result<()>,
    ) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("whisperer-bench-")
            .tempdir_in(&stage.folder)
            .with_context(|| format!("cannot make a folder in {}", stage.folder.display()))?;
        let http = api::http()?;
        let mut world = Self {
            server: None,
            api: Arc::new(Api::new(&http, "")),
            receiver: Receiver::start(&http).await?,
            http,
            binary: stage.binary.clone(),
            folder,
        };
        let data = world.data();
        std::fs::create_dir(&data)?;
        prepare(&data).with_context(|| format!("cannot fill {}", data.display()))?;
        world.start_server().await?;
        Ok(world)
    }

    /// Answers how long it took until it said that it is ready.
    pub(crate) async fn start_server(&mut self) -> anyhow::Result<Duration> {
        ensure!(self.server.is_none(), "a server runs already");
        let start = Instant::now();
        let (data, log) = (self.data(), self.log());
        let server = Server::start(&self.binary, &data, &log).await?;
        self.api = Arc::new(Api::new(&self.http, &server.base));
        self.server = Some(server);
        while !self.api.is_ready().await {
            ensure!(
                start.elapsed() < READY_WITHIN,
                "not ready within {READY_WITHIN:?}:\n{}",
                self.last_words()
            );
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(start.elapsed())
    }

    pub(crate) fn server(&self) -> anyhow::Result<&Server> {
        self.server.as_ref().context("no server runs")
    }

    /// SIGTERM; answers how long the server took to end.
    pub(crate) async fn stop_server(&mut self) -> anyhow::Result<Duration> {
        let server = self.server.take().context("no server runs")?;
        server.stop().await.with_context(|| self.last_words())
    }

    /// SIGKILL.
    pub(crate) async fn kill_server(&mut self) -> anyhow::Result<()> {
        self.server.take().context("no server runs")?.kill().await
    }

    /// What the server's database takes on disk.
    pub(crate) fn stored_mib(&self) -> anyhow::Result<f64> {
        let mut bytes = 0;
        for entry in std::fs::read_dir(self.data())? {
            let metadata = entry?.metadata()?;
            bytes += if metadata.is_file() {
                metadata.len()
            } else {
                0
            };
        }
        Ok(bytes as f64 / f64::from(1 << 20))
    }

    /// Nothing in it is needed any more: what is still under way is cut off.
    pub(crate) async fn end(mut self) -> anyhow::Result<()> {
        match self.server.take() {
            Some(server) => server.kill().await,
            None => Ok(()),
        }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("server.log")
    }

    /// The end of the server's log.
    pub(crate) fn last_words(&self) -> String {
        let log = std::fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

//! The receiver as the benchmark sees it: this program once more, as a process of its own, so that
//! what receiving costs is counted neither with the server nor with the generator.

mod place;
mod receipt;
mod serve;

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tokio::process::{Child, Command};

pub(crate) use place::{Manner, Place};
pub(crate) use receipt::Receipt;
pub(crate) use serve::serve;

use crate::server::{Lines, first_address};

/// The argument by which the second process knows what it is.
pub(crate) const CHILD: &str = "--as-receiver";

/// How often it is asked whether everything came.
const ASK_EVERY: Duration = Duration::from_millis(20);

pub(crate) struct Receiver {
    /// Killed when dropped; and it ends by itself when its standard input does.
    _child: Child,
    _stdout: Lines,
    base: String,
    http: reqwest::Client,
}

impl Receiver {
    pub(crate) async fn start(http: &reqwest::Client) -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(CHILD)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .context("cannot start the receiver")?;
        let (base, stdout) = first_address(&mut child)
            .await
            .context("the receiver did not start")?;
        Ok(Self {
            _child: child,
            _stdout: stdout,
            base,
            http: http.clone(),
        })
    }

    pub(crate) fn url(&self, place: Place) -> String {
        format!("{}{place}", self.base)
    }

    /// How many it answered with 200 at this place.
    pub(crate) async fn taken(&self, place: Place) -> anyhow::Result<u64> {
        let answer = self.http.get(format!("{}/-/taken{place}", self.base));
        let answer = answer.send().await?.error_for_status()?;
        Ok(answer.text().await?.parse()?)
    }

    /// What it noted since it was last asked, in order of arrival.
    pub(crate) async fn receipts(&self) -> anyhow::Result<Vec<Receipt>> {
        let answer = self.http.post(format!("{}/-/receipts", self.base));
        let text = answer.send().await?.error_for_status()?.text().await?;
        text.lines().map(str::parse).collect()
    }

    /// Waits until it took so many at this place.
    pub(crate) async fn until_taken(
        &self,
        place: Place,
        count: u64,
        within: Duration,
    ) -> anyhow::Result<()> {
        let start = Instant::now();
        loop {
            let taken = self.taken(place).await?;
            if taken >= count {
                return Ok(());
            }
            ensure!(
                start.elapsed() < within,
                "{taken} of {count} arrived at {place} within {} s",
                within.as_secs()
            );
            tokio::time::sleep(ASK_EVERY).await;
        }
    }
}

//! The receiver as the benchmark sees it: a process of its own, so that what receiving costs is
//! counted neither with the server nor with the generator.

mod book;
mod place;
mod receipt;
mod serve;
mod tally;

use std::time::{Duration, Instant};

use anyhow::ensure;

pub(crate) use place::{Manner, Place};
pub(crate) use receipt::Receipt;
pub(crate) use serve::serve;
pub(crate) use tally::{Counted, Hooks, Summary};

use crate::child::Child;
use crate::usage::Usage;

/// The subcommand of the second process.
pub(crate) const ROLE: &str = "receiver";

/// How often it is asked whether everything came.
const ASK_EVERY: Duration = Duration::from_millis(20);

pub(crate) struct Receiver {
    child: Child,
    http: reqwest::Client,
}

impl Receiver {
    pub(crate) async fn start(http: &reqwest::Client) -> anyhow::Result<Self> {
        Ok(Self {
            child: Child::start(ROLE).await?,
            http: http.clone(),
        })
    }

    pub(crate) fn url(&self, place: Place) -> String {
        format!("{}{place}", self.child.base)
    }

    /// Where deliveries to this hook are counted.
    pub(crate) fn counting_url(&self, hook: u32) -> String {
        format!("{}/count/{hook}", self.child.base)
    }

    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        Usage::of(self.child.pid)
    }

    /// Forgets what was counted, and counts this.
    pub(crate) async fn count(&self, counted: Counted) -> anyhow::Result<()> {
        let body = serde_json::to_string(&counted)?;
        self.ask("/-/count", body).await.map(drop)
    }

    /// Waits until so many deliveries came, or for so long. The receiver says it by itself: asking
    /// again and again would cost it time.
    pub(crate) async fn until_counted(&self, count: u64, within: Duration) -> anyhow::Result<()> {
        let request = self.http.post(format!("{}/-/until", self.child.base));
        let request = request.body(count.to_string()).timeout(within);
        match request.send().await {
            Ok(answer) => answer.error_for_status().map(drop).map_err(Into::into),
            // What is missing is in the summary.
            Err(why) if why.is_timeout() => Ok(()),
            Err(why) => Err(why.into()),
        }
    }

    /// Of what was counted, if so many events were posted.
    pub(crate) async fn summary(&self, events: u64) -> anyhow::Result<Summary> {
        let text = self.ask("/-/summary", events.to_string()).await?;
        Ok(serde_json::from_str(&text)?)
    }

    /// How many it answered with 200 at this place.
    pub(crate) async fn taken(&self, place: Place) -> anyhow::Result<u64> {
        let text = self.ask("/-/taken", place.to_string()).await?;
        Ok(text.parse()?)
    }

    /// What it noted since it was last asked, in order of arrival.
    pub(crate) async fn receipts(&self) -> anyhow::Result<Vec<Receipt>> {
        let text = self.ask("/-/receipts", String::new()).await?;
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

    async fn ask(&self, path: &str, body: String) -> anyhow::Result<String> {
        let request = self.http.post(format!("{}{path}", self.child.base));
        let answer = request.body(body).send().await?.error_for_status()?;
        Ok(answer.text().await?)
    }
}

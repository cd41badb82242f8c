//! What is started in which order, and how it ends.
//!
//! | up | down |
//! |---|---|
//! | port bound, so that a busy one is said before anything is touched | `/readyz` says no, nothing is accepted any more |
//! | store opened, admin token there | requests under way are answered |
//! | sandbox reads the plugin folder | attempts in flight end and are settled |
//! | API served, the line with its address printed | the store is closed |
//! | folder read once: delivery starts, `/readyz` says yes | exit 0 |
//!
//! What takes longer than the grace is cut off; the store knows it as pending. A second signal
//! ends the process at once, which is no worse than a crash: nothing acknowledged is lost.

mod admin;
mod parts;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::OnceCell;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use whisperer_delivery::DeliveryHandle;

use crate::api;
use crate::config::Config;
use crate::control;
use crate::edge;
use crate::open_files;
use crate::signals::Signals;
use crate::stdout::say;
use parts::Parts;
pub(crate) use parts::{KEY_FILE, files, private_folder};

/// For the part of the end that has no wait of its own in it.
const LAST_TASKS_TIME_MAX: Duration = Duration::from_secs(2);

/// Everything that runs, as far as ending it goes.
struct Running {
    parts: Parts,
    delivery: Arc<OnceCell<DeliveryHandle>>,
    /// Tasks of requests, and of all else: requests end first.
    requests: TaskTracker,
    workers: TaskTracker,
    no_more_requests: CancellationToken,
    no_more_work: CancellationToken,
    grace: Duration,
}

/// Runtimes beside the one that delivers.
pub(crate) struct Beside {
    /// Where the API answers.
    pub(crate) requests: Handle,
    /// For what nobody waits for.
    pub(crate) background: Handle,
}

/// Serves until a signal, then ends in order.
///
/// # Errors
/// What could not be started, or not be ended, and why.
pub(crate) async fn serve(config: Config, beside: Beside) -> anyhow::Result<()> {
    let mut signals = Signals::listen().context("cannot listen for signals")?;
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("cannot listen on {}", config.listen))?;
    let running = start(&config, listener, beside).await?;
    let first = signals.next().await;
    tracing::info!(
        grace_secs = running.grace.as_secs(),
        "stopping: requests and attempts in flight may end; a second signal ends at once"
    );
    tokio::select! {
        ended = running.end() => ended,
        second = signals.next() => {
            tracing::warn!(first, second, "ending at once, as told");
            std::process::exit(second)
        }
    }
}

async fn start(config: &Config, listener: TcpListener, beside: Beside) -> anyhow::Result<Running> {
    let address = listener
        .local_addr()
        .context("cannot tell the own address")?;
    let (requests, workers) = (TaskTracker::new(), TaskTracker::new());
    let (no_more_requests, no_more_work) = (CancellationToken::new(), CancellationToken::new());
    let parts = Parts::open(config, address, &workers, &no_more_work, beside.background)?;
    let running = Running {
        parts,
        delivery: Arc::default(),
        requests,
        workers,
        no_more_requests,
        no_more_work,
        grace: Duration::from_secs(config.grace_secs),
    };
    admin::ensure(&running.parts, config.admin_token.as_ref()).await?;

    let store = Arc::clone(&running.parts.store) as _;
    let stop = running.no_more_work.clone();
    // Some file systems take no sockets: everything else works without.
    if let Err(error) = control::start(&config.data, store, &running.workers, stop) {
        tracing::warn!(
            error = format!("{error:#}"),
            "backup, compact and check cannot reach this server"
        );
    }

    let router = api::router(running.parts.api(config, &running.delivery));
    let edge_config = edge::EdgeConfig {
        connections_max: open_files::connections_that_fit(
            config.connections_max,
            config.attempts_max,
        ),
        header_timeout: Duration::from_secs(config.header_timeout_secs),
    };
    running.requests.spawn_on(
        edge::serve(
            listener,
            router,
            edge_config,
            running.requests.clone(),
            running.no_more_requests.clone(),
        ),
        &beside.requests,
    );
    say(&format!("whisperer listening on http://{address}"));
    tracing::info!(%address, version = env!("CARGO_PKG_VERSION"), "serving");
    running.deliver_when_plugins_are_read(config);
    Ok(running)
}

impl Running {
    /// No lane may start before the folder was read: its events would go untransformed.
    fn deliver_when_plugins_are_read(&self, config: &Config) {
        let parts = self.parts.clone();
        let slot = Arc::clone(&self.delivery);
        let (workers, stop) = (self.workers.clone(), self.no_more_work.clone());
        let config = parts.delivery_config(config);
        let grace = self.grace;
        self.workers.spawn(async move {
            let read = parts.sandbox.reconciled();
            if stop.run_until_cancelled(read).await.is_none() {
                return;
            }
            let start = async || parts.deliver(config, workers, stop, grace);
            let delivery = slot.get_or_init(start).await.clone();
            parts.readiness.delivers(move || delivery.is_running());
            tracing::info!("the plugin folder is read: delivering");
        });
    }

    async fn end(self) -> anyhow::Result<()> {
        self.parts.readiness.start_draining();
        self.no_more_requests.cancel();
        self.requests.close();
        let requests = async {
            if timeout(self.grace, self.requests.wait()).await.is_err() {
                tracing::warn!("some requests were not answered within the grace");
            }
        };
        let attempts = async {
            if let Some(delivery) = self.delivery.get() {
                let drained = delivery.drain().await;
                if drained.aborted + drained.unsettled > 0 {
                    tracing::warn!(
                        aborted = drained.aborted,
                        unsettled = drained.unsettled,
                        "some attempts did not end within the grace and will be made again"
                    );
                }
            }
        };
        tokio::join!(requests, attempts);
        self.no_more_work.cancel();
        self.workers.close();
        if timeout(LAST_TASKS_TIME_MAX, self.workers.wait())
            .await
            .is_err()
        {
            tracing::warn!("some background work did not end");
        }
        self.parts
            .store
            .close()
            .await
            .context("the store could not be closed")?;
        tracing::info!("stopped");
        Ok(())
    }
}

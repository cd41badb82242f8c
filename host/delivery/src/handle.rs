//! Delivery from outside: start it, read its numbers, end it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use whisperer_domain::port::{Bell, FeedSink};

use crate::config::{DeliveryConfig, Ports};
use crate::feed::Feed;
use crate::reader;
use crate::scheduler::{self, Parts, Scheduler};
use crate::settler;
use crate::space::Space;
use crate::stats::{Counters, DeliveryStats};

/// Everything that delivers. It has no state: see [`Delivery::start`].
pub struct Delivery;

impl Delivery {
    /// Starts to deliver what is pending and whatever is committed from now on. The plugin
    /// folder must have been read once before.
    ///
    /// It ends when `stop` is cancelled: nothing new begins, what is in flight has `grace` to
    /// end and be settled, the rest is aborted. All its tasks are of `tracker`.
    #[must_use]
    pub fn start(
        config: DeliveryConfig,
        ports: Ports,
        tracker: TaskTracker,
        stop: CancellationToken,
        grace: Duration,
    ) -> DeliveryHandle {
        let space = Space::new(config.buffer_bytes);
        let (fresh_tx, fresh) = mpsc::channel(config.feed_rows_max);
        let feed = Arc::new(Feed::new(fresh_tx, space.clone()));
        let counters = Arc::<Counters>::default();
        // As many results as may be unsettled, and those of all that run at that moment.
        let (settle, results) = mpsc::channel(config.unsettled_max + config.attempts_max);
        let (reporter, reports) = scheduler::reports(&config, &feed);
        let abort = CancellationToken::new();
        let stop = stop.child_token();
        let (ended_tx, ended) = watch::channel(None);

        let settler_counters = Arc::clone(&counters);
        let settler_abort = abort.clone();
        let settler = (config.clone(), ports.clone(), reporter.clone());
        tracker.spawn(async move {
            let (config, ports, reporter) = settler;
            let settling = settler::run(results, config, ports, reporter, &settler_counters);
            settler_abort.run_until_cancelled(settling).await;
        });

        listen(&config, &ports, &feed, &tracker, &stop);

        let parts = Parts {
            config,
            ports,
            feed,
            fresh,
            space,
            counters: Arc::clone(&counters),
            settle,
            tracker: tracker.clone(),
            abort,
        };
        let scheduler = Scheduler::new(parts, reporter, reports);
        let scheduler_stop = stop.clone();
        tracker.spawn(async move {
            let run = Box::pin(scheduler.run(&scheduler_stop, grace));
            // A panic drops the sender, which `is_running` shows.
            match AssertUnwindSafe(run).catch_unwind().await {
                Ok(drained) => {
                    ended_tx.send_replace(Some(drained));
                }
                Err(_panic) => tracing::error!("the scheduler panicked: nothing is delivered"),
            }
        });
        DeliveryHandle {
            stop,
            ended,
            counters,
        }
    }
}

/// Has the feed told of commits, plugins, and all lanes that there are.
fn listen(
    config: &DeliveryConfig,
    ports: &Ports,
    feed: &Arc<Feed>,
    tracker: &TaskTracker,
    stop: &CancellationToken,
) {
    // Before the lanes are read: what is committed in between must not fall between.
    ports.ledger.feed(Arc::clone(feed) as Arc<dyn FeedSink>);
    let bell_feed = Arc::clone(feed);
    let bell: Bell = Arc::new(move || bell_feed.mark_plugins());
    ports.transform.on_change(bell);
    let (config, ports) = (config.clone(), ports.clone());
    let (feed, stop) = (Arc::clone(feed), stop.clone());
    tracker.spawn(async move {
        stop.run_until_cancelled(reader::acquire_all(&ports, &config, &feed))
            .await;
    });
}

/// Delivery that was started. Dropping it ends nothing.
#[derive(Clone)]
pub struct DeliveryHandle {
    stop: CancellationToken,
    ended: watch::Receiver<Option<Drained>>,
    counters: Arc<Counters>,
}

/// How delivery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Attempts that did not end within the grace: made again after the next start.
    pub aborted: usize,
    /// Results that the store did not take within the grace: attempted again as well.
    pub unsettled: usize,
}

impl DeliveryHandle {
    /// Begins nothing new, waits for what is in flight to end and be settled, and aborts what
    /// takes longer than the grace. May be called more than once.
    ///
    /// # Cancel safety
    /// Dropping the future ends the wait, not the draining.
    pub async fn drain(&self) -> Drained {
        self.stop.cancel();
        let mut ended = self.ended.clone();
        let drained = ended
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|drained| *drained);
        drained.unwrap_or_else(|| {
            let stats = self.stats();
            let count = |value| usize::try_from(value).unwrap_or(usize::MAX);
            Drained {
                aborted: count(stats.attempts_running),
                unsettled: count(stats.unsettled),
            }
        })
    }

    /// Whether the scheduler is there: false when it drained, or broke off, which needs a
    /// restart.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.ended.has_changed().is_ok() && self.ended.borrow().is_none()
    }

    #[must_use]
    pub fn stats(&self) -> DeliveryStats {
        self.counters.read()
    }
}

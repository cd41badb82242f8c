//! The generator: an open loop, which posts by its schedule's own times whatever the server does.
//!
//! A thread waits for each event's moment and hands the post to the runtime; it does not wait for
//! the answer. Where posts pile up beyond `IN_FLIGHT_MAX` it stalls, and the stall counts: what is
//! measured runs from when an event was due.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::api::Api;
use crate::event;
use crate::stamp::Stamp;
use crate::wall;

/// Posts that wait for their answer at one time.
const IN_FLIGHT_MAX: usize = 2_000;

pub(crate) struct Schedule {
    pub(crate) per_second: u64,
    pub(crate) lasts: Duration,
    /// The events take them in turn.
    pub(crate) event_types: Vec<String>,
    /// The number of the first event; those after it count on.
    pub(crate) first: u64,
}

/// What was posted, and which of it the server did not take.
pub(crate) struct Posted {
    pub(crate) first: u64,
    pub(crate) count: u64,
    per_second: u64,
    pub(crate) start_us: u64,
    /// By how much each was late to be handed to the client: the generator's own share of what
    /// is measured.
    pub(crate) late_us: Vec<u64>,
    /// Sorted. Each was answered otherwise than 202, or not at all.
    pub(crate) refused: Vec<u64>,
}

impl Posted {
    pub(crate) fn due_us(&self, number: u64) -> u64 {
        self.start_us + due_us(number - self.first, self.per_second)
    }
}

/// After the start.
fn due_us(nth: u64, per_second: u64) -> u64 {
    nth * 1_000_000 / per_second
}

/// A schedule at work; dropped, it ends.
pub(crate) struct Load {
    thread: JoinHandle<Posted>,
    stop: DropGuard,
}

impl Load {
    pub(crate) fn begin(api: &Arc<Api>, schedule: Schedule) -> Self {
        let stop = CancellationToken::new();
        let pacer = Pacer {
            api: Arc::clone(api),
            schedule,
            stop: stop.clone(),
            runtime: Handle::current(),
        };
        Self {
            thread: tokio::task::spawn_blocking(move || pacer.run()),
            stop: stop.drop_guard(),
        }
    }

    /// Waits for its end.
    pub(crate) async fn ended(self) -> anyhow::Result<Posted> {
        let posted = self.thread.await.context("the generator broke off");
        drop(self.stop);
        posted
    }

    /// Ends it now; what was posted is still answered.
    pub(crate) async fn stop(self) -> anyhow::Result<Posted> {
        drop(self.stop);
        self.thread.await.context("the generator broke off")
    }
}

struct Pacer {
    api: Arc<Api>,
    schedule: Schedule,
    stop: CancellationToken,
    runtime: Handle,
}

impl Pacer {
    fn run(self) -> Posted {
        let schedule = &self.schedule;
        let places = Arc::new(Semaphore::new(IN_FLIGHT_MAX));
        let refused = Arc::new(Mutex::new(Vec::new()));
        let posts = TaskTracker::new();
        let (start, start_us) = (Instant::now(), wall::now_us());
        let (mut count, mut late_us) = (0, Vec::new());
        loop {
            let after_us = due_us(count, schedule.per_second);
            let after = Duration::from_micros(after_us);
            if self.stop.is_cancelled() || after >= schedule.lasts {
                break;
            }
            std::thread::sleep(after.saturating_sub(start.elapsed()));
            // The semaphore is never closed.
            let Ok(place) = self.runtime.block_on(Arc::clone(&places).acquire_owned()) else {
                break;
            };
            let number = schedule.first + count;
            let stamp = Stamp {
                due_us: start_us + after_us,
                number,
            };
            let turn = usize::try_from(count).unwrap_or(0) % schedule.event_types.len();
            let body = event::body(&schedule.event_types[turn], stamp, None);
            let (api, refused) = (Arc::clone(&self.api), Arc::clone(&refused));
            let post = async move {
                let answer = api.event(body).await;
                if !answer.is_ok_and(|status| status == 202) {
                    let mut refused = refused.lock().unwrap_or_else(|it| it.into_inner());
                    refused.push(number);
                }
                drop(place);
            };
            posts.spawn_on(post, &self.runtime);
            let late = start.elapsed().saturating_sub(after);
            late_us.push(u64::try_from(late.as_micros()).unwrap_or(u64::MAX));
            count += 1;
        }
        posts.close();
        self.runtime.block_on(posts.wait());
        let mut refused = std::mem::take(&mut *refused.lock().unwrap_or_else(|it| it.into_inner()));
        refused.sort_unstable();
        Posted {
            first: schedule.first,
            count,
            per_second: schedule.per_second,
            start_us,
            late_us,
            refused,
        }
    }
}

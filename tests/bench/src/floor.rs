//! The machine's own limits, measured beside what is measured, so that figures of two days or two
//! machines can be compared by what they are of these.
//!
//! **The floor of a delivery**, in processor time of a server: an HTTP server that answers 202 to
//! the event (axum, and nothing behind it), one record of the payload in a database that commits 64
//! at a time (redb), both shared by all deliveries of the event; and an HTTP client that sends it
//! (hyper's, which is the generator's own). What a real server does beyond that is its own: a second
//! record for the result, signing, retries, fairness, and plugins, if the point has one.

mod axum_server;
mod disk;

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use http::{HeaderMap, StatusCode};
use serde::Serialize;

pub(crate) use axum_server::{ROLE, serve};
pub(crate) use disk::Disk;

use crate::child::Child;
use crate::generator::{Generator, Pace, Posted, Posts, Template, Types};
use crate::receiver::{Counted, Hooks, Receiver};
use crate::usage::Usage;

const CONNECTIONS: u32 = 64;

/// How long each part is measured, and what is not counted before.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Effort {
    pub(crate) warm_up: Duration,
    pub(crate) http: Duration,
    pub(crate) disk: Duration,
}

/// All in microseconds a message or record.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Floor {
    pub(crate) payload_bytes: usize,
    /// Processor time of axum, and of the generator that asked it.
    pub(crate) axum_us: f64,
    pub(crate) posting_us: f64,
    pub(crate) axum_per_sec: f64,
    /// Processor time of the client, and of the receiver that it sent to.
    pub(crate) client_us: f64,
    pub(crate) receiver_us: f64,
    pub(crate) client_per_sec: f64,
    pub(crate) disk: Disk,
}

impl Floor {
    pub(crate) async fn measure(
        folder: &Path,
        payload: (usize, &str),
        effort: Effort,
    ) -> anyhow::Result<Self> {
        let (payload_bytes, rest) = payload;
        let axum = Child::start(ROLE).await?;
        let posts = posts(&axum.base, StatusCode::ACCEPTED, rest)?;
        let usage = || Usage::of(axum.pid);
        let accepting = exchange(posts, usage, effort).await.context("bare axum")?;

        let receiver = Receiver::start(&crate::api::http()?).await?;
        let counted = Counted {
            hooks: Hooks::Every(1),
            first: 0,
        };
        receiver.count(counted).await?;
        let posts = self::posts(&receiver.counting_url(0), StatusCode::OK, rest)?;
        let usage = || receiver.usage();
        let sending = exchange(posts, usage, effort)
            .await
            .context("bare client")?;

        let (folder, lasts) = (folder.to_owned(), effort.disk);
        let disk =
            tokio::task::spawn_blocking(move || Disk::measure(&folder, payload_bytes, lasts));
        Ok(Self {
            payload_bytes,
            axum_us: accepting.other_us,
            posting_us: accepting.own_us,
            axum_per_sec: accepting.per_sec,
            client_us: sending.own_us,
            receiver_us: sending.other_us,
            client_per_sec: sending.per_sec,
            disk: disk.await.context("measuring the disk broke off")??,
        })
    }

    /// Processor time of a server for a delivery, where an event makes so many.
    pub(crate) fn delivery_us(&self, fan_out: u64) -> f64 {
        (self.axum_us + self.disk.of_64.cpu_us) / fan_out as f64 + self.client_us
    }

    /// Deliveries a second that this machine can do at most, if a server cost the floor and all
    /// cores were busy for server, generator and receiver alone.
    pub(crate) fn deliveries_per_sec(&self, fan_out: u64, cores: usize) -> f64 {
        let around = self.posting_us / fan_out as f64 + self.receiver_us;
        cores as f64 * 1e6 / (self.delivery_us(fan_out) + around)
    }

    pub(crate) fn words(&self) -> String {
        let Disk {
            of_64,
            of_256,
            sync,
            ..
        } = &self.disk;
        format!(
            "axum {:.1} us ({:.0}/s), client {:.1} us ({:.0}/s), generator {:.1}, receiver {:.1}, \
             redb a record {:.1} us of 64 and {:.1} of 256 (CPU; {:.1} and {:.1} in all), \
             fdatasync p50 {:.2} p99 {:.2} ms",
            self.axum_us,
            self.axum_per_sec,
            self.client_us,
            self.client_per_sec,
            self.posting_us,
            self.receiver_us,
            of_64.cpu_us,
            of_256.cpu_us,
            of_64.whole_us,
            of_256.whole_us,
            sync.p50_ms,
            sync.p99_ms
        )
    }
}

fn posts(url: &str, accepted: StatusCode, rest: &str) -> anyhow::Result<Posts> {
    let types = Types::One("bench.floor".to_owned());
    let body = r#"{"type":"{type}","payload":{payload}}"#;
    Ok(Posts {
        url: url.parse()?,
        headers: HeaderMap::new(),
        body: Template::new(body, "floor", &types, rest)?,
        accepted,
    })
}

struct Exchange {
    own_us: f64,
    other_us: f64,
    per_sec: f64,
}

/// The generator against one other process.
async fn exchange(
    posts: Posts,
    other: impl Fn() -> anyhow::Result<Usage>,
    effort: Effort,
) -> anyhow::Result<Exchange> {
    let mut generator = Generator::connect(posts, CONNECTIONS).await?;
    let warm_up = generator.load(Pace::Closed, effort.warm_up, 0).await?;
    let own = || Usage::of(std::process::id());
    let (own_before, other_before) = (own()?, other()?);
    let posted: Posted = generator
        .load(Pace::Closed, effort.http, warm_up.events)
        .await?;
    let each = |before: Usage, after: Usage| {
        1e6 * (after.cpu_secs - before.cpu_secs) / posted.events.max(1) as f64
    };
    Ok(Exchange {
        own_us: each(own_before, own()?),
        other_us: each(other_before, other()?),
        per_sec: posted.events as f64 / effort.http.as_secs_f64(),
    })
}

#[cfg(test)]
mod tests {
    use super::{Disk, Floor};

    #[test]
    fn accepting_and_storing_are_shared_by_the_deliveries_of_an_event() {
        let mut disk = Disk::default();
        disk.of_64.cpu_us = 8.0;
        let floor = Floor {
            payload_bytes: 1_024,
            axum_us: 12.0,
            posting_us: 10.0,
            axum_per_sec: 0.0,
            client_us: 11.0,
            receiver_us: 9.0,
            client_per_sec: 0.0,
            disk,
        };
        assert_eq!(floor.delivery_us(1), 31.0);
        assert_eq!(floor.delivery_us(10), 13.0);
        assert_eq!(floor.deliveries_per_sec(1, 2), 40_000.0);
    }
}

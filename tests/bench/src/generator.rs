//! The generator: posts events over a fixed number of connections, one task each, and notes how
//! long the server took to say that it has them.
//!
//! Closed, a connection posts its next event when the last one was accepted. Open, events are due
//! by a schedule whatever the server does: a connection that is free takes the next one, and all
//! times run from when it was due, so that a stall counts. hyper's own connection and nothing above
//! it, on the one thread of whoever calls: what the generator costs is taken from the server.

mod connection;
mod pace;
mod template;

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, ensure};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::Full;
use serde::Serialize;
use tokio::task::JoinSet;
use url::Url;

pub(crate) use pace::Pace;
pub(crate) use template::{Cut, Fill, Template, Types, cut};

use crate::quantiles::{Quantiles, Times};
use crate::stamp::Stamp;
use crate::wall;
use connection::Connection;
use pace::Turns;

/// What is posted, where to, and what says that it was accepted.
pub(crate) struct Posts {
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Template,
    pub(crate) accepted: StatusCode,
}

/// Connections that are open already: one load after another goes over the same.
pub(crate) struct Generator {
    posts: Arc<Posts>,
    head: Request<()>,
    connections: Vec<Connection>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Posted {
    pub(crate) first: u64,
    pub(crate) events: u64,
    /// When the first was due.
    pub(crate) start_us: u64,
    /// From when an event was due until it was accepted.
    pub(crate) answers: Quantiles,
    /// By how much events left later than they were due: in an open loop, the generator's own
    /// lateness or that of a server all of whose connections are waiting.
    pub(crate) late: Quantiles,
}

/// What the connections of one load share.
struct Load {
    posts: Arc<Posts>,
    turns: Turns,
    next: AtomicU64,
    first: u64,
    times: Mutex<(Times, Times)>,
}

impl Generator {
    pub(crate) async fn connect(posts: Posts, connections: u32) -> anyhow::Result<Self> {
        let host = posts.url.host_str().context("the URL has no host")?;
        let port = posts.url.port_or_known_default();
        let port = port.context("the URL has no port")?;
        ensure!(
            posts.url.scheme() == "http",
            "{}: the generator speaks http only, TLS would be measured with it",
            posts.url
        );
        let mut head = Request::new(());
        *head.method_mut() = Method::POST;
        *head.uri_mut() =
            posts.url[url::Position::BeforePath..url::Position::AfterQuery].parse()?;
        *head.headers_mut() = posts.headers.clone();
        let host_header = &posts.url[url::Position::BeforeHost..url::Position::AfterPort];
        head.headers_mut()
            .insert(header::HOST, HeaderValue::from_str(host_header)?);
        let address = tokio::net::lookup_host((host, port)).await?.next();
        let address = address.with_context(|| format!("{host} has no address"))?;
        let mut open = Vec::new();
        for _ in 0..connections {
            open.push(Connection::open(address).await?);
        }
        Ok(Self {
            posts: Arc::new(posts),
            head,
            connections: open,
        })
    }

    /// Posts for so long, and waits until all of it was accepted. Events are numbered from
    /// `first`.
    ///
    /// # Errors
    /// An answer is another one than it should be, or does not come.
    pub(crate) async fn load(
        &mut self,
        pace: Pace,
        lasts: Duration,
        first: u64,
    ) -> anyhow::Result<Posted> {
        let turns = Turns::begin(pace, lasts);
        let start_us = turns.start_us();
        let load = Arc::new(Load {
            posts: Arc::clone(&self.posts),
            turns,
            next: AtomicU64::new(0),
            first,
            times: Mutex::new((Times::new(), Times::new())),
        });
        let mut tasks = JoinSet::new();
        for connection in self.connections.drain(..) {
            tasks.spawn(work(connection, self.head.clone(), Arc::clone(&load)));
        }
        let mut events = 0;
        while let Some(ended) = tasks.join_next().await {
            // Those that are still at work end with the set.
            let (connection, posted) = ended.context("the generator broke off")??;
            self.connections.push(connection);
            events += posted;
        }
        let times = load.times.lock().unwrap_or_else(|it| it.into_inner());
        Ok(Posted {
            first,
            events,
            start_us,
            answers: times.0.quantiles(),
            late: times.1.quantiles(),
        })
    }
}

/// Answers how many events went over this connection.
async fn work(
    mut connection: Connection,
    head: Request<()>,
    load: Arc<Load>,
) -> anyhow::Result<(Connection, u64)> {
    let mut posted = 0;
    while let Some(turn) = load.turns.next(&load.next).await {
        let number = load.first + turn.nth;
        let now_us = wall::now_us();
        let due_us = turn.due_us.unwrap_or(now_us);
        let body = load.posts.body.fill(Fill {
            stamp: Stamp { due_us, number },
        });
        let request = head.clone().map(|()| Full::new(Bytes::from(body)));
        let answer = connection.exchange(request).await;
        let (status, text) = answer.with_context(|| format!("posting event {number}"))?;
        ensure!(
            status == load.posts.accepted,
            "event {number} was answered {status}, not {}: {}",
            load.posts.accepted.as_u16(),
            String::from_utf8_lossy(&text)
        );
        let answered_us = wall::now_us();
        let mut times = load.times.lock().unwrap_or_else(|it| it.into_inner());
        times.0.note_us(answered_us.saturating_sub(due_us));
        times.1.note_us(now_us.saturating_sub(due_us));
        posted += 1;
    }
    Ok((connection, posted))
}

//! A server that is counted, a receiver, and the deliveries between them.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use tempfile::TempDir;

use crate::counted::{Allocated, Teller};
use crate::support::eventually;
use crate::support::receiver::Receiver;
use crate::support::server::{ADMIN, Server, Setup};
use crate::wat::wat;

const PATIENCE: Duration = Duration::from_secs(60);
/// Of a guest that logs when an instance of it starts.
pub(crate) const STARTS: &str = "starts";

pub(crate) struct Counted {
    pub(crate) server: Server,
    pub(crate) receiver: Receiver,
    teller: Teller,
    /// What one look at the metrics takes.
    look: Allocated,
    posted: usize,
    _folder: TempDir,
}

/// What some deliveries took.
pub(crate) struct Took {
    pub(crate) allocated: Allocated,
    pub(crate) commits: f64,
}

/// What is posted, and how.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    pub(crate) events: usize,
    /// Posts that are out at one time; of one alone, the next goes when all is on disk that came of
    /// it.
    pub(crate) at_once: usize,
    pub(crate) payload_bytes: usize,
    /// Hooks that get each of them.
    pub(crate) fan_out: usize,
}

impl Counted {
    /// With hooks that have these plugins.
    pub(crate) async fn with(hooks: usize, plugins: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let setup = Setup::in_folder(folder.path());
        let file = setup.plugins().join(format!("{STARTS}.wasm"));
        std::fs::write(file, wat(STARTS)).unwrap();
        let as_set_up = setup.command();
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        command.args(as_set_up.get_args());
        let (teller, server) = Teller::of(command, |command| Server::start_as(&setup, command));
        let counted = Self {
            server: server.ready().await,
            receiver: Receiver::accepting().await,
            teller,
            look: Allocated {
                times: 0.0,
                bytes: 0.0,
            },
            posted: 0,
            _folder: folder,
        };
        let chain: Vec<_> = plugins
            .iter()
            .map(|name| json!({"name": name, "config": {}}))
            .collect();
        for number in 0..hooks {
            let target = counted.receiver.url(&format!("/{number}"));
            let hook =
                json!({"target_url": target, "event_type": "package.created", "plugins": chain});
            counted.server.hook(hook).await;
        }
        counted
    }

    /// What is made once and kept, by the first deliveries, is not theirs.
    pub(crate) async fn warm_up(&mut self, load: Load) {
        let some = Load {
            events: load.events / 5,
            ..load
        };
        self.deliver(some).await;
        let looks = 64;
        let before = self.teller.ask();
        for _ in 0..looks {
            self.metric("whisperer_store_commits_total").await;
        }
        self.look = (self.teller.ask() - before).by(looks);
    }

    pub(crate) async fn deliver(&mut self, load: Load) -> Took {
        let commits = self.metric("whisperer_store_commits_total").await;
        let before = self.teller.ask();
        let body = body(load.payload_bytes);
        let mut looks = 0;
        if load.at_once == 1 {
            for _ in 0..load.events {
                self.post(&body).await;
                self.posted += load.fan_out;
                looks += self.all_on_disk().await;
            }
        } else {
            let each = load.events / load.at_once;
            let posters = (0..load.at_once).map(async |_| {
                for _ in 0..each {
                    self.post(&body).await;
                }
            });
            join_all(posters).await;
            self.posted += each * load.at_once * load.fan_out;
            looks += self.all_on_disk().await;
        }
        let allocated = self.teller.ask() - before;
        let commits = self.metric("whisperer_store_commits_total").await - commits;
        Took {
            allocated: allocated - self.look.of(looks),
            commits,
        }
    }

    async fn post(&self, body: &str) {
        let url = format!("{}/whisperer/events/", self.server.base);
        let request = self.server.http().post(url);
        let request = request
            .header("authorization", format!("Token {ADMIN}"))
            .header("content-type", "application/json");
        let answer = request.body(body.to_owned()).send().await.unwrap();
        assert_eq!(answer.status(), 202);
        // Read to its end, the connection serves the next.
        answer.bytes().await.unwrap();
    }

    /// Waits until each delivery is settled, and says how often it looked.
    async fn all_on_disk(&self) -> usize {
        let looks = std::cell::Cell::new(0);
        eventually("all is delivered", PATIENCE, async || {
            if self.receiver.count() < self.posted {
                return None;
            }
            looks.set(looks.get() + 1);
            let text = self.metrics().await;
            let delivered = value(&text, "whisperer_attempts_total{outcome=\"delivered\"}");
            // A lane is there for as long as anything of it is not on disk.
            let lanes = value(&text, "whisperer_lanes");
            (delivered >= self.posted as f64 && lanes == 0.0).then_some(())
        })
        .await;
        looks.get()
    }

    pub(crate) async fn metric(&self, name: &str) -> f64 {
        value(&self.metrics().await, name)
    }

    async fn metrics(&self) -> String {
        let url = format!("{}/metrics", self.server.base);
        let answer = self.server.http().get(url).send().await.unwrap();
        answer.text().await.unwrap()
    }
}

/// 0 if it is not there: what never happened is not told.
fn value(metrics: &str, name: &str) -> f64 {
    let mut lines = metrics.lines();
    let found = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    found.map_or(0.0, |value| value.parse().unwrap())
}

/// An event with so much of a payload: many small members, as orders have them.
fn body(payload_bytes: usize) -> String {
    let mut payload = "{\"number\": \"P-1\"".to_owned();
    for member in 0.. {
        let text =
            format!(", \"item{member}\": {{\"sku\": \"art-{member}\", \"count\": {member}}}");
        if payload.len() + text.len() + 12 > payload_bytes {
            break;
        }
        payload.push_str(&text);
    }
    let rest = payload_bytes - payload.len() - 10;
    payload.push_str(&format!(", \"n\": \"{}\"}}", "x".repeat(rest)));
    assert_eq!(payload.len(), payload_bytes);
    format!("{{\"type\": \"package.created\", \"payload\": {payload}}}")
}

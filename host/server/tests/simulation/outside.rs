//! What is beyond delivery: the chain of plugins, and the receivers.

use std::time::Duration;

use bytes::Bytes;
use whisperer_domain::attempt::{PluginRun, Response};
use whisperer_domain::delivery::Waiting;
use whisperer_domain::event::Event;
use whisperer_domain::hook::PluginChoice;
use whisperer_domain::id::Digest;
use whisperer_domain::outcome::{Asks, UnreachableCause};
use whisperer_domain::plugin::PluginName;
use whisperer_domain::port::{
    Bell, BoxFuture, Catalog, Chained, Exchange, Exchanged, Made, OutboundRequest, Transform,
    TransformJob, Transformed, Transport,
};

use crate::life::Life;
use crate::model::Came;
use crate::ops::{ChainState, Manner, pick};
use crate::world::State;

/// A chain takes up to so many milliseconds, a receiver that is well up to so many, and one that
/// answers at once.
const CHAIN_MS: u64 = 5;
const WELL_MS: u64 = 20;
const AT_ONCE_MS: u64 = 3;

impl Transform for Life {
    fn run(&self, job: TransformJob) -> BoxFuture<'_, Transformed> {
        Box::pin(async move {
            self.living().await;
            let applies = job.choice == PluginChoice::ByPattern;
            let hook = self.world.hook(job.hook);
            let (chained, time) = {
                let now = self.world.now();
                let mut state = self.world.state();
                let chained = if applies {
                    chained(state.chain, &job.event)
                } else {
                    Chained::Unchanged
                };
                let (key, current) = (job.event.key, hook.as_ref());
                state.model.chain(job.hook, key, &chained, current, now);
                (
                    chained,
                    if applies {
                        state.millis(CHAIN_MS)
                    } else {
                        Duration::ZERO
                    },
                )
            };
            self.pass(time).await;
            let now = self.world.now();
            self.world
                .state()
                .model
                .chained(job.hook, job.event.key, now);
            Transformed {
                runs: runs(&chained),
                result: chained,
                took: time,
            }
        })
    }

    fn on_change(&self, bell: Bell) {
        self.world.state().bell = Some(bell);
    }
}

fn chained(state: ChainState, event: &Event) -> Chained {
    let plugin = plugin();
    let text = || ("simulated".to_owned(), "simulated".to_owned());
    match state {
        ChainState::Unchanged => Chained::Unchanged,
        ChainState::Missing => Chained::Deferred(Waiting::PluginMissing(plugin)),
        ChainState::NotReady => Chained::Deferred(Waiting::PluginNotReady(plugin)),
        ChainState::Failing(kind) => {
            let (code, message) = text();
            Chained::Failed {
                plugin,
                kind,
                code,
                message,
            }
        }
        ChainState::Picky { one_in, .. } if event.key.0.is_multiple_of(one_in) => {
            let (code, message) = text();
            Chained::Discarded {
                plugin,
                code,
                message,
            }
        }
        ChainState::Made { generation } | ChainState::Picky { generation, .. } => {
            let payload = format!("{{\"event\":{},\"by\":{generation}}}", event.key.0);
            Chained::Made(Made {
                payload: Some(Bytes::from(payload)),
                content_type: None,
                bare: false,
                header_ops: Vec::new(),
            })
        }
    }
}

fn plugin() -> PluginName {
    PluginName::parse("simulated").expect("a valid name")
}

fn runs(chained: &Chained) -> Vec<PluginRun> {
    match chained {
        Chained::Unchanged | Chained::Deferred(_) => Vec::new(),
        Chained::Made(_) | Chained::Discarded { .. } | Chained::Failed { .. } => vec![PluginRun {
            plugin: plugin(),
            digest: Digest([7; 32]),
            took_us: 0,
            result: "simulated".to_owned(),
            log: Vec::new(),
        }],
    }
}

impl Transport for Life {
    fn send(&self, request: OutboundRequest) -> BoxFuture<'_, Exchange> {
        Box::pin(async move {
            self.living().await;
            let webhook_id = request
                .headers
                .iter()
                .find(|(name, _)| name == "webhook-id")
                .map_or_else(|| "none".to_owned(), |(_, value)| value.read(str::to_owned));
            let snapshot = self.world.store.snapshot();
            let hook = |id| snapshot.hooks.get(&id).cloned();
            let now = self.world.now();
            let (sequence, (came, time)) = {
                let mut state = self.world.state();
                let sequence = state.model.send(&webhook_id, &request.body, hook, now);
                (sequence, answer(&mut state, &request))
            };
            self.pass(time).await;
            if let Some(sequence) = sequence {
                let now = self.world.now();
                self.world.state().model.end(sequence, came.clone(), now);
            }
            Exchange {
                result: exchanged(came),
                connect: Duration::ZERO,
                total: time,
            }
        })
    }
}

/// What the receiver will answer, and after what time.
fn answer(state: &mut State, request: &OutboundRequest) -> (Came, Duration) {
    let host = request.url.as_url().host_str().unwrap_or_default();
    let digits: String = host.chars().filter(char::is_ascii_digit).collect();
    let place: usize = digits.parse().unwrap_or_default();
    let passing = [
        Manner::Well,
        Manner::Well,
        Manner::Refuse,
        Manner::Reset,
        Manner::TimeOut,
        Manner::Slow { ms: 1_500 },
        Manner::Down {
            retry_after_secs: None,
        },
        Manner::TooMany {
            retry_after_secs: Some(2),
        },
    ];
    let manner = match state.receivers.get(place).copied() {
        Some(Manner::Mixed) => pick(&mut state.rng, &passing),
        Some(manner) => manner,
        None => Manner::Well,
    };
    let soon = state.millis(if place == 0 { AT_ONCE_MS } else { WELL_MS });
    let status = |status, retry_after: Option<u64>, asks| Came::Answered {
        status,
        retry_after: retry_after.map(Duration::from_secs),
        asks,
    };
    match manner {
        Manner::Well | Manner::Mixed => (status(200, None, None), soon),
        Manner::Slow { ms } => (status(204, None, None), Duration::from_millis(ms)),
        Manner::Refuse => (status(500, None, None), soon),
        Manner::Down { retry_after_secs } => (status(503, retry_after_secs, None), soon),
        Manner::TooMany { retry_after_secs } => (status(429, retry_after_secs, None), soon),
        Manner::TimeOut => (Came::Nothing { timed_out: true }, request.timeout),
        Manner::Reset => (Came::Nothing { timed_out: false }, soon),
        Manner::Gone => (status(410, None, None), soon),
        Manner::Abort => (status(400, None, Some(Asks::Abort)), soon),
        Manner::Disable => (status(400, None, Some(Asks::Disable)), soon),
    }
}

fn exchanged(came: Came) -> Exchanged {
    match came {
        Came::Answered {
            status,
            retry_after,
            asks,
        } => Exchanged::Answered {
            response: Response {
                status,
                headers: Vec::new(),
                body: Bytes::new(),
                truncated: false,
            },
            retry_after,
            asks,
        },
        Came::Nothing { timed_out: true } => Exchanged::TimedOut {
            while_doing: "simulated".to_owned(),
        },
        Came::Nothing { timed_out: false } | Came::Unsent(_) => Exchanged::Unreachable {
            cause: UnreachableCause::Reset,
            message: "simulated".to_owned(),
        },
    }
}

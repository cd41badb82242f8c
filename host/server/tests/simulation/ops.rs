//! What happens in one simulated world: a plan of its hooks, and a list of operations. Both are
//! plain data made from a seed, so that a list that fails can be told, repeated and made shorter.

mod draw;

use std::time::Duration;

use fastrand::Rng;
use whisperer_domain::delivery::StateKind;
use whisperer_domain::hook::{OnPluginError, Ordered};
use whisperer_domain::plugin::PluginFailure;
use whisperer_domain::schedule::RetryConfig;

pub(crate) use draw::pick;
use draw::{max_attempts, max_in_flight, op, ordered, rate_limit, retry};

/// Operations in one list.
const OPS: std::ops::Range<usize> = 30..70;

/// What a world begins with.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    /// The first one is healthy and stays so: see [`HookPlan::healthy`].
    pub(crate) hooks: Vec<HookPlan>,
    /// The last hook listens to operational events.
    pub(crate) listens: bool,
    pub(crate) bounds: Bounds,
    pub(crate) ops: Vec<Op>,
}

/// How much delivery may hold and how long it has patience.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// So little room that lanes overflow and read from the store.
    pub(crate) narrow: bool,
    pub(crate) disabled_after: Duration,
}

#[derive(Clone, Debug)]
pub(crate) struct HookPlan {
    pub(crate) ordered: Ordered,
    pub(crate) rate_limit: Option<u32>,
    pub(crate) max_in_flight: u16,
    pub(crate) retry: RetryConfig,
    pub(crate) max_attempts: Option<u32>,
    pub(crate) max_age: Duration,
    /// Whether its events go through the chain.
    pub(crate) transformed: bool,
    pub(crate) on_plugin_error: OnPluginError,
}

/// How a receiver answers, until it is told otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    Well,
    /// Well, after so long.
    Slow {
        ms: u64,
    },
    Refuse,
    /// 503, and 429.
    Down {
        retry_after_secs: Option<u64>,
    },
    TooMany {
        retry_after_secs: Option<u64>,
    },
    TimeOut,
    Reset,
    /// 410.
    Gone,
    /// Refuses, and asks for this one not to be sent again.
    Abort,
    /// Refuses, and asks for nothing more at all.
    Disable,
    /// Each time something else, of what passes.
    Mixed,
}

/// What the chain of plugins does, until it is swapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChainState {
    /// This generation of it changes the payload.
    Made {
        generation: u8,
    },
    Unchanged,
    Missing,
    NotReady,
    Failing(PluginFailure),
    /// It discards one event in so many, and changes the others.
    Picky {
        generation: u8,
        one_in: u64,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outage {
    /// Nothing can be written: results wait.
    Refuses,
    /// It is written, but the store cannot say so.
    Forgets,
    /// Nothing can be read.
    Unreadable,
    All,
}

/// Hooks are meant by their place in the plan, deliveries by their place among all that there are
/// then; what is out of range counts from the start again.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Post {
        hooks: Vec<usize>,
        object: Option<u8>,
        times: u8,
    },
    Receive {
        hook: usize,
        manner: Manner,
    },
    Swap(ChainState),
    Pause(usize),
    Stop(usize),
    Resume(usize),
    Delete(usize),
    Order {
        hook: usize,
        ordered: Ordered,
    },
    Limit {
        hook: usize,
        rate_limit: Option<u32>,
        max_in_flight: u16,
    },
    Schedule {
        hook: usize,
        retry: RetryConfig,
        max_attempts: Option<u32>,
    },
    Retry {
        nth: usize,
        force: bool,
    },
    Requeue {
        hook: usize,
        state: StateKind,
    },
    Cancel {
        hook: usize,
    },
    Replay {
        nth: usize,
        hooks: Vec<usize>,
    },
    Wait {
        ms: u64,
    },
    Crash {
        down_ms: u64,
    },
    /// Ends as it should, within the grace, and starts again.
    Restart {
        down_ms: u64,
    },
    /// The lane is taken away, and given back at once.
    Revoke {
        hook: usize,
    },
    /// It is taken away, and delivery is told nothing, until it is given the lane or starts anew.
    Lose {
        hook: usize,
    },
    Outage {
        kind: Outage,
        ms: u64,
    },
}

impl Plan {
    pub(crate) fn of(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let others = rng.usize(2..=5);
        let mut hooks = vec![HookPlan::healthy()];
        hooks.extend((0..others).map(|_| HookPlan::any(&mut rng)));
        let count = rng.usize(OPS);
        let ops = (0..count).map(|_| op(&mut rng, hooks.len())).collect();
        Self {
            seed,
            listens: rng.u8(..4) == 0,
            bounds: Bounds {
                narrow: rng.u8(..3) == 0,
                disabled_after: pick(&mut rng, &[600, 7_200, 432_000].map(Duration::from_secs)),
            },
            hooks,
            ops,
        }
    }
}

impl HookPlan {
    /// Without limits, and nothing but posts ever happens to it.
    fn healthy() -> Self {
        Self {
            ordered: Ordered::No,
            rate_limit: None,
            max_in_flight: 8,
            retry: RetryConfig::default(),
            max_attempts: None,
            max_age: Duration::from_secs(7 * 24 * 3600),
            transformed: false,
            on_plugin_error: OnPluginError::Retry,
        }
    }

    fn any(rng: &mut Rng) -> Self {
        Self {
            ordered: ordered(rng),
            rate_limit: rate_limit(rng),
            max_in_flight: max_in_flight(rng),
            retry: retry(rng),
            max_attempts: max_attempts(rng),
            max_age: Duration::from_secs(pick(rng, &[60, 3_600, 86_400, 604_800, 604_800])),
            transformed: rng.bool(),
            on_plugin_error: pick(
                rng,
                &[
                    OnPluginError::Retry,
                    OnPluginError::Retry,
                    OnPluginError::Dead,
                    OnPluginError::Send,
                ],
            ),
        }
    }
}

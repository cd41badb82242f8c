//! Operations by chance. How often each comes is chosen so that a list of some fifty has a bit of
//! everything, posts and waits most of all.

use fastrand::Rng;
use whisperer_domain::delivery::StateKind;
use whisperer_domain::hook::Ordered;
use whisperer_domain::plugin::PluginFailure;
use whisperer_domain::schedule::RetryConfig;

use super::{ChainState, Manner, Op, Outage};

pub(super) fn op(rng: &mut Rng, hooks: usize) -> Op {
    let hook = rng.usize(1..hooks);
    match rng.u8(..100) {
        0..=29 => Op::Post {
            hooks: some(rng, 0..hooks),
            object: [None, Some(rng.u8(..3))][usize::from(rng.u8(..4) > 0)],
            times: pick(rng, &[1, 1, 2, 5, 12]),
        },
        30..=44 => Op::Receive {
            hook,
            manner: manner(rng),
        },
        45..=49 => Op::Swap(chain(rng)),
        50 => Op::Pause(hook),
        51 => Op::Stop(hook),
        52..=54 => Op::Resume(hook),
        55 if rng.bool() => Op::Delete(hook),
        55..=57 => Op::Order {
            hook,
            ordered: ordered(rng),
        },
        58..=59 => Op::Limit {
            hook,
            rate_limit: rate_limit(rng),
            max_in_flight: max_in_flight(rng),
        },
        60 => Op::Schedule {
            hook,
            retry: retry(rng),
            max_attempts: max_attempts(rng),
        },
        61..=64 => Op::Retry {
            nth: rng.usize(..200),
            force: rng.bool(),
        },
        65..=66 => Op::Requeue {
            hook,
            state: pick(rng, &StateKind::ALL),
        },
        67 => Op::Cancel { hook },
        68..=69 => Op::Replay {
            nth: rng.usize(..200),
            hooks: some(rng, 1..hooks),
        },
        70..=72 => Op::Crash {
            down_ms: pick(rng, &[0, 0, 5, 2_000, 600_000]),
        },
        73..=74 => Op::Restart {
            down_ms: pick(rng, &[0, 50, 60_000]),
        },
        75 => Op::Revoke { hook },
        76 => Op::Lose { hook },
        77..=78 => Op::Outage {
            kind: pick(
                rng,
                &[
                    Outage::Refuses,
                    Outage::Forgets,
                    Outage::Unreadable,
                    Outage::All,
                ],
            ),
            ms: pick(rng, &[3, 200, 5_000, 60_000]),
        },
        _ => Op::Wait { ms: wait_ms(rng) },
    }
}

/// From the times of one attempt to those of schedules.
fn wait_ms(rng: &mut Rng) -> u64 {
    match rng.u8(..10) {
        0..=2 => rng.u64(1..30),
        3..=5 => rng.u64(30..3_000),
        6..=7 => rng.u64(3_000..60_000),
        8 => rng.u64(60_000..3_600_000),
        _ => rng.u64(3_600_000..100_000_000),
    }
}

fn manner(rng: &mut Rng) -> Manner {
    match rng.u8(..16) {
        0..=3 => Manner::Well,
        4 => Manner::Slow {
            ms: rng.u64(500..9_000),
        },
        5..=6 => Manner::Refuse,
        7 => Manner::Down {
            retry_after_secs: retry_after(rng),
        },
        8 => Manner::TooMany {
            retry_after_secs: retry_after(rng),
        },
        9..=10 => Manner::TimeOut,
        11 => Manner::Reset,
        12 => pick(rng, &[Manner::Gone, Manner::Mixed]),
        13 => pick(rng, &[Manner::Abort, Manner::Mixed]),
        14 => pick(rng, &[Manner::Disable, Manner::Mixed]),
        _ => Manner::Mixed,
    }
}

fn retry_after(rng: &mut Rng) -> Option<u64> {
    pick(
        rng,
        &[None, Some(0), Some(1), Some(30), Some(600), Some(90_000)],
    )
}

fn chain(rng: &mut Rng) -> ChainState {
    let generation = rng.u8(..);
    match rng.u8(..10) {
        0..=2 => ChainState::Made { generation },
        3 => ChainState::Unchanged,
        4..=5 => ChainState::Missing,
        6 => ChainState::NotReady,
        7 => ChainState::Failing(pick(
            rng,
            &[
                PluginFailure::Trap,
                PluginFailure::Timeout,
                PluginFailure::Retry,
                PluginFailure::Busy,
                PluginFailure::Reject,
            ],
        )),
        _ => ChainState::Picky {
            generation,
            one_in: rng.u64(1..4),
        },
    }
}

pub(super) fn ordered(rng: &mut Rng) -> Ordered {
    pick(
        rng,
        &[Ordered::No, Ordered::Hook, Ordered::Hook, Ordered::Object],
    )
}

pub(super) fn rate_limit(rng: &mut Rng) -> Option<u32> {
    pick(rng, &[None, None, None, Some(1), Some(3), Some(25)])
}

pub(super) fn max_in_flight(rng: &mut Rng) -> u16 {
    pick(rng, &[1, 2, 4, 8, 16])
}

pub(super) fn max_attempts(rng: &mut Rng) -> Option<u32> {
    pick(rng, &[None, None, Some(1), Some(3), Some(12)])
}

pub(super) fn retry(rng: &mut Rng) -> RetryConfig {
    match rng.u8(..6) {
        0 => RetryConfig::Fixed {
            seconds: pick(rng, &[0, 1, 10, 600]),
        },
        1 => RetryConfig::Linear {
            base: rng.u64(..20),
            limit: pick(rng, &[None, Some(60)]),
        },
        2 => RetryConfig::Exponential {
            base: 2,
            factor: rng.u64(1..5),
            limit: Some(3_600),
        },
        3 => RetryConfig::Random {
            min_value: 1,
            max_value: rng.u64(1..90),
        },
        _ => RetryConfig::Schedule {
            seconds: vec![1, rng.u64(2..30), rng.u64(30..900), 3_600],
        },
    }
}

fn some(rng: &mut Rng, of: std::ops::Range<usize>) -> Vec<usize> {
    let mut some: Vec<usize> = of.clone().filter(|_| rng.u8(..5) < 2).collect();
    if some.is_empty() {
        some.push(rng.usize(of));
    }
    some
}

pub(crate) fn pick<T: Clone>(rng: &mut Rng, of: &[T]) -> T {
    of[rng.usize(..of.len())].clone()
}

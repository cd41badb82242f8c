//! A million deliveries are pending when the server is started: half of them are due, to a hook
//! that is a black hole, and half lie with a hook that is paused. How long it takes to be ready,
//! what memory it holds, and whether a fresh event for a healthy hook waits for any of them.

use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::json;

use crate::backlog;
use crate::lanes::latency::{Arrivals, Latencies};
use crate::lanes::load::{Load, Schedule};
use crate::lanes::plan::Plan;
use crate::lanes::report::{Report, Row, Verdict};
use crate::receiver::Manner;
use crate::usage::Usage;
use crate::world::{Stage, World};

const NAME: &str = "million";
/// Fresh events after each start, the first as soon as the server is ready.
const PER_SECOND: u64 = 4;
const LASTS: Duration = Duration::from_secs(10);
/// A hook's state does not count all of them.
const PENDING_SHOWN_MAX: u64 = 50_000;
const ARRIVE_WITHIN: Duration = Duration::from_secs(10);

struct Start {
    ready: Duration,
    /// Attempts at the black hole since then: what is pending there is at work.
    tried: usize,
    usage: Usage,
    fresh: Latencies,
}

pub(crate) async fn run(stage: &Stage, plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    let mut world = World::start(stage).await?;
    let (hole, paused, healthy) = (Manner::Hole.at(0), Manner::Fast.at(1), Manner::Fast.at(0));
    let (api, receiver) = (&world.api, &world.receiver);
    let due = api.hook(receiver, "lane.hole", hole, json!({})).await?;
    let held = api.hook(receiver, "lane.paused", paused, json!({})).await?;
    api.pause(held).await?;
    api.hook(receiver, "lane.fresh", healthy, json!({})).await?;

    report.say(NAME, &format!("posting {} events", plan.pending));
    let begin = Instant::now();
    backlog::post(api, &["lane.hole", "lane.paused"], 0, plan.pending).await?;
    let rate = plan.pending as f64 / begin.elapsed().as_secs_f64();
    let usage = world.server()?.usage()?;
    let stopped = world.stop_server().await?;
    let stored = world.stored_mib()?;
    let posting = format!(
        "{rate:.0} events/s in batches, peak {:.0} MiB, stop {:.1} s, {stored:.0} MiB on disk",
        usage.peak_mib,
        stopped.as_secs_f64()
    );
    report.leg(NAME, "posting", &posting, &usage);

    let mut starts = Vec::new();
    for number in 0..plan.restarts {
        if number > 0 {
            world.stop_server().await?;
        }
        let first = plan.pending + u64::from(number) * 1_000;
        let start = start(&mut world, first).await?;
        // Or all of this would prove nothing.
        for hook in [due, held] {
            let pending = world.api.pending(hook).await?;
            let expected = (plan.pending / 2).min(PENDING_SHOWN_MAX);
            ensure!(
                pending >= expected,
                "only {pending} are pending with hook {hook}"
            );
        }
        let ready_ms = start.ready.as_secs_f64() * 1e3;
        let words = format!(
            "ready after {ready_ms:.0} ms, peak {:.0} MiB, settled {:.0} MiB; {} attempts at the \
             hole; fresh {}",
            start.usage.peak_mib,
            start.usage.resident_mib,
            start.tried,
            start.fresh.words()
        );
        let figures = json!({"ready_ms": ready_ms, "usage": start.usage, "fresh": start.fresh});
        report.leg(NAME, &format!("start {}", number + 1), &words, &figures);
        starts.push(start);
    }
    world.end().await?;
    rows(&starts, plan, report);
    report.row(Row::note(NAME, "posting them", posting));
    Ok(())
}

async fn start(world: &mut World, first: u64) -> anyhow::Result<Start> {
    // What the server before got there.
    world.receiver.receipts().await?;
    let ready = world.start_server().await?;
    let schedule = Schedule {
        per_second: PER_SECOND,
        lasts: LASTS,
        event_types: vec!["lane.fresh".to_owned()],
        first,
    };
    let posted = Load::begin(&world.api, schedule).ended().await?;
    let healthy = Manner::Fast.at(0);
    let (waited, mut receipts) = (Instant::now(), Vec::new());
    let fresh = loop {
        receipts.extend(world.receiver.receipts().await?);
        let arrivals = Arrivals::of(&receipts, |place| place == healthy);
        let fresh = Latencies::of(&posted, &arrivals, 0..u64::MAX, |_| true);
        if fresh.missing == 0 || waited.elapsed() > ARRIVE_WITHIN {
            break fresh;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let usage = world.server()?.usage()?;
    let tried = receipts.iter().filter(|it| it.place.manner == Manner::Hole);
    let tried = tried.count();
    ensure!(
        tried > 0,
        "the hook with a backlog that is due was not tried at all"
    );
    Ok(Start {
        ready,
        tried,
        usage,
        fresh,
    })
}

fn rows(starts: &[Start], plan: &Plan, report: &mut Report) {
    let all = |of: fn(&Start) -> f64| -> (String, f64) {
        let values: Vec<f64> = starts.iter().map(of).collect();
        let told: Vec<String> = values.iter().map(|it| format!("{it:.0}")).collect();
        (told.join(", "), values.into_iter().fold(0.0, f64::max))
    };
    let pending = plan.pending;
    let (told, worst) = all(|it| it.ready.as_secs_f64() * 1e3);
    report.row(Row::bar(
        NAME,
        format!("start to ready after a clean stop, {pending} pending"),
        format!("{told} ms"),
        ("under 2,000 ms", Verdict::of(worst < 2_000.0)),
    ));
    let (told, worst) = all(|it| it.usage.peak_mib);
    let (settled, _) = all(|it| it.usage.resident_mib);
    report.row(Row::bar(
        NAME,
        "the server's peak memory after it, and settled",
        format!("peak {told} MiB, settled {settled} MiB"),
        ("under 150 MiB", Verdict::of(worst < 150.0)),
    ));
    let (told, worst) = all(|it| it.fresh.max_ms);
    let (median, _) = all(|it| it.fresh.p50_ms);
    let arrived = starts.iter().all(|it| it.fresh.all_arrived());
    report.row(Row::bar(
        NAME,
        "slowest of the fresh events for a healthy hook",
        format!("{told} ms, medians {median} ms"),
        ("under 50 ms", Verdict::of(worst < 50.0).and(arrived)),
    ));
}

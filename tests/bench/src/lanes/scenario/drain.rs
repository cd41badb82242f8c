//! A hook comes back to its backlog: it was paused and is resumed. How fast it drains while a
//! healthy hook gets events, against the same backlog of the same hook drained with nothing else
//! to do, which is what "unhindered" means here; and what the healthy hook notices.
//!
//! One turn, on a server of its own: the healthy hook alone with the backlog lying there (A), the
//! drain beside it (B), and, after as many events were posted again, the drain alone.

use std::time::Duration;

use anyhow::Context;
use serde_json::json;

use crate::backlog;
use crate::lanes::latency::{Arrivals, Latencies};
use crate::lanes::load::{Load, Posted, Schedule};
use crate::lanes::pairs::{Pair, Pairs};
use crate::lanes::plan::Plan;
use crate::lanes::report::{LATE, Report, Row};
use crate::receiver::{Manner, Place, Receipt};
use crate::wall;
use crate::world::{Stage, World};

const NAME: &str = "drain";
const PER_SECOND: u64 = 200;
const WARM_UP: Duration = Duration::from_secs(2);
const DRAIN_WITHIN: Duration = Duration::from_secs(300);
const ARRIVE_WITHIN: Duration = Duration::from_secs(20);
/// Far from the numbers of the backlogs.
const HEALTHY_FIRST: u64 = 1 << 32;

struct Turn {
    /// The healthy hook, without and beside the drain.
    without: Latencies,
    beside: Latencies,
    /// Deliveries a second.
    hindered: f64,
    unhindered: f64,
}

pub(crate) async fn run(stage: &Stage, plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    let mut turns = Vec::new();
    for number in 1..=plan.pairs {
        turns.push(turn(number, stage, plan, report).await?);
    }
    let pairs = |without: fn(&Turn) -> f64, beside: fn(&Turn) -> f64| {
        Pairs::new(turns.iter().map(|turn| Pair {
            without: without(turn),
            beside: beside(turn),
        }))
    };
    let rates = pairs(|it| it.unhindered, |it| it.hindered);
    let backlog = plan.backlog;
    report.row(Row::bar(
        NAME,
        format!("backlog of {backlog} drained beside {PER_SECOND}/s to another hook"),
        rates.as_multiple("deliveries/s"),
        ("at least 0.5 x", rates.at_least(0.5)),
    ));
    let p99 = pairs(|it| it.without.p99_ms, |it| it.beside.p99_ms);
    let whole = |turn: &Turn| turn.without.all_arrived() && turn.beside.all_arrived();
    report.row(Row::bar(
        NAME,
        "the other hook's p99 meanwhile",
        p99.as_change("ms"),
        (
            "at most +10 %",
            p99.at_most(1.1).and(turns.iter().all(whole)),
        ),
    ));
    let median = pairs(|it| it.without.p50_ms, |it| it.beside.p50_ms);
    let median = median.as_change("ms");
    report.row(Row::note(NAME, "the same, median", median));
    let late = pairs(
        |it| it.without.posted_late_p99_ms,
        |it| it.beside.posted_late_p99_ms,
    );
    report.row(Row::note(NAME, LATE, late.values("ms")));
    Ok(())
}

async fn turn(
    number: u32,
    stage: &Stage,
    plan: &Plan,
    report: &mut Report,
) -> anyhow::Result<Turn> {
    let world = World::start(stage).await?;
    let (healthy, back) = (Manner::Fast.at(0), Manner::Fast.at(1));
    let (api, receiver) = (&world.api, &world.receiver);
    api.hook(receiver, "lane.healthy", healthy, json!({}))
        .await?;
    let hook = api.hook(receiver, "lane.back", back, json!({})).await?;
    api.pause(hook).await?;
    report.say(NAME, &format!("posting a backlog of {}", plan.backlog));
    backlog::post(api, &["lane.back"], 0, plan.backlog).await?;

    let alone = load(&world, WARM_UP + plan.drain_alone, 0);
    let posted = alone.ended().await?;
    let from = posted.start_us + u64::try_from(WARM_UP.as_micros())?;
    let receipts = arrived(&world, healthy, &posted, 0).await?;
    let without = latencies(&posted, &receipts, healthy, from);
    let leg = format!("A{number}");
    let words = format!("healthy without the drain {}", without.words());
    report.leg(NAME, &leg, &words, &without);

    let beside = load(&world, DRAIN_WITHIN, posted.count);
    tokio::time::sleep(WARM_UP).await;
    let from = wall::now_us();
    api.resume(hook).await?;
    receiver
        .until_taken(back, plan.backlog, DRAIN_WITHIN)
        .await?;
    let seen = posted.count - u64::try_from(posted.refused.len())?;
    let posted = beside.stop().await?;
    let receipts = arrived(&world, healthy, &posted, seen).await?;
    let hindered = rate(&receipts, back, from, plan.backlog)?;
    let beside = latencies(&posted, &receipts, healthy, from);
    let words = format!("healthy beside the drain {}", beside.words());
    report.leg(NAME, &format!("B{number}"), &words, &beside);

    api.pause(hook).await?;
    backlog::post(api, &["lane.back"], plan.backlog, plan.backlog).await?;
    let from = wall::now_us();
    api.resume(hook).await?;
    receiver
        .until_taken(back, 2 * plan.backlog, DRAIN_WITHIN)
        .await?;
    let receipts = receiver.receipts().await?;
    let unhindered = rate(&receipts, back, from, plan.backlog)?;
    let words = format!("{hindered:.0} deliveries/s beside others, {unhindered:.0} alone");
    let rates = json!({"hindered": hindered, "unhindered": unhindered});
    report.leg(NAME, &format!("rates {number}"), &words, &rates);
    world.end().await?;
    Ok(Turn {
        without,
        beside,
        hindered,
        unhindered,
    })
}

fn load(world: &World, lasts: Duration, after: u64) -> Load {
    let schedule = Schedule {
        per_second: PER_SECOND,
        lasts,
        event_types: vec!["lane.healthy".to_owned()],
        first: HEALTHY_FIRST + after,
    };
    Load::begin(&world.api, schedule)
}

/// Waits until what was posted is there, `seen` events of an earlier load included, but not for
/// ever: what is late counts as late.
async fn arrived(
    world: &World,
    place: Place,
    posted: &Posted,
    seen: u64,
) -> anyhow::Result<Vec<Receipt>> {
    let taken = posted.count - u64::try_from(posted.refused.len())?;
    let waited = world
        .receiver
        .until_taken(place, seen + taken, ARRIVE_WITHIN);
    let _ = waited.await;
    world.receiver.receipts().await
}

fn latencies(posted: &Posted, receipts: &[Receipt], place: Place, from_us: u64) -> Latencies {
    let arrivals = Arrivals::of(receipts, |it| it == place);
    Latencies::of(posted, &arrivals, from_us..u64::MAX, |_| true)
}

/// From when the hook was resumed until the last of its backlog was there.
fn rate(receipts: &[Receipt], place: Place, from_us: u64, count: u64) -> anyhow::Result<f64> {
    let times = receipts.iter().filter(|it| it.place == place);
    let last = times.map(|it| it.at_us).max();
    let last = last.context("nothing of the backlog arrived")?;
    Ok(count as f64 / (last.saturating_sub(from_us) as f64 / 1e6))
}

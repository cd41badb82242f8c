//! The rival's case: messages to one customer's hook, which answers after 25 s, are posted all at
//! once, and another customer's hook should not notice. There the other's median went from 3.8 ms
//! to 9,986 ms.

use std::time::Duration;

use serde_json::json;

use crate::event;
use crate::lanes::latency::{Arrivals, Latencies};
use crate::lanes::load::{Load, Schedule};
use crate::lanes::pairs::{Pair, Pairs};
use crate::lanes::plan::Plan;
use crate::lanes::report::{LATE, Report, Row};
use crate::receiver::Manner;
use crate::stamp::Stamp;
use crate::wall;
use crate::world::{Stage, World};

const NAME: &str = "slow-neighbour";
const PER_SECOND: u64 = 50;
const ANSWERS_AFTER_MS: u32 = 25_000;
const TIMEOUT_MS: u32 = 60_000;
const WARM_UP: Duration = Duration::from_secs(3);
const ARRIVE_WITHIN: Duration = Duration::from_secs(30);

pub(crate) async fn run(stage: &Stage, plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    let mut legs = Vec::new();
    for pair in 1..=plan.pairs {
        for (leg, messages) in [("A", 0), ("B", plan.slow_messages)] {
            let other = measure(messages, stage, plan).await?;
            let words = format!("the other hook {}", other.words());
            report.leg(NAME, &format!("{leg}{pair}"), &words, &other);
            legs.push(other);
        }
    }
    let pairs = |of: fn(&Latencies) -> f64| {
        Pairs::new(legs.chunks_exact(2).map(|legs| Pair {
            without: of(&legs[0]),
            beside: of(&legs[1]),
        }))
    };
    let whole = legs.iter().all(Latencies::all_arrived);
    let median = pairs(|it| it.p50_ms);
    let messages = plan.slow_messages;
    report.row(Row::bar(
        NAME,
        format!("other hook's median, {PER_SECOND}/s, beside {messages} that take 25 s"),
        median.as_change("ms"),
        ("at most +10 %", median.at_most(1.1).and(whole)),
    ));
    let p99 = pairs(|it| it.p99_ms).as_change("ms");
    report.row(Row::note(NAME, "the same, p99", p99));
    let late = pairs(|it| it.posted_late_p99_ms).values("ms");
    report.row(Row::note(NAME, LATE, late));
    Ok(())
}

async fn measure(messages: u64, stage: &Stage, plan: &Plan) -> anyhow::Result<Latencies> {
    let world = World::start(stage).await?;
    let (slow, other) = (Manner::Slow.at(ANSWERS_AFTER_MS), Manner::Fast.at(0));
    let patient = json!({"timeout_ms": TIMEOUT_MS});
    let api = &world.api;
    api.hook(&world.receiver, "lane.slow", slow, patient)
        .await?;
    api.hook(&world.receiver, "lane.other", other, json!({}))
        .await?;
    let schedule = Schedule {
        per_second: PER_SECOND,
        lasts: WARM_UP + plan.slow_measure,
        event_types: vec!["lane.other".to_owned()],
        first: messages,
    };
    let load = Load::begin(api, schedule);
    tokio::time::sleep(WARM_UP).await;
    let from = wall::now_us();
    if messages > 0 {
        api.batch(lines(messages)).await?;
    }
    let posted = load.ended().await?;
    let taken = posted.count - u64::try_from(posted.refused.len())?;
    // What is late counts as late: it is no error here.
    let waited = world.receiver.until_taken(other, taken, ARRIVE_WITHIN);
    let _ = waited.await;
    let receipts = world.receiver.receipts().await?;
    let arrivals = Arrivals::of(&receipts, |place| place == other);
    let latencies = Latencies::of(&posted, &arrivals, from..u64::MAX, |_| true);
    world.end().await?;
    Ok(latencies)
}

fn lines(messages: u64) -> String {
    let due_us = wall::now_us();
    let line = |number| event::body("lane.slow", Stamp { due_us, number }, None) + "\n";
    (0..messages).map(line).collect()
}

//! Many hooks get events in turn, and one of them, or half of them, is a black hole: it takes each
//! request and never answers, so that every attempt runs into the default timeout of 10 s.
//!
//! Each leg has a server of its own, so that no retries of an earlier one disturb it. The same
//! hooks count with and without holes: those that are healthy in both.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::lanes::latency::{Arrivals, Latencies};
use crate::lanes::load::{Load, Schedule};
use crate::lanes::pairs::{Pair, Pairs};
use crate::lanes::plan::Plan;
use crate::lanes::report::{LATE, Report, Row};
use crate::receiver::Manner;
use crate::world::{Stage, World};

#[derive(Clone, Copy)]
pub(crate) enum Case {
    One,
    Half,
}

/// How long the last events may take, once no more are posted.
const ARRIVE_WITHIN: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(100);

impl Case {
    fn name(self) -> &'static str {
        match self {
            Self::One => "black-hole",
            Self::Half => "half",
        }
    }

    /// Whether the hook with this number is one, where there are holes.
    fn is_hole(self, hook: u64) -> bool {
        match self {
            Self::One => hook == 0,
            Self::Half => hook.is_multiple_of(2),
        }
    }

    fn row(self, pairs: &Pairs, plan: &Plan, whole: bool) -> Row {
        let (hooks, rate) = (plan.hooks, plan.hooks_per_second);
        match self {
            Self::One => Row::bar(
                self.name(),
                format!("healthy p99, 1 of {hooks} hooks a black hole, {rate}/s"),
                pairs.as_change("ms"),
                ("at most +10 %", pairs.at_most(1.1).and(whole)),
            ),
            Self::Half => Row::bar(
                self.name(),
                format!("healthy p99, half of {hooks} hooks black holes, {rate}/s"),
                pairs.as_multiple("ms"),
                ("at most 2 x", pairs.at_most(2.0).and(whole)),
            ),
        }
    }
}

pub(crate) async fn run(
    case: Case,
    stage: &Stage,
    plan: &Plan,
    report: &mut Report,
) -> anyhow::Result<()> {
    let mut legs = Vec::new();
    let first = match case {
        Case::One => plan.warm_up,
        Case::Half => plan.half_first,
    };
    for pair in 1..=plan.pairs {
        for (leg, holes, warm_up) in [("A", None, plan.warm_up), ("B", Some(case), first)] {
            let leg = format!("{leg}{pair}");
            report.say(case.name(), &format!("{leg} begins"));
            let (healthy, cpu_secs) = measure(case, holes, warm_up, stage, plan).await?;
            let words = format!("healthy {}; server {cpu_secs:.1} s CPU", healthy.words());
            let figures = json!({"healthy": healthy, "server_cpu_secs": cpu_secs});
            report.leg(case.name(), &leg, &words, &figures);
            legs.push(healthy);
        }
    }
    let pairs = |of: fn(&Latencies) -> f64| {
        Pairs::new(legs.chunks_exact(2).map(|legs| Pair {
            without: of(&legs[0]),
            beside: of(&legs[1]),
        }))
    };
    let whole = legs.iter().all(Latencies::all_arrived);
    report.row(case.row(&pairs(|it| it.p99_ms), plan, whole));
    let median = pairs(|it| it.p50_ms).as_change("ms");
    report.row(Row::note(case.name(), "the same, median", median));
    let late = pairs(|it| it.posted_late_p99_ms).values("ms");
    report.row(Row::note(case.name(), LATE, late));
    Ok(())
}

/// The healthy hooks' latencies, and what the server's processors did meanwhile.
async fn measure(
    case: Case,
    holes: Option<Case>,
    warm_up: Duration,
    stage: &Stage,
    plan: &Plan,
) -> anyhow::Result<(Latencies, f64)> {
    let world = World::start(stage).await?;
    let mut event_types = Vec::new();
    for number in 0..plan.hooks {
        let event_type = format!("lane.n{number}");
        let manner = match holes {
            Some(case) if case.is_hole(number.into()) => Manner::Hole,
            Some(_) | None => Manner::Fast,
        };
        let place = manner.at(number);
        let hook = world
            .api
            .hook(&world.receiver, &event_type, place, json!({}));
        hook.await?;
        event_types.push(event_type);
    }
    let before = world.server()?.usage()?;
    let schedule = Schedule {
        per_second: plan.hooks_per_second,
        lasts: warm_up + plan.measure,
        event_types,
        first: 0,
    };
    let posted = Load::begin(&world.api, schedule).ended().await?;
    let after = world.server()?.usage()?;

    let counts = |nth: u64| !case.is_hole(nth % u64::from(plan.hooks));
    let from = posted.start_us + u64::try_from(warm_up.as_micros())?;
    let (waited, mut receipts) = (Instant::now(), Vec::new());
    let healthy = loop {
        receipts.extend(world.receiver.receipts().await?);
        let arrivals = Arrivals::of(&receipts, |place| place.manner == Manner::Fast);
        let healthy = Latencies::of(&posted, &arrivals, from..u64::MAX, counts);
        if healthy.missing == 0 || waited.elapsed() > ARRIVE_WITHIN {
            break healthy;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    };
    world.end().await?;
    Ok((healthy, after.cpu_secs - before.cpu_secs))
}

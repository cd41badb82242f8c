//! A backlog that is drained: hooks are paused, events for them posted, and the hooks resumed. One
//! hook with all of it, and ten with a tenth each.

use std::time::Duration;

use anyhow::ensure;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Bench, Curve};
use crate::api;
use crate::backlog;
use crate::receiver::{Counted, Hooks};
use crate::speed::{Spread, print_rows, thousands};
use crate::wall;
use crate::world::World;

const EVENT_TYPE: &str = "bench.backlog";
const WITHIN: Duration = Duration::from_secs(900);

#[derive(Serialize)]
struct Drained {
    deliveries_per_sec: f64,
    /// Seconds of a processor per 10,000 deliveries.
    server_cpu: f64,
    receiver_cpu: f64,
    peak_mib: f64,
    duplicates: u64,
}

pub(super) async fn measure(bench: &Bench) -> anyhow::Result<Value> {
    let mut figures = Vec::new();
    let head = ["", "deliv./s", "least", "most", "CPU s /10,000", "MiB peak"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for hooks in [1, 10] {
        let mut runs = Vec::new();
        for nth in 1..=bench.sizes.runs {
            let run = drain(bench, hooks).await?;
            let words = format!(
                "{} hooks, {nth}: {} deliveries/s, server CPU {:.2} s per 10,000",
                hooks,
                thousands(run.deliveries_per_sec, 0),
                run.server_cpu
            );
            bench.say(Curve::Drain, &words);
            runs.push(run);
        }
        let spread = |of: fn(&Drained) -> f64| Spread::of(runs.iter().map(of));
        let cell = |of: fn(&Drained) -> f64, digits| {
            spread(of).map_or("-".to_owned(), |it| thousands(it.median, digits))
        };
        let rate = spread(|it| it.deliveries_per_sec);
        let ends = rate.map(|it| [it.least, it.most].map(|it| thousands(it, 0)));
        let mut row = vec![
            format!("{hooks} hooks"),
            cell(|it| it.deliveries_per_sec, 0),
        ];
        row.extend(ends.into_iter().flatten());
        row.extend([cell(|it| it.server_cpu, 3), cell(|it| it.peak_mib, 0)]);
        rows.push(row);
        figures.push(json!({"hooks": hooks, "runs": runs}));
    }
    println!("\nA backlog of {} drained.\n", bench.sizes.backlog);
    print_rows(&rows);
    Ok(figures.into())
}

async fn drain(bench: &Bench, hooks: u32) -> anyhow::Result<Drained> {
    let world = World::start(&bench.stage).await?;
    let (api, receiver) = (&world.api, &world.receiver);
    api.event_type(EVENT_TYPE).await?;
    let mut paused = Vec::new();
    for hook in 0..hooks {
        let url = receiver.counting_url(hook);
        let hook = api.hook_as(&api::hook(&url, EVENT_TYPE, json!({}))).await?;
        api.pause(hook).await?;
        paused.push(hook);
    }
    let events = bench.sizes.backlog / u64::from(hooks);
    backlog::post(api, &[EVENT_TYPE], 0, events).await?;
    let counted = Counted {
        hooks: Hooks::Every(hooks),
        first: 0,
    };
    receiver.count(counted).await?;

    let expected = events * u64::from(hooks);
    let (server, taking) = (world.server()?.usage()?, receiver.usage()?);
    let start_us = wall::now_us();
    for hook in paused {
        api.resume(hook).await?;
    }
    receiver.until_counted(expected, WITHIN).await?;
    let (server_after, taking_after) = (world.server()?.usage()?, receiver.usage()?);
    let summary = receiver.summary(events).await?;
    ensure!(
        summary.distinct == expected && summary.strays == 0,
        "{} of {expected} arrived within {} s, and {} that nobody should have sent",
        summary.distinct,
        WITHIN.as_secs(),
        summary.strays
    );
    world.end().await?;
    let deliveries = expected as f64;
    let took_us = summary.last_us.saturating_sub(start_us).max(1);
    Ok(Drained {
        deliveries_per_sec: deliveries / (took_us as f64 / 1e6),
        server_cpu: 1e4 * (server_after.cpu_secs - server.cpu_secs) / deliveries,
        receiver_cpu: 1e4 * (taking_after.cpu_secs - taking.cpu_secs) / deliveries,
        peak_mib: server_after.peak_mib,
        duplicates: summary.duplicates,
    })
}

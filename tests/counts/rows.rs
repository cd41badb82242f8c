//! Which deliveries are counted, and against which bars.

use crate::bars::Held;
use crate::load::{Counted, Load, STARTS};

const KIB: usize = 1 << 10;
/// Beyond what buffers hold before they grow.
const LARGE_KIB: usize = 65;

const ONE: Load = Load {
    events: 200,
    at_once: 1,
    payload_bytes: KIB,
    fan_out: 1,
};
const MANY: Load = Load {
    events: 64 * 40,
    at_once: 64,
    ..ONE
};
const LARGE: Load = Load {
    events: 100,
    payload_bytes: LARGE_KIB * KIB,
    ..ONE
};
const WIDE: Load = Load {
    events: 100,
    fan_out: 10,
    ..ONE
};
const CHAINED: usize = 50;

/// # Panics
/// If anything is above its bar.
pub(crate) async fn count() {
    let mut held = Held::default();
    let plain = one(&mut held).await;
    many(&mut held).await;
    wide(&mut held).await;
    chain(&mut held, plain).await;
    held.end();
}

/// One after the other, and what a larger payload takes more. Answers the allocations of one.
async fn one(held: &mut Held) -> f64 {
    let mut counted = Counted::with(1, &[]).await;
    counted.warm_up(ONE).await;
    let took = counted.deliver(ONE).await;
    let of = |count: &str| format!("server, one at a time: {count}");
    let thousand = 1000.0 / ONE.events as f64;
    held.count(&of("commits for 1,000 deliveries"), took.commits * thousand);
    let connections = counted.receiver.connections() as f64;
    held.count(&of("connections for 1,000 deliveries"), connections);
    let small = took.allocated.by(ONE.events);
    held.count(&of("allocations a delivery"), small.times);
    held.count(&of("bytes allocated a delivery"), small.bytes);

    counted.warm_up(LARGE).await;
    let large = counted.deliver(LARGE).await.allocated.by(LARGE.events);
    let (more_kib, more) = ((LARGE_KIB - 1) as f64, large - small);
    held.count(
        "server: allocations more for each KiB of payload",
        more.times / more_kib,
    );
    held.count(
        "server: times that a payload is copied into memory of its own",
        more.bytes / (more_kib * KIB as f64),
    );
    small.times
}

async fn many(held: &mut Held) {
    let mut counted = Counted::with(1, &[]).await;
    counted.warm_up(MANY).await;
    let took = counted.deliver(MANY).await;
    let of = |count: &str| format!("server, 64 at a time: {count}");
    let thousand = 1000.0 / MANY.events as f64;
    held.count(&of("commits for 1,000 deliveries"), took.commits * thousand);
    let connections = counted.receiver.connections() as f64;
    held.count(&of("connections for 1,000 deliveries"), connections);
    let each = took.allocated.by(MANY.events);
    held.count(&of("allocations a delivery"), each.times);
    held.count(&of("bytes allocated a delivery"), each.bytes);
}

async fn wide(held: &mut Held) {
    let mut counted = Counted::with(WIDE.fan_out, &[]).await;
    counted.warm_up(WIDE).await;
    let took = counted.deliver(WIDE).await.allocated;
    let each = took.by(WIDE.events * WIDE.fan_out);
    held.count("server, fan-out 10: allocations a delivery", each.times);
}

/// Against the `plain` delivery without a plugin.
async fn chain(held: &mut Held, plain: f64) {
    let mut counted = Counted::with(1, &[STARTS]).await;
    counted.warm_up(ONE).await;
    let each = counted.deliver(ONE).await.allocated.by(ONE.events);
    held.count(
        "server, a chain of one: allocations a delivery more",
        each.times - plain,
    );

    let mut counted = Counted::with(1, &[STARTS, STARTS]).await;
    let load = Load {
        events: CHAINED,
        ..ONE
    };
    counted.deliver(load).await;
    let deliveries = counted.server.deliveries(1).await;
    let attempts = deliveries
        .iter()
        .flat_map(|it| it["attempts"].as_array().unwrap());
    let runs: Vec<_> = attempts
        .flat_map(|it| it["chain"].as_array().unwrap())
        .collect();
    assert_eq!(
        runs.len(),
        2 * CHAINED,
        "each plugin runs once for each attempt"
    );
    let starts = runs.iter().flat_map(|run| run["log"].as_array().unwrap());
    let starts = starts.filter(|line| *line == "info: started").count();
    let calls = format!("whisperer_plugin_calls_total{{plugin=\"{STARTS}\",result=\"ok\"}}");
    assert_eq!(counted.metric(&calls).await, runs.len() as f64);
    held.count(
        "server: instances for each plugin and attempt",
        starts as f64 / runs.len() as f64,
    );
}

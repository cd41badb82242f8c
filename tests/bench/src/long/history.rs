//! Speed beside a long history: a server that did so many deliveries before, and a fresh one, in
//! turns.
//!
//! The history is made as fast as it can be: short events to ten hooks each, of a type of their
//! own. So a tenth as many events lie there as deliveries.

use std::time::Duration;

use serde_json::Value;

use super::{Bench, Curve};
use crate::receiver::Hooks;
use crate::speed::{self, Measured, Point, Run, Scene};

/// How much history is made at a time before it is waited for.
const STEP: Duration = Duration::from_secs(5);

pub(super) async fn measure(bench: &Bench) -> anyhow::Result<Value> {
    let base = Point::base();
    let old = bench.subject.open(&base).await?;
    let (mut measured, mut done) = (Vec::new(), 0);
    let filling = filling();
    let stem = format!("{}.fill", old.stem);
    old.register(&stem, &filling).await?;
    for wanted in &bench.sizes.history {
        fill(bench, &old, (&stem, &filling), (&mut done, *wanted)).await?;
        let (mut fresh, mut beside): (Vec<Run>, Vec<Run>) = (Vec::new(), Vec::new());
        for nth in 1..=bench.sizes.runs {
            let run = speed::run(&bench.subject, &base, bench.sizes.lasts).await?;
            say(bench, &format!("fresh {nth}"), &run);
            fresh.push(run);
            let run = speed::run_in(&old, &base, bench.sizes.lasts).await?;
            say(bench, &format!("beside {wanted} {nth}"), &run);
            done += run.deliveries;
            beside.push(run);
        }
        let point = Point {
            name: format!("history {}", speed::thousands(*wanted as f64, 0)),
            ..base.clone()
        };
        measured.push(Measured::pair(point, fresh, beside));
    }
    old.end().await?;
    println!("\nA long history. A: a fresh server; B: one with so many deliveries done.\n");
    speed::compare(&measured);
    Ok(serde_json::to_value(measured)?)
}

fn filling() -> Point {
    Point {
        name: "filling".to_owned(),
        hooks: Hooks::Every(10),
        payload_bytes: 200,
        ..Point::base()
    }
}

async fn fill(
    bench: &Bench,
    scene: &Scene,
    (stem, point): (&str, &Point),
    (done, wanted): (&mut u64, u64),
) -> anyhow::Result<()> {
    let mut generator = scene.generator(stem, point).await?;
    while *done < wanted {
        // Not much more than wanted, if only a little is.
        let lasts = STEP.min(Duration::from_millis((wanted - *done) / 20 + 50));
        let (_, came) = speed::load(scene, point, &mut generator, lasts).await?;
        *done += came.distinct;
        bench.say(Curve::History, &format!("{done} of {wanted} are done"));
    }
    Ok(())
}

fn say(bench: &Bench, what: &str, run: &Run) {
    bench.say(Curve::History, &format!("{what}: {}", speed::words(run)));
}

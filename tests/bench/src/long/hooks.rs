//! Speed with many hooks, each of which gets its own type of events: one server for each number of
//! hooks, all there at one time, and measured in turns. Events go to 5,000 of them at most, since
//! there are not as many types as hooks: the others are known to the server and get nothing.

use serde_json::Value;

use super::{Bench, Curve};
use crate::speed::{self, Measured, Point, Run};

pub(super) async fn measure(bench: &Bench) -> anyhow::Result<Value> {
    let points: Vec<Point> = bench
        .sizes
        .hooks
        .iter()
        .copied()
        .map(Point::hooks)
        .collect();
    let mut scenes = Vec::new();
    for point in &points {
        bench.say(Curve::Hooks, &format!("registering {}", point.name));
        scenes.push(bench.subject.open(point).await?);
    }
    let mut runs: Vec<Vec<Run>> = points.iter().map(|_| Vec::new()).collect();
    for nth in 1..=bench.sizes.runs {
        for (turn, point) in points.iter().enumerate() {
            let run = speed::run_in(&scenes[turn], point, bench.sizes.lasts).await?;
            let words = speed::words(&run);
            bench.say(Curve::Hooks, &format!("{} {nth}: {words}", point.name));
            runs[turn].push(run);
        }
    }
    for scene in scenes {
        scene.end().await?;
    }
    let first = runs.first().cloned().unwrap_or_default();
    // The first is what the others are compared with; alone, it is told all the same.
    let skipped = usize::from(points.len() > 1);
    let pairs = points.into_iter().zip(runs).skip(skipped);
    let measured: Vec<Measured> = pairs
        .map(|(point, runs)| Measured::pair(point, first.clone(), runs))
        .collect();
    let fewest = bench.sizes.hooks.first().copied().unwrap_or(0);
    println!("\nMany hooks. A: with {fewest}; B: with as many as the point says.\n");
    speed::compare(&measured);
    Ok(serde_json::to_value(measured)?)
}

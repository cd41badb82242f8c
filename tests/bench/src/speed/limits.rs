//! The machine's limits beside a point, and what the point's figures are of them.

use super::Measured;
use super::figure::Spread;
use super::table::{print_rows, thousands};

/// A row for each point that has limits measured beside it.
pub(crate) fn print(measured: &[Measured], cores: usize) {
    let heads = [
        [
            "",
            "CPU us a delivery",
            "",
            "",
            "deliveries/s",
            "",
            "",
            "receipt, in fdatasyncs",
            "",
        ],
        [
            "", "floor", "server", "x floor", "at most", "reached", "share", "p50", "p99",
        ],
    ];
    let mut rows: Vec<Vec<String>> = heads.map(|it| it.map(str::to_owned).to_vec()).to_vec();
    rows.extend(measured.iter().filter_map(|point| row(point, cores)));
    if rows.len() == heads.len() {
        return;
    }
    print_rows(&rows);
    println!(
        "Floor: what bare axum takes to accept an event and redb to keep it (64 a commit), both over \
         its deliveries, and hyper's client to send one.\nAt most: {cores} cores busy with that, the \
         generator and the receiver alone. fdatasync: of 4 KiB appended, p50 to p50 and p99 to p99.\n"
    );
}

fn row(point: &Measured, cores: usize) -> Option<Vec<String>> {
    let floor = point.floor.as_ref()?;
    let runs = point.runs.first()?;
    let median = |of: fn(&super::Run) -> Option<f64>| {
        Spread::of(runs.iter().filter_map(of)).map(|it| it.median)
    };
    let fan_out = point.point.hooks.fan_out();
    let (floor_us, most) = (
        floor.delivery_us(fan_out),
        floor.deliveries_per_sec(fan_out, cores),
    );
    // Seconds for 10,000 deliveries are hundreds of microseconds for one.
    let server_us = median(|run| run.server_cpu).map(|secs| 100.0 * secs);
    let reached = median(|run| Some(run.deliveries_per_sec))?;
    let share = format!("{:.0} %", 100.0 * reached / most);
    let sync = &floor.disk.sync;
    let p50 = median(|run| Some(run.receipts.p50_ms))? / sync.p50_ms;
    let p99 = median(|run| Some(run.receipts.p99_ms))? / sync.p99_ms;
    let or_none =
        |value: Option<f64>, digits| value.map_or("-".to_owned(), |value| thousands(value, digits));
    Some(vec![
        point.point.name.clone(),
        thousands(floor_us, 1),
        or_none(server_us, 1),
        or_none(server_us.map(|it| it / floor_us), 2),
        thousands(most, 0),
        thousands(reached, 0),
        // By a schedule it is what was asked for.
        match point.point.is_closed() {
            true => share,
            false => "-".to_owned(),
        },
        thousands(p50, 1),
        thousands(p99, 1),
    ])
}

//! Posts that nobody waits for: as many events as wanted, in batches of one type in turn.

use anyhow::Context;

use crate::api::Api;
use crate::event;
use crate::stamp::Stamp;
use crate::wall;

/// The most that one batch may hold.
const BATCH: u64 = 10_000;

/// Posts `count` events, numbered from `first`, half of them or so of each type.
pub(crate) async fn post(
    api: &Api,
    event_types: &[&str],
    first: u64,
    count: u64,
) -> anyhow::Result<()> {
    let turns = u64::try_from(event_types.len())?;
    for from in (first..first + count).step_by(usize::try_from(BATCH)?) {
        let due_us = wall::now_us();
        let line = |number: u64| {
            let turn = usize::try_from(number % turns).unwrap_or(0);
            event::body(event_types[turn], Stamp { due_us, number }, None) + "\n"
        };
        let lines: String = (from..(from + BATCH).min(first + count))
            .map(line)
            .collect();
        api.batch(lines)
            .await
            .with_context(|| format!("while posting a backlog, at event {from}"))?;
    }
    Ok(())
}

//! An attempt as it lies in its table: the domain's own, under the number that the store gives it.

use serde::Serialize;
use whisperer_domain::attempt::{Attempt, PluginRun, Response, Timing};
use whisperer_domain::id::AttemptId;
use whisperer_domain::outcome::Outcome;
use whisperer_domain::time::Timestamp;

use crate::redb_store::frame;

/// Read as an [`Attempt`], field by field.
#[derive(Serialize)]
struct AttemptRecord<'a> {
    id: AttemptId,
    number: u32,
    started_at: Timestamp,
    outcome: &'a Outcome,
    timing: Timing,
    response: Option<&'a Response>,
    chain: &'a [PluginRun],
    pinned: bool,
}

pub(in crate::redb_store) fn encode_attempt(attempt: &Attempt, number: u32) -> Vec<u8> {
    let Attempt {
        id,
        number: _,
        started_at,
        outcome,
        timing,
        response,
        chain,
        pinned,
    } = attempt;
    frame::encode(&AttemptRecord {
        id: *id,
        number,
        started_at: *started_at,
        outcome,
        timing: *timing,
        response: response.as_ref(),
        chain,
        pinned: *pinned,
    })
}

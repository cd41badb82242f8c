//! How a hook's receiver does, as it is stored.

use serde::{Deserialize, Serialize};
use whisperer_domain::health::{Breaker, Health, Pace};
use whisperer_domain::id::HookId;
use whisperer_domain::time::Timestamp;

use crate::redb_store::fault::Fault;
use crate::redb_store::frame;

#[derive(Serialize, Deserialize)]
struct HealthRecord {
    failing_since: Option<Timestamp>,
    told: bool,
    breaker: Breaker,
    pace: Option<Pace>,
}

pub(in crate::redb_store) fn encode_health(health: &Health) -> Vec<u8> {
    frame::encode(&HealthRecord {
        failing_since: health.failing_since,
        told: health.told,
        breaker: health.breaker,
        pace: health.pace,
    })
}

pub(in crate::redb_store) fn decode_health(hook: HookId, bytes: &[u8]) -> Result<Health, Fault> {
    let record: HealthRecord = frame::decode("lanes", &hook.0, bytes)?;
    Ok(Health {
        failing_since: record.failing_since,
        told: record.told,
        breaker: record.breaker,
        pace: record.pace,
    })
}

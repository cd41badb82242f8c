//! A delivery as it is stored: in its lane's index it stands by the time at which it is due, or, in
//! an ordered lane, by a place. The record itself says which, so that whoever takes it out of the
//! index finds it there whatever became of the hook.

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use whisperer_domain::delivery::{Delivery, DeliveryState, Revival};
use whisperer_domain::event_type::EventType;
use whisperer_domain::id::{AttemptId, DeliveryUuid, EventKey, HookId, Sequence};
use whisperer_domain::time::Timestamp;

use crate::redb_store::fault::Fault;
use crate::redb_store::frame;

/// How many of its attempts a delivery names itself; retries by hand can make more.
const TRIES_MAX: usize = 128;

/// Of a tail that holds a place; one that is a revival alone has the first version.
const PLACED_VERSION: u8 = 2;

#[derive(Serialize, Deserialize)]
struct DeliveryRecord {
    uuid: Uuid,
    hook: HookId,
    event: EventKey,
    event_type: EventType,
    created_at: Timestamp,
    modified_at: Timestamp,
    attempts: u32,
    tries: Vec<(AttemptId, Timestamp)>,
    state: DeliveryState,
    last_status: Option<u16>,
}

#[derive(Serialize, Deserialize)]
struct Placed {
    revival: Option<Revival>,
    place: u64,
}

/// A delivery with what is known of its attempts without reading them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::redb_store) struct Row {
    pub(in crate::redb_store) delivery: Delivery,
    /// Where it stands in its lane; none: where it is due, or nowhere, because it has ended.
    pub(in crate::redb_store) place: Option<u64>,
    /// The latest [`TRIES_MAX`] attempts and when they began, oldest first.
    tries: Vec<(AttemptId, Timestamp)>,
}

impl Row {
    pub(in crate::redb_store) fn fresh(delivery: Delivery, place: Option<u64>) -> Self {
        Self {
            delivery,
            place,
            tries: Vec::new(),
        }
    }

    /// Its row in the lanes' index; none once it has ended.
    pub(in crate::redb_store) fn lane_key(&self) -> Option<(u64, u64, u64)> {
        let due = self.delivery.state.due()?;
        let stands = self.place.unwrap_or(due.0);
        Some((self.delivery.hook.0, stands, self.delivery.sequence.0))
    }

    pub(in crate::redb_store) fn add_try(&mut self, id: AttemptId, began_at: Timestamp) {
        if self.tries.len() >= TRIES_MAX {
            self.tries.remove(0);
        }
        self.tries.push((id, began_at));
    }

    pub(in crate::redb_store) fn has_try(&self, id: AttemptId) -> bool {
        self.tries.iter().any(|(known, _)| *known == id)
    }

    pub(in crate::redb_store) fn attempted_at(&self) -> Vec<Timestamp> {
        self.tries.iter().map(|(_, began_at)| *began_at).collect()
    }

    /// When the attempt that was settled last began.
    pub(in crate::redb_store) fn last_attempted_at(&self) -> Option<Timestamp> {
        self.tries.last().map(|(_, began_at)| *began_at)
    }

    pub(in crate::redb_store) fn encode(&self) -> Vec<u8> {
        let delivery = &self.delivery;
        let record = DeliveryRecord {
            uuid: delivery.uuid.0,
            hook: delivery.hook,
            event: delivery.event,
            event_type: delivery.event_type.clone(),
            created_at: delivery.created_at,
            modified_at: delivery.modified_at,
            attempts: delivery.attempts,
            tries: self.tries.clone(),
            state: delivery.state.clone(),
            last_status: delivery.last_status,
        };
        frame::encode_with_tail(&record, &self.tail())
    }

    /// Most have none: they stand where they are due, and were never brought back.
    fn tail(&self) -> Vec<u8> {
        let revival = self.delivery.revival;
        match (self.place, revival) {
            (Some(place), revival) => {
                frame::encode_as(PLACED_VERSION, &Placed { revival, place }, &[])
            }
            (None, Some(revival)) => frame::encode(&revival),
            (None, None) => Vec::new(),
        }
    }

    pub(in crate::redb_store) fn decode(sequence: Sequence, bytes: &[u8]) -> Result<Self, Fault> {
        let (record, tail): (DeliveryRecord, _) =
            frame::decode_with_tail("deliveries", &sequence.0, bytes)?;
        let (revival, place) = read_tail(sequence, tail)?;
        Ok(Self {
            delivery: Delivery {
                sequence,
                uuid: DeliveryUuid(record.uuid),
                hook: record.hook,
                event: record.event,
                event_type: record.event_type,
                created_at: record.created_at,
                modified_at: record.modified_at,
                attempts: record.attempts,
                state: record.state,
                last_status: record.last_status,
                revival,
            },
            place,
            tries: record.tries,
        })
    }
}

fn read_tail(sequence: Sequence, tail: &[u8]) -> Result<(Option<Revival>, Option<u64>), Fault> {
    if tail.is_empty() {
        return Ok((None, None));
    }
    if frame::version_of(tail) != Some(PLACED_VERSION) {
        let revival = frame::decode("deliveries", &sequence.0, tail)?;
        return Ok((Some(revival), None));
    }
    match frame::decode_as(PLACED_VERSION, "deliveries", &sequence.0, tail)? {
        (Placed { revival, place }, []) => Ok((revival, Some(place))),
        (_, [_, ..]) => Err(frame::damaged(
            "deliveries",
            &sequence.0,
            "has bytes after its end",
        )),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;
    use whisperer_domain::delivery::{Delivery, DeliveryState, Revival};
    use whisperer_domain::event_type::EventType;
    use whisperer_domain::id::{DeliveryUuid, EventKey, HookId, Sequence};
    use whisperer_domain::time::Timestamp;

    use super::Row;
    use crate::redb_store::frame;

    fn row(revival: Option<Revival>, place: Option<u64>) -> Row {
        let at = Timestamp(1000);
        let delivery = Delivery {
            sequence: Sequence(7),
            uuid: DeliveryUuid(Uuid::nil()),
            hook: HookId(3),
            event: EventKey(5),
            event_type: EventType::parse("a").unwrap(),
            created_at: at,
            modified_at: at,
            attempts: 0,
            state: DeliveryState::Pending {
                due: at,
                waiting_for: None,
            },
            last_status: None,
            revival,
        };
        Row::fresh(delivery, place)
    }

    #[test]
    fn a_place_costs_nothing_where_there_is_none_and_keeps_its_bytes() {
        let revival = Some(Revival {
            at: Timestamp(300),
            attempts: 2,
        });
        let bare = row(None, None).encode().len();
        let tail = |row: &Row| {
            let bytes = row.encode();
            let tail = bytes[bare..].iter().map(|byte| format!("{byte:02x}"));
            tail.collect::<String>()
        };
        assert_eq!(tail(&row(revival, None)), "01b87e1bf3ac0202");
        assert_eq!(tail(&row(None, Some(9))), "025baa05380009");
        assert_eq!(tail(&row(revival, Some(9))), "02587691b401ac020209");
        for row in [
            row(revival, None),
            row(None, Some(9)),
            row(revival, Some(9)),
        ] {
            assert_eq!(Row::decode(Sequence(7), &row.encode()).unwrap(), row);
        }
        assert_eq!(row(None, Some(9)).lane_key(), Some((3, 9, 7)));
        assert_eq!(row(None, None).lane_key(), Some((3, 1000, 7)));
    }

    #[test]
    fn what_a_newer_host_appended_is_not_dropped() {
        let bytes = row(None, Some(9)).encode();
        let (record, tail): (super::DeliveryRecord, _) =
            frame::decode_with_tail("deliveries", &7, &bytes).unwrap();
        let longer = frame::encode_with_tail(&record, &[tail, b"x"].concat());
        assert!(Row::decode(Sequence(7), &longer).is_err());
    }
}

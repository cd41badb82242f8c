//! A selection that is being carried out, and how far it has come.

use serde::{Deserialize, Serialize};
use whisperer_domain::delivery::StateKind;
use whisperer_domain::event_type::EventPattern;
use whisperer_domain::id::{HookId, Owner};
use whisperer_domain::port::{Scope, Selection};
use whisperer_domain::time::Timestamp;

use crate::directing::{Aim, Bulk};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::redb_store) struct Order {
    pub(in crate::redb_store) bulk: Bulk,
    /// The sequence to go on from.
    pub(in crate::redb_store) next: u64,
    /// What was made from here on is not meant.
    pub(in crate::redb_store) below: u64,
}

#[derive(Serialize, Deserialize)]
pub(in crate::redb_store) struct OrderRecord {
    aim: AimRecord,
    /// None: all owners.
    owner: Option<Owner>,
    hook: Option<HookId>,
    event_type: Option<EventPattern>,
    created_from: Option<Timestamp>,
    created_to: Option<Timestamp>,
    next: u64,
    below: u64,
}

#[derive(Serialize, Deserialize)]
enum AimRecord {
    Requeue(StateKind),
    Cancel,
}

impl Order {
    pub(in crate::redb_store) fn to_record(&self) -> OrderRecord {
        let selection = &self.bulk.selection;
        OrderRecord {
            aim: match self.bulk.aim {
                Aim::Requeue(state) => AimRecord::Requeue(state),
                Aim::Cancel => AimRecord::Cancel,
            },
            owner: match &self.bulk.scope {
                Scope::All => None,
                Scope::Of(owner) => Some(owner.clone()),
            },
            hook: selection.hook,
            event_type: selection.event_type.clone(),
            created_from: selection.created_from,
            created_to: selection.created_to,
            next: self.next,
            below: self.below,
        }
    }
}

impl From<OrderRecord> for Order {
    fn from(record: OrderRecord) -> Self {
        Self {
            bulk: Bulk {
                selection: Selection {
                    hook: record.hook,
                    event_type: record.event_type,
                    created_from: record.created_from,
                    created_to: record.created_to,
                },
                scope: record.owner.map_or(Scope::All, Scope::Of),
                aim: match record.aim {
                    AimRecord::Requeue(state) => Aim::Requeue(state),
                    AimRecord::Cancel => Aim::Cancel,
                },
            },
            next: record.next,
            below: record.below,
        }
    }
}

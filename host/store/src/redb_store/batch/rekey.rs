//! Sealing anew what lies under an older key, or in clear, in steps beside everything else: hooks
//! first, then pins. What is written meanwhile is sealed under the new key anyhow, so behind the
//! cursor nothing comes to need it. After a restart it begins anew, and passes quickly over what is
//! done.

use std::collections::BTreeMap;
use std::ops::Bound;

use redb::ReadableTable;
use whisperer_domain::id::{HookId, Sequence};

use super::Batch;
use crate::redb_store::fault::Fault;
use crate::redb_store::file::{KEY_ID_KEY, UNSEALED_KEY};
use crate::redb_store::frame;
use crate::redb_store::record::{HookRecord, resealed_pin, sealer_of_pin};
use crate::redb_store::seal::KeyId;

/// Rows that one transaction looks at,
const STEP_ROWS: usize = 200;
/// and what of them it writes, but for the last: bodies lie in pins.
const STEP_BYTES: usize = 2 << 20;

/// How far it has come.
#[derive(Clone, Debug, Default)]
pub(in crate::redb_store) struct Rekeying {
    at: At,
    pub(in crate::redb_store) resealed: u64,
    /// What does not open, by the key that it names: it stays as it is, and so must that key.
    pub(in crate::redb_store) left: BTreeMap<KeyId, u64>,
}

/// Behind which hook or pin.
#[derive(Clone, Copy, Debug)]
enum At {
    Hooks(Option<u64>),
    Pins(Option<u64>),
    End,
}

impl Default for At {
    fn default() -> Self {
        Self::Hooks(None)
    }
}

/// What one step found: rows to write, and where it stopped; none: at the end.
#[derive(Default)]
struct Step {
    anew: Vec<(u64, Vec<u8>)>,
    bytes: usize,
    stopped: Option<u64>,
    looked_at: usize,
}

impl Step {
    fn is_full(&self) -> bool {
        self.looked_at >= STEP_ROWS || self.bytes >= STEP_BYTES
    }

    fn looked(&mut self, key: u64) {
        self.looked_at += 1;
        self.stopped = Some(key);
    }

    fn put(&mut self, key: u64, record: Vec<u8>) {
        self.bytes += record.len();
        self.anew.push((key, record));
    }
}

impl Batch<'_, '_> {
    /// One step, if there is anything to do.
    pub(in crate::redb_store) fn rekey_some(&mut self) -> Result<(), Fault> {
        let Some(mut rekeying) = self.state.rekeying.take() else {
            return Ok(());
        };
        self.wrote = true;
        // From the first step on the file says which key it belongs to.
        let key_id = frame::encode(&self.seal.key_id());
        self.tables.meta.insert(KEY_ID_KEY, &*key_id)?;
        rekeying.at = match rekeying.at {
            At::Hooks(after) => match self.rekey_hooks(after, &mut rekeying)? {
                Some(stopped) => At::Hooks(Some(stopped)),
                None => At::Pins(None),
            },
            At::Pins(after) => match self.rekey_pins(after, &mut rekeying)? {
                Some(stopped) => At::Pins(Some(stopped)),
                None => At::End,
            },
            At::End => At::End,
        };
        match rekeying.at {
            At::Hooks(_) | At::Pins(_) => self.state.rekeying = Some(rekeying),
            At::End => {
                self.tables.meta.remove(UNSEALED_KEY)?;
                self.rekeyed = Some(rekeying);
            }
        }
        Ok(())
    }

    fn rekey_hooks(
        &mut self,
        after: Option<u64>,
        rekeying: &mut Rekeying,
    ) -> Result<Option<u64>, Fault> {
        let mut step = Step::default();
        for row in self.tables.hooks.range::<u64>(behind(after))? {
            let (key, bytes) = row?;
            let id = HookId(key.value());
            step.looked(id.0);
            match HookRecord::decode("hooks", id, bytes.value()) {
                Ok(mut record) => match record.sealer() {
                    Some(key) if key != self.seal.key_id() => {
                        if record.reseal(id, self.seal)? {
                            step.put(id.0, record.encode());
                        } else {
                            left_behind(rekeying, key, &format_args!("hook {}", id.0));
                        }
                    }
                    Some(_) | None => {}
                },
                Err(fault) => passed_over(fault)?,
            }
            if step.is_full() {
                break;
            }
        }
        for (id, record) in &step.anew {
            self.tables.hooks.insert(id, &**record)?;
        }
        Ok(ended(step, rekeying))
    }

    fn rekey_pins(
        &mut self,
        after: Option<u64>,
        rekeying: &mut Rekeying,
    ) -> Result<Option<u64>, Fault> {
        let mut step = Step::default();
        for row in self.tables.pins.range::<u64>(behind(after))? {
            let (key, bytes) = row?;
            let sequence = Sequence(key.value());
            step.looked(sequence.0);
            match resealed_pin(sequence, bytes.value(), self.seal) {
                Ok(Some(record)) => step.put(sequence.0, record),
                Ok(None) => {}
                Err(fault @ Fault::Damaged { .. }) => {
                    match sealer_of_pin(sequence, bytes.value()) {
                        Ok(Some(key)) => {
                            let what = format_args!("the pin of delivery {}", sequence.0);
                            left_behind(rekeying, key, &what);
                        }
                        Ok(None) | Err(_) => passed_over(fault)?,
                    }
                }
                Err(fault) => return Err(fault),
            }
            if step.is_full() {
                break;
            }
        }
        for (sequence, record) in &step.anew {
            self.put_pin(Sequence(*sequence), record)?;
        }
        Ok(ended(step, rekeying))
    }
}

fn behind(after: Option<u64>) -> (Bound<u64>, Bound<u64>) {
    let from = after.map_or(Bound::Unbounded, Bound::Excluded);
    (from, Bound::Unbounded)
}

/// Where to go on; none if it came to the end of the table.
fn ended(step: Step, rekeying: &mut Rekeying) -> Option<u64> {
    rekeying.resealed += step.anew.len() as u64;
    step.stopped.filter(|_| step.is_full())
}

fn left_behind(rekeying: &mut Rekeying, key: KeyId, what: &dyn std::fmt::Display) {
    tracing::warn!(%key, "{what} does not open and stays as it is");
    *rekeying.left.entry(key).or_default() += 1;
}

/// A record that cannot be read at all says nothing of keys.
fn passed_over(fault: Fault) -> Result<(), Fault> {
    match fault {
        Fault::Damaged { .. } => {
            tracing::error!(%fault, "a record cannot be sealed anew");
            Ok(())
        }
        Fault::Database(_) | Fault::Random(_) | Fault::Absent => Err(fault),
    }
}

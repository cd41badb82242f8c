//! Exchanging the key that seals, and which keys are in use: for operators.

use std::collections::BTreeMap;

use redb::ReadableTable;
use tokio::sync::oneshot;
use whisperer_domain::id::{HookId, Sequence};
use whisperer_domain::port::StoreDown;

use super::RedbStore;
use super::command::{Command, Queued};
use super::fault::Fault;
use super::record::{HookRecord, sealer_of_pin};
use super::seal::KeyId;
use super::shared::Shared;
use super::tables::{HOOKS, PINS};
use crate::error::StoreError;

/// What an exchange of keys came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotated {
    /// Tells which key seals now, and nothing about it.
    pub key: String,
    /// Records that were sealed anew.
    pub resealed: u64,
    /// Records that do not open under any key: they stay as they are, and so do the keys that they
    /// name.
    pub left: u64,
}

/// A key, and what is sealed under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyUse {
    pub key: String,
    pub standing: KeyStanding,
    pub hooks: u64,
    pub pins: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyStanding {
    /// What is written now is sealed under it.
    Seals,
    /// It opens what was sealed under it.
    Opens,
    /// It is not in the key file.
    Missing,
}

impl RedbStore {
    /// Takes a new key and seals everything under it, beside whatever else is done; answers when
    /// the old key is not needed any more and out of the key file. Backups from before need the old
    /// one.
    ///
    /// # Errors
    /// The key file cannot be written, or the store is not open.
    ///
    /// # Cancel safety
    /// Once polled the key is exchanged even if the future is dropped; what a restart cuts off goes
    /// on after it.
    pub async fn rotate_key(&self) -> Result<Rotated, StoreError> {
        let (reply, answer) = oneshot::channel();
        let order = Queued::order(Command::Rotate(reply), &self.shared);
        let inbox = self.inbox.clone();
        // The queue may be full, and this must not be refused: it waits, so not here.
        let sent = tokio::task::spawn_blocking(move || {
            inbox.is_some_and(|inbox| inbox.send(order).is_ok())
        });
        if !sent.await.unwrap_or(false) {
            return Err(StoreError::Closed);
        }
        answer.await.unwrap_or_else(|_| {
            let reason = "it was closed, or broke off, before everything was sealed anew, and goes \
                          on with it at the next start";
            Err(StoreError::NotNow {
                reason: reason.to_owned(),
            })
        })
    }

    /// Every key of the key file, and those that records name beside them. Reads all hooks and pins.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn keys(&self) -> Result<Vec<KeyUse>, StoreDown> {
        self.shared.ready()?;
        let shared = std::sync::Arc::clone(&self.shared);
        let counted = tokio::task::spawn_blocking(move || counted(&shared));
        match counted.await {
            Ok(counted) => counted.map_err(|fault| fault.to_down()),
            Err(_) => Err(StoreDown::Damaged(
                "redb broke off over what it read".to_owned(),
            )),
        }
    }
}

fn counted(shared: &Shared) -> Result<Vec<KeyUse>, Fault> {
    let txn = shared.begin_read()?;
    let mut uses: BTreeMap<KeyId, (u64, u64)> = BTreeMap::new();
    for row in txn.open_table(HOOKS)?.iter()? {
        let (key, bytes) = row?;
        let record = HookRecord::decode("hooks", HookId(key.value()), bytes.value());
        // What cannot be read at all names no key; whoever starts the server is told of it.
        if let Ok(Some(key)) = record.map(|record| record.sealer()) {
            uses.entry(key).or_default().0 += 1;
        }
    }
    for row in txn.open_table(PINS)?.iter()? {
        let (key, bytes) = row?;
        if let Ok(Some(key)) = sealer_of_pin(Sequence(key.value()), bytes.value()) {
            uses.entry(key).or_default().1 += 1;
        }
    }
    Ok(listed(&shared.keys.load(), uses))
}

/// In the order of the key file, then what is missing there.
fn listed(ids: &[KeyId], mut uses: BTreeMap<KeyId, (u64, u64)>) -> Vec<KeyUse> {
    let mut keys = Vec::new();
    for (number, id) in ids.iter().enumerate() {
        let (hooks, pins) = uses.remove(id).unwrap_or_default();
        let standing = if number == 0 {
            KeyStanding::Seals
        } else {
            KeyStanding::Opens
        };
        keys.push((*id, standing, hooks, pins));
    }
    let missing = uses.into_iter();
    keys.extend(missing.map(|(id, (hooks, pins))| (id, KeyStanding::Missing, hooks, pins)));
    let shown = keys.into_iter().map(|(id, standing, hooks, pins)| KeyUse {
        key: id.to_string(),
        standing,
        hooks,
        pins,
    });
    shown.collect()
}

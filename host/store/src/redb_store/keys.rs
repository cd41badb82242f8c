//! Exchanging the key that seals, and which keys are in use: for operators.

use std::collections::BTreeMap;

use redb::ReadableTable;
use tokio::sync::oneshot;
use whisperer_domain::id::{HookId, Sequence};
use whisperer_domain::port::{KeyStanding, KeyUse, Rotated, StoreDown, UpkeepError};

use super::RedbStore;
use super::command::{Command, Queued};
use super::fault::Fault;
use super::record::{HookRecord, sealer_of_pin};
use super::seal::KeyId;
use super::shared::Shared;
use super::tables::{HOOKS, PINS};
use crate::error::StoreError;

impl RedbStore {
    /// What [`Upkeep::rotate_key`](whisperer_domain::port::Upkeep::rotate_key) promises.
    pub(super) async fn exchange_key(&self) -> Result<Rotated, StoreError> {
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

    /// What [`Upkeep::keys`](whisperer_domain::port::Upkeep::keys) promises.
    pub(super) async fn count_keys(&self) -> Result<Vec<KeyUse>, UpkeepError> {
        self.shared.ready().map_err(UpkeepError::Down)?;
        let shared = std::sync::Arc::clone(&self.shared);
        let counted = tokio::task::spawn_blocking(move || counted(&shared));
        match counted.await {
            Ok(counted) => counted.map_err(|fault| UpkeepError::Down(fault.to_down())),
            Err(_) => Err(UpkeepError::Down(StoreDown::Damaged(
                "redb broke off over what it read".to_owned(),
            ))),
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

//! Care of the file while the store runs: what reads long does so on a blocking thread, under one
//! snapshot; what must have the database alone is the writer's.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::TrySendError;

use redb::ReadTransaction;
use tokio::sync::oneshot;
use whisperer_domain::port::{
    BoxFuture, Budget, Checked, Compacted, Copied, KeyUse, Onward, Retention, Rotated, Stock,
    StoreDown, Swept, Upkeep, UpkeepError,
};

use super::command::{Command, Queued, Write};
use super::shared::Shared;
use super::{RedbStore, check, copy};

impl RedbStore {
    /// Reads the whole under one snapshot.
    async fn read_long<T: Send + 'static>(
        &self,
        work: impl FnOnce(&ReadTransaction, &Shared) -> Result<T, UpkeepError> + Send + 'static,
    ) -> Result<T, UpkeepError> {
        self.shared.ready().map_err(UpkeepError::Down)?;
        let Some(held) = self.shared.long_reads.read() else {
            return Err(UpkeepError::Busy("compacting, or enough of this kind,"));
        };
        let shared = Arc::clone(&self.shared);
        let done = tokio::task::spawn_blocking(move || {
            let _held = held;
            let txn = shared
                .begin_read()
                .map_err(|fault| UpkeepError::Down(fault.to_down()))?;
            work(&txn, &shared)
        });
        done.await
            .unwrap_or_else(|_| Err(UpkeepError::Down(StoreDown::Damaged(WHY_BROKEN.to_owned()))))
    }
}

const WHY_BROKEN: &str = "redb broke off over what it read";

impl Upkeep for RedbStore {
    fn stock(&self) -> Stock {
        Stock {
            live_bytes: self.shared.live_bytes.load(Ordering::Relaxed),
            file_bytes: std::fs::metadata(&self.path)
                .ok()
                .map(|metadata| metadata.len()),
            events_swept: self.shared.events_swept.load(Ordering::Relaxed),
            oldest_event_at: self.shared.oldest_event_at(),
        }
    }

    fn sweep(
        &self,
        retention: Retention,
        budget: Budget,
    ) -> BoxFuture<'_, Result<Swept, StoreDown>> {
        Box::pin(async move {
            self.ask(|reply| Write::Sweep {
                retention,
                budget,
                reply,
            })
            .await?
        })
    }

    fn backup(&self, to: PathBuf, onward: Onward) -> BoxFuture<'_, Result<Copied, UpkeepError>> {
        Box::pin(self.read_long(move |txn, _| copy::copy(txn, &to, &onward)))
    }

    fn compact(&self) -> BoxFuture<'_, Result<Compacted, UpkeepError>> {
        Box::pin(async move {
            self.shared.ready().map_err(UpkeepError::Down)?;
            let (reply, answer) = oneshot::channel();
            let order = Queued::order(Command::Compact(reply), &self.shared);
            let closed = || UpkeepError::Down(StoreDown::Closed);
            let inbox = self.inbox.as_ref().ok_or_else(closed)?;
            inbox.try_send(order).map_err(|error| match error {
                TrySendError::Full(_) => UpkeepError::Down(StoreDown::Lagging),
                TrySendError::Disconnected(_) => closed(),
            })?;
            answer.await.unwrap_or_else(|_| Err(closed()))
        })
    }

    fn check(
        &self,
        findings_max: usize,
        onward: Onward,
    ) -> BoxFuture<'_, Result<Checked, UpkeepError>> {
        Box::pin(self.read_long(move |txn, shared| {
            let seal = shared.seal.load();
            check::run(txn, Some(&seal), findings_max, &onward)
        }))
    }

    fn rotate_key(&self) -> BoxFuture<'_, Result<Rotated, UpkeepError>> {
        Box::pin(async move {
            let rotated = self.exchange_key().await;
            rotated.map_err(|error| UpkeepError::Store {
                doing: "exchange the key",
                source: Box::new(error),
            })
        })
    }

    fn keys(&self) -> BoxFuture<'_, Result<Vec<KeyUse>, UpkeepError>> {
        Box::pin(self.count_keys())
    }
}

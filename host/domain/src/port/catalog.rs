//! What is set up: read as a snapshot, changed one durable write at a time.

use std::sync::Arc;

use super::{BoxFuture, StoreDown};
use crate::catalog::{CatalogChange, CatalogSnapshot, Changed};

pub trait Catalog: Send + Sync {
    /// The newest snapshot: no I/O, no wait. A change that was answered is in it.
    fn snapshot(&self) -> Arc<CatalogSnapshot>;

    /// Makes one change, durably.
    ///
    /// # Cancel safety
    /// Once polled the change may be made even if the future is dropped.
    fn change(&self, change: CatalogChange) -> BoxFuture<'_, Result<Changed, CatalogError>>;
}

#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    #[error("the owner has a hook with this target_url and event_type already")]
    Duplicate,
    #[error("no such entry")]
    NotFound,
    /// Somebody else changed it since it was read: read again and repeat.
    #[error("changed meanwhile")]
    Stale,
    #[error("the store cannot write now")]
    Down(#[source] StoreDown),
}

//! What is set up: read as a snapshot, changed one durable write at a time.

use std::sync::Arc;

use super::{BoxFuture, StoreDown};
use crate::access::{AuditEntry, Note};
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

/// A catalog that remembers who changed what.
pub trait AuditedCatalog: Catalog {
    /// Makes one change and remembers it, in the same durable write.
    ///
    /// # Cancel safety
    /// Once polled the change may be made even if the future is dropped.
    fn change_noted(
        &self,
        change: CatalogChange,
        note: Note,
    ) -> BoxFuture<'_, Result<Changed, CatalogError>>;

    /// What was remembered, newest first, below this number.
    fn audit(
        &self,
        below: Option<u64>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<AuditEntry>, StoreDown>>;
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
    /// Other than it was, `ordered` would have to move more pending deliveries than one write may.
    #[error("more than {most} deliveries are pending")]
    TooManyPending { most: usize },
    #[error("the store cannot write now")]
    Down(#[source] StoreDown),
}

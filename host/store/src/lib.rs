//! Events, deliveries and the catalog, kept safe: the [`Ledger`] and [`Catalog`] ports over one
//! store, twice.
//!
//! [`RedbStore`] is the store of a single machine: one file, one writer thread, group commits.
//! [`MemoryStore`] is the model of the same promises in plain collections: simulations run on
//! it, and the contract suite (`tests/contract.rs`) holds both to the same behaviour.
//!
//! What both must decide alike is decided once, in pure functions: [`catalog_edit`] what a change
//! of the catalog comes to, [`follow`] what a verdict makes of a delivery, [`directing`] what a
//! directive does, [`in_order`] what of an ordered lane may go, [`admit`] which deliveries a query
//! means.
//!
//! [`Ledger`]: whisperer_domain::port::Ledger
//! [`Catalog`]: whisperer_domain::port::Catalog

mod admit;
mod catalog_edit;
mod config;
mod delivery_uuid;
mod directing;
mod error;
mod follow;
mod in_order;
mod memory;
mod redb_store;
mod retention;
mod watches;

pub use config::StoreConfig;
pub use error::{StoreError, Trouble};
pub use memory::MemoryStore;
#[doc(hidden)]
pub use redb_store::measured;
#[cfg(fuzzing)]
pub use redb_store::record_codec;
pub use redb_store::{RedbStore, Restored, backup_file, check_file, compact_file, restore};

//! What the domain needs of the world. A trait stands here where there are two implementations
//! or a test must stand in; futures are boxed, one box per call or batch.

mod catalog;
mod clock;
mod delivery_list;
mod directive;
mod event_list;
mod lanes;
mod ledger;
mod transform;
mod transport;
mod upkeep;

use std::future::Future;
use std::pin::Pin;

pub use catalog::{AuditedCatalog, Catalog, CatalogError};
pub use clock::Clock;
pub use delivery_list::{Attempted, DeliveryQuery, DeliveryView, Page};
pub use directive::{DirectError, Directed, Directive, Run, Selection};
pub use event_list::{EventFound, EventPage, EventQuery};
pub use lanes::{
    Acquired, Budget, FeedItem, FeedSink, Fence, HookEffect, Lanes, Lease, Settled, Settlement,
    Taken, Verdict,
};
pub use ledger::{
    AcceptError, Accepted, LaneView, LastAttempt, Ledger, LedgerStatus, Scope, Space, StoreDown,
    StoreHealth,
};
pub use transform::{Chained, Made, Transform, TransformJob, Transformed};
pub use transport::{Exchange, Exchanged, OutboundRequest, Transport};
pub use upkeep::{
    Checked, Compacted, Copied, Finding, KeyStanding, KeyUse, Onward, Progress, Retention, Rotated,
    Stock, Swept, Upkeep, UpkeepError,
};

pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Something to call when it is worth looking again. It carries nothing and must not block.
pub type Bell = std::sync::Arc<dyn Fn() + Send + Sync>;

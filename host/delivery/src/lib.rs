//! Delivers what the store holds: lanes, their scheduler, the attempt, the settling.
//!
//! | actor | what it does |
//! |---|---|
//! | [`Delivery`] | starts the rest, and is what is held of it from outside |
//! | `Feed` | hears of commits on the store's writer, keeps what there is room for |
//! | `Scheduler` | one task that owns every lane and decides alone whose turn it is |
//! | `Lane` | what is known in memory of one hook's pending deliveries |
//! | `attempt` | a task per attempt: transform, wrap, sign, send, judge |
//! | `settler` | one task that writes results, many at a time |
//!
//! Nothing here is the truth: the store is. A lane may forget any delivery that it holds, as
//! long as it marks itself as behind; what is in flight is known in memory only, and after a
//! crash it is sent again under the same id. There is no lock around a lane and no channel
//! without a bound, and no failure ends a delivery but by the verdict of
//! [`whisperer_domain::step`]. This crate knows ports only: no HTTP, no wasm, no database.

mod attempt;
mod buffer;
mod config;
mod feed;
mod gate;
mod handle;
mod lane;
mod line;
mod pause;
mod places;
mod reader;
mod rings;
mod scheduler;
mod settler;
mod space;
mod stats;
mod wakes;

pub use config::{Background, DeliveryConfig, Ports};
pub use handle::{Delivery, DeliveryHandle, Drained};
pub use stats::DeliveryStats;

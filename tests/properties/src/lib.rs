//! What must hold for any input, as plain functions over bytes. Each is called from two sides: by
//! the fuzz targets in `tests/fuzz`, which look for an input that breaks it, and by
//! `tests/corpus.rs`, which holds it against every input that was kept.
//!
//! A property panics where it does not hold. It compares with code that is not ours, or with a
//! second wording of the rule; that nothing panics is only the least of it. What lies behind the
//! doors of a crate has its property there: `record_codec` in the store, `retry_after` in egress.

mod cloud_event;
mod event_json;
mod filter_expr;
mod header_filter;
mod plugin_patch;
mod url_policy;

pub use cloud_event::cloud_event;
pub use event_json::event_json;
pub use filter_expr::filter_expr;
pub use header_filter::header_filter;
pub use plugin_patch::plugin_patch;
pub use url_policy::url_policy;

//! The words and rules of Whisperer: no I/O, no runtime, no clock.
//!
//! Everything here is data and pure functions; what needs the world is a trait in [`port`].
//! The other crates know this one and never each other.

pub mod access;
pub mod address;
pub mod attempt;
pub mod catalog;
pub mod cloud_event;
pub mod delivery;
pub mod envelope;
pub mod event;
pub mod event_type;
pub mod filter;
pub mod header;
pub mod health;
pub mod hook;
pub mod id;
pub mod json;
pub mod json_schema;
pub mod news;
pub mod outcome;
pub mod patch;
pub mod plugin;
pub mod port;
pub mod redact;
pub mod schedule;
pub mod secret;
pub mod sign;
pub mod step;
pub mod target_url;
pub mod time;

//! The API in this process, over the in-memory store: cases as data, one [`app::TestApp`] in between.

#![allow(
    clippy::unwrap_used,
    reason = "what a test cannot go on without ends it, with the place"
)]

mod access;
mod app;
mod auth;
mod batch;
mod cloud_events;
mod directed;
mod document;
mod edge_cases;
mod event_types;
mod events;
mod filter;
mod hook_events;
mod hook_faults;
mod hook_state;
mod hooks;
mod ledger_down;
mod metrics;
mod openapi;
mod operational;
mod pace;
mod plugins;
mod public_key;
mod retry;
mod rotation;
mod secrets;
mod selections;
mod shelf;
mod stored_events;
mod together;

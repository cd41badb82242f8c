//! The API in this process, over the in-memory store: cases as data, one [`app::TestApp`] in between.

mod app;
mod auth;
mod edge_cases;
mod event_types;
mod events;
mod hook_events;
mod hooks;
mod retry;
mod secrets;

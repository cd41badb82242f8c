//! The real binary from outside: what a partner, a poster and an operator see.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on says so by ending"
)]

#[path = "black_box/addresses.rs"]
mod addresses;
#[path = "black_box/authors.rs"]
mod authors;
#[path = "black_box/breaker.rs"]
mod breaker;
#[path = "black_box/care.rs"]
mod care;
#[path = "black_box/compiling.rs"]
mod compiling;
#[path = "support/costly.rs"]
#[allow(dead_code, reason = "the sandbox's tests use more of it")]
mod costly;
#[path = "black_box/directives.rs"]
mod directives;
#[path = "black_box/disk.rs"]
mod disk;
#[path = "black_box/edge.rs"]
mod edge;
#[path = "black_box/ending.rs"]
mod ending;
#[path = "black_box/hostile.rs"]
mod hostile;
#[path = "black_box/ingest.rs"]
mod ingest;
#[path = "black_box/kills.rs"]
mod kills;
#[path = "black_box/main_job.rs"]
mod main_job;
#[path = "black_box/oms_client.rs"]
mod oms_client;
#[path = "black_box/operator.rs"]
mod operator;
#[path = "black_box/order.rs"]
mod order;
#[path = "black_box/outside.rs"]
mod outside;
#[path = "black_box/pace.rs"]
mod pace;
#[path = "black_box/plugins.rs"]
mod plugins;
#[path = "black_box/secrecy.rs"]
mod secrecy;
#[path = "black_box/setup.rs"]
mod setup;
#[path = "black_box/signing.rs"]
mod signing;
mod support;
#[path = "black_box/told.rs"]
mod told;
#[path = "../host/sandbox/tests/isolation/wat.rs"]
mod wat;
#[path = "black_box/wire.rs"]
mod wire;

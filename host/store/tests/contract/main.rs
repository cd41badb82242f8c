//! What every store promises, run over the redb store and the in-memory model alike; and what
//! the redb store promises besides, about its files.

#![allow(
    clippy::unwrap_used,
    reason = "clippy spares functions marked as tests only; this whole crate is one"
)]

mod accept;
mod audit;
mod catalog;
mod checking;
mod copies;
mod directives;
mod durability;
mod events;
mod feed;
mod files;
mod health;
mod keys;
mod lane_views;
mod lanes;
mod lists;
mod model;
mod news;
mod order;
mod order_turned;
mod restarts;
mod retention;
mod settle;
mod signing_keys;
mod stage;

//! What every store promises, run over the redb store and the in-memory model alike; and what
//! the redb store promises besides, about its files.

mod accept;
mod catalog;
mod durability;
mod feed;
mod files;
mod lanes;
mod lists;
mod model;
mod settle;
mod stage;

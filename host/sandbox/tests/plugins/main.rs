//! The sandbox from outside: real components, a real folder, every limit.

mod bench;
mod chain;
mod guests;
mod limits;
mod reload;

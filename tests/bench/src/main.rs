//! The project's own load tool, which knows a server by HTTP only: how fast it is (`speed`), how
//! that changes as work grows (`long`), and what one receiver does to another (`lanes`).
//!
//! The generator is this process; the receiver is another one, so that what it costs is counted
//! with nobody else. All share the machine with the server: figures hold for that machine and that
//! company, and what is to be compared is measured in turns.

mod api;
mod backlog;
mod child;
mod event;
mod floor;
mod generator;
mod how;
mod lanes;
mod long;
mod quantiles;
mod receiver;
mod server;
mod speed;
mod stamp;
mod target;
mod usage;
mod wall;
mod world;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Measures a server that delivers webhooks, from outside")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// How fast a server is: one base point, and one factor at a time from it.
    Speed(speed::Asked),
    /// How that changes as work grows: backlogs, many hooks, a long history.
    Long(long::Asked),
    /// What one receiver does to another.
    Lanes(lanes::Asked),
    /// The process that takes what a server delivers.
    #[command(hide = true)]
    Receiver,
    /// The process that accepts events and does nothing with them.
    #[command(hide = true)]
    Axum,
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().task {
        Task::Speed(asked) => speed::measure(asked),
        Task::Long(asked) => long::measure(asked),
        Task::Lanes(asked) => lanes::measure(asked),
        Task::Receiver => receiver::serve(),
        Task::Axum => floor::serve(),
    }
}

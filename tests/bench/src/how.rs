//! What can be said of every measurement, whatever is measured.

use std::path::PathBuf;

use clap::Args;

#[derive(Args)]
pub(crate) struct How {
    /// The build to measure; by default the one that was built beside this program.
    #[arg(long)]
    pub(crate) server: Option<PathBuf>,
    /// Runs of each point (pairs of runs, where two are compared).
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) runs: u32,
    /// Short runs that try the tool out; the figures mean little.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Where to write all figures of all runs.
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,
    /// On which disk: a folder for the servers' data, removed at the end; a long history takes
    /// some GiB.
    #[arg(long)]
    pub(crate) folder: Option<PathBuf>,
}

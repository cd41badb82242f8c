//! `whisperer plugin …`: everything that whoever writes a plugin needs, from an empty folder to a
//! component that is known to work.
//!
//! What runs a plugin here is the server's own sandbox over a folder of one plugin
//! ([`workbench`]): a plugin that does in these commands what it should does so on a server.

mod bench;
mod build;
mod case;
mod check;
mod new;
mod project;
mod run;
mod templates;
mod test;
mod workbench;

use std::path::PathBuf;

use clap::Subcommand;

#[derive(Subcommand)]
pub(super) enum PluginCommand {
    /// Make a project for a new plugin
    New(new::New),
    /// Build a project's component, installing what that takes into the project
    Build(build::Build),
    /// Say what a server would say of a component
    Check {
        /// The component; a NAME.toml beside NAME.wasm is read too
        file: PathBuf,
    },
    /// Run a component on one event, under a server's limits
    Run(run::Run),
    /// Run the golden cases that lie beside a plugin's source
    Test(test::Test),
    /// Measure what a call costs
    Bench(bench::Bench),
}

/// # Errors
/// What went wrong, for people.
pub(super) fn run(command: PluginCommand) -> anyhow::Result<()> {
    match command {
        PluginCommand::New(new) => new.run(),
        PluginCommand::Build(build) => build.run(),
        PluginCommand::Check { file } => check::run(&file),
        PluginCommand::Run(run) => run.run(),
        PluginCommand::Test(test) => test.run(),
        PluginCommand::Bench(bench) => bench.run(),
    }
}

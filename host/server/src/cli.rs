//! The command line.

mod care;
mod keys;
mod plugin;

use std::io::Write as _;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use whisperer_domain::secret;
use whisperer_sandbox::{CompileBounds, compile_from_stdin};
use whisperer_store::{StoreError, Trouble};

use crate::config::{self, Config, Flags};
use crate::control::Report;
use crate::stdout::say;
use crate::wiring::{self, Beside};
use crate::{core_dumps, small_pages, telemetry};

#[derive(Parser)]
#[command(name = "whisperer", version, about = "Delivers webhooks")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the API and deliver
    Serve {
        /// Settings from this TOML file; the environment and flags win over it
        #[arg(long, value_name = "FILE", env = "WHISPERER_CONFIG")]
        config: Option<PathBuf>,
        #[command(flatten)]
        flags: Flags,
    },
    #[command(flatten)]
    Care(care::CareCommand),
    /// Make, build, try and test plugins
    #[command(subcommand)]
    Plugin(plugin::PluginCommand),
    /// See and exchange the keys that seal what is secret in the database
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Print every setting with its default and meaning, as a Markdown table
    Config,
    /// Print the version
    Version,
    /// What a server starts to compile one plugin, which it gives on stdin
    #[command(name = COMPILE_PLUGIN, hide = true)]
    CompilePlugin {
        /// The folder that the code goes into
        cache: PathBuf,
        processor_secs: u64,
        memory_bytes: u64,
    },
}

/// The command that a server itself calls.
pub(crate) const COMPILE_PLUGIN: &str = "compile-plugin";

/// Less than everything else, but enough to get on where others want the machine too.
#[cfg(target_os = "linux")]
const BACKGROUND_NICENESS: i32 = 10;

/// All of the program: what `main` returns.
#[must_use]
pub fn run() -> ExitCode {
    match Arguments::parse().command {
        Command::Serve { config, flags } => ended(serve(config.as_deref(), &flags)),
        Command::Care(command) => reported(care::run(command)),
        Command::Plugin(command) => ended(plugin::run(command)),
        Command::Keys(command) => reported(keys::run(command)),
        Command::Config => {
            say(&config::table());
            ExitCode::SUCCESS
        }
        Command::Version => {
            say(&format!("whisperer {}", env!("CARGO_PKG_VERSION")));
            ExitCode::SUCCESS
        }
        Command::CompilePlugin {
            cache,
            processor_secs,
            memory_bytes,
        } => {
            let bounds = CompileBounds {
                processor_secs,
                memory_bytes,
            };
            compile_from_stdin(&cache, bounds)
        }
    }
}

/// Says what came of a command about the data.
fn reported(result: anyhow::Result<Report>) -> ExitCode {
    match result {
        Ok(report) => {
            report.lines.iter().for_each(|line| say(line));
            if report.sound {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(error) => ended(Err(error)),
    }
}

fn ended(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One line with the whole chain; not by the log, which a filter may mute. With nobody
            // at stderr the exit code is all there is left to say.
            let _ = writeln!(std::io::stderr(), "whisperer: {error:#}");
            exit_code(&error)
        }
    }
}

/// As sysexits.h numbers them, so that a supervisor can be told which starts are of no use.
fn exit_code(error: &anyhow::Error) -> ExitCode {
    let store = error.chain().find_map(|cause| cause.downcast_ref());
    match store.map(StoreError::trouble) {
        Some(Trouble::Data) => ExitCode::from(65),
        Some(Trouble::System) => ExitCode::from(74),
        Some(Trouble::InUse) => ExitCode::from(75),
        Some(Trouble::Setup) => ExitCode::from(78),
        None => ExitCode::FAILURE,
    }
}

fn serve(file: Option<&Path>, flags: &Flags) -> anyhow::Result<()> {
    secret::prepare()?;
    let config = Config::load(file, flags)?;
    telemetry::start(&config)?;
    small_pages::prefer();
    if !config.core_dumps {
        core_dumps::forbid();
    }
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let half = cores.div_ceil(2);
    let deliveries = threads("deliveries", cores.saturating_sub(1).max(1)).build()?;
    let requests = threads("requests", half).build()?;
    let background = threads("background", half)
        .on_thread_start(step_back)
        .build()?;
    let beside = Beside {
        requests: requests.handle().clone(),
        background: background.handle().clone(),
    };
    let ended = deliveries.block_on(wiring::serve(config, beside));
    // What is still on a blocking thread then holds nothing that must be finished.
    for runtime in [deliveries, requests, background] {
        runtime.shutdown_background();
    }
    ended
}

/// Few, as threads that hand work to each other spend much of their time on waking each other; and
/// apart for requests and deliveries, so that the system shares the processors out between them
/// whatever one of them has to do. The store's one thread has its part of a core beside them.
fn threads(name: &str, count: usize) -> tokio::runtime::Builder {
    let mut threads = tokio::runtime::Builder::new_multi_thread();
    threads.worker_threads(count).thread_name(name).enable_all();
    threads
}

/// This thread works where nobody waits: what is fresh goes before it.
fn step_back() {
    // Of this thread alone: Linux knows the niceness of threads.
    #[cfg(target_os = "linux")]
    if let Err(why) = rustix::process::setpriority_process(None, BACKGROUND_NICENESS) {
        tracing::debug!(reason = %why, "backlogs are worked off at full priority");
    }
}

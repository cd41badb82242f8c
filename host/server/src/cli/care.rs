//! Commands for the data: backup, restore, compact, check.
//!
//! With a server running on the data folder a command goes to it, over its socket; else the file is
//! opened here. What is asked for goes to stdout, progress to stderr.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use whisperer_domain::port::{Onward, Progress};
use whisperer_store::{StoreConfig, StoreError, backup_file, check_file, compact_file, restore};

use crate::control::{Line, Place, Report, Request, checked, compacted, copied};
use crate::wiring;

const FINDINGS_MAX: usize = 100;

#[derive(Args)]
pub(super) struct Data {
    /// Folder of the database
    #[arg(
        long,
        value_name = "FOLDER",
        env = "WHISPERER_DATA",
        default_value = "./whisperer-data"
    )]
    pub(super) data: PathBuf,
}

#[derive(Subcommand)]
pub(super) enum CareCommand {
    /// Copy everything into a new file, while the server runs or not; the key of the secrets is not in it
    Backup {
        /// The file to be made
        file: PathBuf,
        #[command(flatten)]
        data: Data,
    },
    /// Put a copy where no database is
    Restore {
        /// What `backup` made
        file: PathBuf,
        #[command(flatten)]
        data: Data,
        /// Put it there although something is wrong with it
        #[arg(long)]
        even_if_damaged: bool,
    },
    /// Give back to the system what the file does not need; a running server is down meanwhile
    Compact {
        #[command(flatten)]
        data: Data,
    },
    /// Read every record and follow every reference; exit code 1 if something is wrong
    Check {
        /// This file, instead of the database of the data folder
        file: Option<PathBuf>,
        #[command(flatten)]
        data: Data,
        /// Have redb look through its own pages too, for which it opens the file for writing; not
        /// while a server runs
        #[arg(long)]
        deep: bool,
    },
}

pub(super) fn run(command: CareCommand) -> anyhow::Result<Report> {
    match command {
        CareCommand::Backup { file, data } => backup(&file, &data.data),
        CareCommand::Restore {
            file,
            data,
            even_if_damaged,
        } => put_back(&file, &data.data, even_if_damaged),
        CareCommand::Compact { data } => match asked(&data.data, &Request::Compact {})? {
            Some(report) => Ok(report),
            None => Ok(compacted(compact_file(&wiring::files(&data.data))?)),
        },
        CareCommand::Check { file, data, deep } => check(file, &data.data, deep),
    }
}

fn backup(file: &Path, data: &Path) -> anyhow::Result<Report> {
    // The server may stand elsewhere.
    let file = std::path::absolute(file).context("cannot tell where the file is to be")?;
    let request = Request::Backup { file: file.clone() };
    if let Some(report) = asked(data, &request)? {
        return Ok(report);
    }
    let config = wiring::files(data);
    let to = file.clone();
    let done = until_told(move |onward| backup_file(&config, &to, onward))?;
    Ok(copied(&done, &file))
}

fn check(file: Option<PathBuf>, data: &Path, deep: bool) -> anyhow::Result<Report> {
    let config = match file {
        // Its key may lie beside it.
        Some(file) => StoreConfig::new(&file, file.with_file_name(wiring::KEY_FILE)),
        None => {
            if !deep && let Some(report) = asked(data, &Request::Check {})? {
                return Ok(report);
            }
            wiring::files(data)
        }
    };
    let done = until_told(move |onward| check_file(&config, deep, FINDINGS_MAX, onward))?;
    Ok(checked(&done))
}

fn put_back(file: &Path, data: &Path, even_if_damaged: bool) -> anyhow::Result<Report> {
    wiring::private_folder(data)?;
    let config = wiring::files(data);
    let (from, to) = (file.to_owned(), config.clone());
    let (restored, is_placed) =
        until_told(move |onward| restore(&from, &to, even_if_damaged, onward))?;
    let mut lines = Vec::new();
    if restored.checked.found > 0 {
        lines = checked(&restored.checked).lines;
    }
    if !is_placed {
        lines.push(format!(
            "{} was not put in place: take an older copy, or this one as it is, with \
             --even-if-damaged",
            file.display()
        ));
        return Ok(Report {
            sound: false,
            lines,
        });
    }
    lines.push(format!(
        "{} has {} bytes and {} records",
        config.path.display(),
        restored.bytes,
        restored.checked.rows
    ));
    lines.push(if restored.has_key {
        format!("the key file {} fits", config.key_file.display())
    } else {
        format!(
            "now put the key file that belongs to it to {} (mode 600): without it the server does \
             not start, and the secrets of the hooks cannot be read",
            config.key_file.display()
        )
    });
    Ok(Report { sound: true, lines })
}

/// Has a running server do it. None: none runs.
pub(super) fn asked(data: &Path, request: &Request) -> anyhow::Result<Option<Report>> {
    // A folder that is not there has no server; what is wrong with it is said by who opens it.
    if !data.is_dir() {
        return Ok(None);
    }
    let place = Place::of(data)?;
    let mut stream = match UnixStream::connect(place.path()) {
        Ok(stream) => stream,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
            ) =>
        {
            return Ok(None);
        }
        Err(error) => {
            let shown = place.shown().display().to_string();
            return Err(error).with_context(|| format!("cannot reach the server at {shown}"));
        }
    };
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream
        .write_all(&line)
        .context("the server does not listen")?;
    for line in BufReader::new(stream).lines() {
        let line = line.context("the server broke off")?;
        match serde_json::from_str(&line).context("the server speaks otherwise: is it older?")? {
            Line::Progress { at, rows, bytes } => tell(&at, rows, bytes),
            Line::Done(report) => return Ok(Some(report)),
            Line::Failed(words) => anyhow::bail!(words),
        }
    }
    anyhow::bail!("the server broke off: see what it logged")
}

/// Works here; Ctrl-C asks it to stop, so that it takes away what is half done.
fn until_told<T: Send + 'static>(
    work: impl FnOnce(&Onward) -> Result<T, StoreError> + Send + 'static,
) -> anyhow::Result<T> {
    let goes_on = Arc::new(AtomicBool::new(true));
    let next = AtomicU64::new(TOLD_EVERY_BYTES);
    let onward: Onward = {
        let goes_on = Arc::clone(&goes_on);
        Arc::new(move |progress: Progress| {
            if progress.bytes >= next.load(Ordering::Relaxed) {
                next.store(progress.bytes + TOLD_EVERY_BYTES, Ordering::Relaxed);
                tell(progress.at, progress.rows, progress.bytes);
            }
            goes_on.load(Ordering::Relaxed)
        })
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let done = runtime.block_on(async {
        let mut work = tokio::task::spawn_blocking(move || work(&onward));
        tokio::select! {
            done = &mut work => done,
            _ = tokio::signal::ctrl_c() => {
                goes_on.store(false, Ordering::Relaxed);
                work.await
            }
        }
    });
    Ok(done.context("it broke off")??)
}

const TOLD_EVERY_BYTES: u64 = 64 << 20;

fn tell(at: &str, rows: u64, bytes: u64) {
    let mebibytes = bytes >> 20;
    // Nobody may be there to read it.
    let _ = writeln!(io::stderr(), "{at}: {rows} records, {mebibytes} MiB so far");
}

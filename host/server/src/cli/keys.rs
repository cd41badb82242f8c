//! `whisperer keys`: which keys seal what is secret in the database, and a new one for it.
//!
//! As with the data's other commands: a server that runs does it, else the database is opened here.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::Subcommand;
use whisperer_domain::secret;
use whisperer_store::RedbStore;

use super::care::{Data, asked};
use crate::control::{Report, Request};
use crate::wiring::files;
use crate::{SystemClock, core_dumps};

#[derive(Subcommand)]
pub(super) enum KeysCommand {
    /// Exchange the key: make a new one, seal everything anew under it, and forget the old one
    ///
    /// What cuts it off does no harm: the next start goes on with it. Backups from before can be
    /// read with the old key file only: keep it with them.
    Rotate {
        #[command(flatten)]
        data: Data,
    },
    /// List the keys, and how much is sealed under each; no key is shown
    Show {
        #[command(flatten)]
        data: Data,
    },
}

pub(super) fn run(command: KeysCommand) -> anyhow::Result<Report> {
    let (request, data) = match command {
        KeysCommand::Rotate { data } => (Request::RotateKey {}, data.data),
        KeysCommand::Show { data } => (Request::ShowKeys {}, data.data),
    };
    match asked(&data, &request)? {
        Some(report) => Ok(report),
        None => done_here(&data, request),
    }
}

fn done_here(data: &Path, request: Request) -> anyhow::Result<Report> {
    secret::prepare()?;
    core_dumps::forbid();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let store = open(data)?;
        let report = request
            .carry_out(store.as_ref(), Arc::new(|_progress| true))
            .await;
        store
            .close()
            .await
            .context("the store could not be closed")?;
        Ok(report?)
    })
}

/// What is there; a command about keys makes no database.
fn open(data: &Path) -> anyhow::Result<Arc<RedbStore>> {
    let config = files(data);
    if !config.path.exists() {
        bail!(
            "there is no database in {}: name the folder of the server's data by --data",
            data.display()
        );
    }
    Ok(RedbStore::open(config, Arc::new(SystemClock))?)
}

//! `whisperer keys`: which keys seal what is secret in the database, and a new one for it.
//!
//! The commands open the database themselves, so no server may run on it meanwhile. What they do
//! with an open store is a function each, for whoever has one.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::Subcommand;
use whisperer_domain::secret;
use whisperer_store::{KeyStanding, RedbStore};

use crate::stdout::say;
use crate::wiring::files;
use crate::{SystemClock, core_dumps};

#[derive(Subcommand)]
pub(super) enum KeysCommand {
    /// Exchange the key: make a new one, seal everything anew under it, and forget the old one
    ///
    /// What cuts it off does no harm: the next start goes on with it. Backups from before can be
    /// read with the old key file only: keep it with them.
    Rotate {
        /// Folder of the database
        #[arg(
            long,
            value_name = "FOLDER",
            env = "WHISPERER_DATA",
            default_value = "./whisperer-data"
        )]
        data: PathBuf,
    },
    /// List the keys, and how much is sealed under each; no key is shown
    Show {
        /// Folder of the database
        #[arg(
            long,
            value_name = "FOLDER",
            env = "WHISPERER_DATA",
            default_value = "./whisperer-data"
        )]
        data: PathBuf,
    },
}

pub(super) fn run(command: &KeysCommand) -> anyhow::Result<()> {
    secret::prepare()?;
    core_dumps::forbid();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let (data, text) = match command {
            KeysCommand::Rotate { data } => {
                let store = open(data)?;
                let text = rotate(&store).await;
                store
                    .close()
                    .await
                    .context("the store could not be closed")?;
                (data, text?)
            }
            KeysCommand::Show { data } => {
                let store = open(data)?;
                let text = show(&store).await;
                store
                    .close()
                    .await
                    .context("the store could not be closed")?;
                (data, text?)
            }
        };
        say(&format!("{}:\n{text}", data.display()));
        Ok(())
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

/// Exchanges the key of a store, and says what that came to.
pub(crate) async fn rotate(store: &RedbStore) -> anyhow::Result<String> {
    let rotated = store.rotate_key().await?;
    let mut text = format!(
        "the key {} seals now; records sealed anew: {}",
        rotated.key, rotated.resealed
    );
    if rotated.left > 0 {
        write!(
            text,
            "\nrecords that do not open under any key, and stay as they are with the keys that they \
             name: {}",
            rotated.left
        )?;
    }
    Ok(text)
}

/// Says which keys a store has, and what for.
pub(crate) async fn show(store: &RedbStore) -> anyhow::Result<String> {
    let mut lines = Vec::new();
    for key in store.keys().await? {
        let standing = match key.standing {
            KeyStanding::Seals => "seals",
            KeyStanding::Opens => "opens what is sealed under it",
            KeyStanding::Missing => "is not in the key file: what it sealed cannot be read",
        };
        lines.push(format!(
            "{}  {standing}; hooks: {}, pins: {}",
            key.key, key.hooks, key.pins
        ));
    }
    Ok(lines.join("\n"))
}

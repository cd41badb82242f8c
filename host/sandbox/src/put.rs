//! A plugin written into the folder, or taken out of it, on behalf of the API.
//!
//! The folder stays the one truth: a file is tried first, exactly as the loader would, then
//! written aside and renamed into place, and the loader finds it there like any other. A refusal
//! touches nothing. One such write at a time, from its trial until it is live.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedMutexGuard;
use whisperer_domain::id::Digest;
use whisperer_domain::plugin::PluginName;
use whisperer_domain::secret::Secret;

use crate::folder::{Unit, component_path, read, settings_path};
use crate::load::NotLoaded;
use crate::registry::Member;
use crate::sandbox::Sandbox;

/// The loader has the code in its cache by then, or compiles it a second time.
const LIVE_WAIT: Duration = Duration::from_secs(60);

/// What of a plugin is written.
pub enum Part {
    Component(Vec<u8>),
    /// The TOML file beside it; none: there is to be none.
    Settings(Option<String>),
}

#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// The loader's reason.
    #[error("{0}")]
    Refused(String),
    /// The machine's; the same may do later.
    #[error("{0}")]
    Later(String),
    #[error("there is no plugin of this name")]
    Missing,
    #[error("the plugin folder cannot be written")]
    Folder(#[source] io::Error),
    /// It is in the folder; why it is not live yet is in its status.
    #[error("it is written, and not live yet")]
    NotLive,
}

impl Sandbox {
    /// Tries the plugin with this part in place of the one that is there, writes it, and waits
    /// until it is live.
    ///
    /// # Errors
    /// Refusals and a full disk change nothing. [`PutError::NotLive`]: the file is in place.
    ///
    /// # Cancel safety
    /// The file is either written whole or not at all.
    pub async fn put(&self, name: &PluginName, part: Part) -> Result<(), PutError> {
        self.reconciled().await;
        let turn = Arc::clone(&self.writing).lock_owned().await;
        let path = component_path(&self.folder, name);
        let bytes_max = self.file_bytes_max;
        let present = blocking(move || read(&path, bytes_max)).await?;
        let (unit, target, bytes) = match part {
            Part::Component(bytes) => {
                if bytes.len() as u64 > bytes_max {
                    let why = format!("the file is larger than {bytes_max} bytes");
                    return Err(PutError::Refused(why));
                }
                let settings = present.and_then(|unit| unit.sidecar);
                let unit = Unit::of(Ok(bytes.clone()), settings);
                (unit, component_path(&self.folder, name), Some(bytes))
            }
            Part::Settings(text) => {
                let component = present.ok_or(PutError::Missing)?.component;
                let bytes = text.clone().map(String::into_bytes);
                let unit = Unit::of(component, text.map(|text| Ok(Secret::new(text))));
                (unit, settings_path(&self.folder, name), bytes)
            }
        };
        let wanted = (unit.digest, unit.sidecar.clone().and_then(Result::ok));
        let running = self.generation(name);
        let tried = self.loader.load(unit, running.as_deref()).await;
        tried.map_err(|why| match why {
            NotLoaded::Refused(reason) => PutError::Refused(reason),
            NotLoaded::Later(reason) => PutError::Later(reason),
        })?;
        let _turn = Self::alone(turn, move || write(&target, bytes.as_deref())).await?;
        let live = |member: Option<&Member>| member.is_some_and(|it| runs(it, &wanted));
        self.until(name, live).await
    }

    /// Takes a plugin's files out of the folder, and waits until it is gone.
    ///
    /// # Errors
    /// As [`Sandbox::put`].
    pub async fn remove(&self, name: &PluginName) -> Result<(), PutError> {
        self.reconciled().await;
        let turn = Arc::clone(&self.writing).lock_owned().await;
        if !self.registry.load().members.contains_key(name) {
            return Err(PutError::Missing);
        }
        let files = [
            component_path(&self.folder, name),
            settings_path(&self.folder, name),
        ];
        let _turn = Self::alone(turn, move || {
            files.iter().try_for_each(|path| write(path, None))
        })
        .await?;
        self.until(name, |member| member.is_none()).await
    }

    /// The turn goes along with the work: a caller that is dropped meanwhile lets nobody else in.
    async fn alone(
        turn: OwnedMutexGuard<()>,
        work: impl FnOnce() -> io::Result<()> + Send + 'static,
    ) -> Result<OwnedMutexGuard<()>, PutError> {
        let (turn, done) = blocking(move || {
            let done = work();
            (turn, done)
        })
        .await?;
        done.map_err(PutError::Folder)?;
        Ok(turn)
    }

    async fn until(
        &self,
        name: &PluginName,
        so: impl Fn(Option<&Member>) -> bool,
    ) -> Result<(), PutError> {
        let mut changes = self.changes.subscribe();
        let seen = changes.wait_for(|_| so(self.registry.load().members.get(name)));
        match tokio::time::timeout(LIVE_WAIT, seen).await {
            Ok(_) => Ok(()),
            Err(_) => Err(PutError::NotLive),
        }
    }
}

fn runs(member: &Member, (digest, settings): &(Option<Digest>, Option<Secret>)) -> bool {
    let generation = member.generation.as_deref();
    generation.is_some_and(|it| Some(it.digest) == *digest && it.settings == *settings)
}

/// Whole or not at all, and on disk when it returns; none: the file goes.
fn write(path: &Path, bytes: Option<&[u8]>) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    match bytes {
        Some(bytes) => {
            // Hidden files are somebody's unfinished work to the loader.
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let aside = folder.join(format!(".{name}.put"));
            let written = write_aside(&aside, bytes).and_then(|()| fs::rename(&aside, path));
            if written.is_err() {
                // What is left of it hurts nobody if it cannot be removed either.
                let _ = fs::remove_file(&aside);
            }
            written?;
        }
        None => match fs::remove_file(path) {
            Ok(()) => {}
            Err(why) if why.kind() == io::ErrorKind::NotFound => {}
            Err(why) => return Err(why),
        },
    }
    File::open(folder)?.sync_all()
}

/// Into a file that was not there: what lies in its place, left over or put there, may be a link
/// that leads anywhere.
fn write_aside(aside: &Path, bytes: &[u8]) -> io::Result<()> {
    match fs::remove_file(aside) {
        Ok(()) => {}
        Err(why) if why.kind() == io::ErrorKind::NotFound => {}
        Err(why) => return Err(why),
    }
    let mut file = File::create_new(aside)?;
    file.write_all(bytes)?;
    file.sync_all()
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, PutError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| PutError::Later("the server is ending".to_owned()))
}

//! Where the socket is. The system takes names of 107 bytes; a data folder may lie deeper, and is
//! then named by a descriptor that is open on it.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

const NAME: &str = "control.sock";
/// One byte of the 108 ends the name.
const NAME_BYTES_MAX: usize = 107;

pub(crate) struct Place {
    path: PathBuf,
    shown: PathBuf,
    /// Open for as long as `path` names it.
    _folder: Option<File>,
}

impl Place {
    /// # Errors
    /// The folder cannot be opened, or is too deep for a system that has no `/proc`.
    pub(crate) fn of(folder: &Path) -> anyhow::Result<Self> {
        let shown = folder.join(NAME);
        if shown.as_os_str().len() <= NAME_BYTES_MAX {
            return Ok(Self {
                path: shown.clone(),
                shown,
                _folder: None,
            });
        }
        let opened = File::open(folder)
            .with_context(|| format!("cannot open the data folder {}", folder.display()))?;
        let by_number = PathBuf::from(format!("/proc/self/fd/{}", opened.as_raw_fd()));
        anyhow::ensure!(
            by_number.exists(),
            "the path {} is too long for a socket",
            shown.display()
        );
        Ok(Self {
            path: by_number.join(NAME),
            shown,
            _folder: Some(opened),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// As a person knows it.
    pub(crate) fn shown(&self) -> &Path {
        &self.shown
    }

    pub(super) fn remove(&self) {
        match std::fs::remove_file(&self.path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => tracing::debug!(%error, "the socket for commands is left behind"),
        }
    }
}

//! Reading the plugin folder: which files belong to which plugin, and what is in them.
//!
//! Links are followed, wherever they lead: whoever may write into the folder may put any file
//! there, and Kubernetes mounts everything as links. What is at the end must be a regular file.
//! All of this blocks.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use whisperer_domain::id::Digest;
use whisperer_domain::plugin::PluginName;
use whisperer_domain::secret::Secret;

use crate::sidecar::SIDECAR_BYTES_MAX;
use crate::status::Stray;

/// The most plugins of one folder.
const PLUGINS_MAX: usize = 1_000;
/// Of everything else in it, so many are named.
const STRAYS_MAX: usize = 100;

#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub(crate) plugins: BTreeMap<PluginName, PathBuf>,
    pub(crate) strays: Vec<Stray>,
}

/// The file of a plugin, and the settings beside it.
pub(crate) fn component_path(folder: &Path, name: &PluginName) -> PathBuf {
    folder.join(format!("{name}.wasm"))
}

pub(crate) fn settings_path(folder: &Path, name: &PluginName) -> PathBuf {
    folder.join(format!("{name}.toml"))
}

/// A plugin's files, read once: what is compiled is what was hashed.
#[derive(Debug)]
pub(crate) struct Unit {
    /// Or why it cannot be read.
    pub(crate) component: Result<Vec<u8>, String>,
    pub(crate) digest: Option<Digest>,
    /// None: there is no such file. A secret, because its `config` may hold some.
    pub(crate) sidecar: Option<Result<Secret, String>>,
}

/// What a unit was like, to see whether it changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Likeness {
    digest: Option<Digest>,
    unreadable: Option<String>,
    sidecar: Option<Result<Secret, String>>,
}

/// # Errors
/// The folder itself cannot be read: nothing may be concluded about what is in it.
pub(crate) fn list(folder: &Path) -> io::Result<Listing> {
    let mut listing = Listing::default();
    let mut sidecars = BTreeSet::new();
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        names.push(entry?.file_name());
    }
    names.sort();
    for name in names {
        let Some(name) = name.to_str() else {
            listing.stray(&name.to_string_lossy(), "its name is not UTF-8");
            continue;
        };
        // Editors and careful copies put their unfinished work into hidden files.
        if name.starts_with('.') {
            continue;
        }
        if let Some(stem) = name.strip_suffix(".wasm") {
            match PluginName::parse(stem) {
                Ok(_) if listing.plugins.len() >= PLUGINS_MAX => {
                    listing.stray(name, "the folder holds too many plugins");
                }
                Ok(plugin) => {
                    listing.plugins.insert(plugin, folder.join(name));
                }
                Err(why) => listing.stray(name, &why),
            }
        } else if let Some(stem) = name.strip_suffix(".toml") {
            sidecars.insert(stem.to_owned());
        }
    }
    for stem in sidecars {
        let partner = PluginName::parse(&stem).ok();
        if !partner.is_some_and(|name| listing.plugins.contains_key(&name)) {
            listing.stray(
                &format!("{stem}.toml"),
                &format!("there is no {stem}.wasm beside it"),
            );
        }
    }
    Ok(listing)
}

impl Listing {
    fn stray(&mut self, file: &str, reason: &str) {
        if self.strays.len() < STRAYS_MAX {
            self.strays.push(Stray {
                file: file.escape_debug().to_string(),
                reason: reason.to_owned(),
            });
        }
    }
}

/// None: the file went away meanwhile.
pub(crate) fn read(component: &Path, bytes_max: u64) -> Option<Unit> {
    let sidecar = match read_regular(&component.with_extension("toml"), SIDECAR_BYTES_MAX) {
        Ok(None) => None,
        Ok(Some(bytes)) => {
            let text = String::from_utf8(bytes);
            Some(
                text.map(Secret::new)
                    .map_err(|_| "the file is not UTF-8".to_owned()),
            )
        }
        Err(why) => Some(Err(why)),
    };
    let component = read_regular(component, bytes_max).transpose()?;
    Some(Unit::of(component, sidecar))
}

impl Unit {
    pub(crate) fn of(
        component: Result<Vec<u8>, String>,
        sidecar: Option<Result<Secret, String>>,
    ) -> Self {
        let bytes = component.as_ref().ok();
        Self {
            digest: bytes.map(|bytes| Digest(Sha256::digest(bytes).into())),
            component,
            sidecar,
        }
    }

    pub(crate) fn likeness(&self) -> Likeness {
        Likeness {
            digest: self.digest,
            unreadable: self.component.as_ref().err().cloned(),
            sidecar: self.sidecar.clone(),
        }
    }
}

fn read_regular(path: &Path, bytes_max: u64) -> Result<Option<Vec<u8>>, String> {
    let unreadable = |why: io::Error| match why.kind() {
        // Also a link to nowhere: the file it should lead to is gone.
        io::ErrorKind::NotFound => Ok(None),
        _ => Err(format!("the file cannot be read: {why}")),
    };
    // Looked at before it is opened: opening a pipe waits for its writer.
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(why) => return unreadable(why),
    };
    if !metadata.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    let too_large = || Err(format!("the file is larger than {bytes_max} bytes"));
    if metadata.len() > bytes_max {
        return too_large();
    }
    let file = match File::open(path) {
        Ok(file) => file,
        Err(why) => return unreadable(why),
    };
    let mut bytes = Vec::new();
    match file
        .take(bytes_max.saturating_add(1))
        .read_to_end(&mut bytes)
    {
        Ok(_) if bytes.len() as u64 > bytes_max => too_large(),
        Ok(_) => Ok(Some(bytes)),
        Err(why) => unreadable(why),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{list, read};

    #[test]
    fn files_are_sorted_by_what_they_are() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "a.wasm",
            "a.toml",
            "B.wasm",
            ".c.wasm",
            "d.toml",
            "notes.txt",
            "e.wasm.part",
        ] {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        let listing = list(folder.path()).unwrap();
        let plugins: Vec<_> = listing.plugins.keys().map(|name| name.as_str()).collect();
        assert_eq!(plugins, ["a"]);
        let strays: Vec<_> = listing
            .strays
            .iter()
            .map(|stray| stray.file.as_str())
            .collect();
        assert_eq!(strays, ["B.wasm", "d.toml"]);
    }

    #[test]
    fn what_is_no_regular_file_is_refused_and_what_is_gone_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wasm");
        assert!(read(&path, 10).is_none());
        fs::create_dir(&path).unwrap();
        assert!(read(&path, 10).unwrap().component.is_err());
        let path = folder.path().join("b.wasm");
        fs::write(&path, "0123456789").unwrap();
        assert!(read(&path, 10).unwrap().component.is_ok());
        let large = read(&path, 9).unwrap();
        assert!(large.component.unwrap_err().contains("larger than 9"));
    }
}

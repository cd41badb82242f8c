//! The plugins that a point can have in its hook's chain, and the components they are.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Serialize;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Plugin {
    /// Does nothing: the price of a call.
    Unchanged,
    Redact,
    /// The job of `redact`, in JavaScript.
    #[serde(rename = "javascript")]
    JavaScript,
}

impl Plugin {
    pub(crate) const ALL: [Self; 3] = [Self::Unchanged, Self::Redact, Self::JavaScript];

    /// The point's.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Redact => "redact",
            Self::JavaScript => "javascript",
        }
    }

    /// Its file's, without the ending.
    fn stem(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Redact => "redact",
            Self::JavaScript => "js-redact",
        }
    }

    /// Among the components that were named.
    pub(crate) fn among(self, components: &[PathBuf]) -> Option<&Path> {
        let is_it = |file: &&PathBuf| file.file_stem().is_some_and(|stem| stem == self.stem());
        let file = components.iter().find(is_it)?;
        file.is_file().then_some(file)
    }

    /// A hook's `plugins`, with it alone.
    pub(crate) fn chain(self) -> String {
        let config = match self {
            Self::Unchanged => "{}",
            Self::Redact | Self::JavaScript => r#"{"paths":["customer.email"]}"#,
        };
        format!(r#"[{{"name":"{}","config":{config}}}]"#, self.stem())
    }

    /// Puts it into the plugin folder of a server that is to be started. What an earlier one
    /// compiled of it comes along in `compiled`: compiling JavaScript takes half a minute, and is
    /// no part of what is measured.
    pub(crate) fn put_into(self, data: &Path, file: &Path, compiled: &Path) -> anyhow::Result<()> {
        let folder = data.join("plugins");
        std::fs::create_dir(&folder)?;
        let name = format!("{}.wasm", self.stem());
        std::fs::copy(file, folder.join(name))
            .with_context(|| format!("cannot copy {}", file.display()))?;
        match compiled.is_dir() {
            true => copy_folder(compiled, &data.join("compiled")),
            false => Ok(()),
        }
    }
}

/// Keeps what a server compiled for the next one.
pub(crate) fn keep_compiled(data: &Path, compiled: &Path) -> anyhow::Result<()> {
    let made = data.join("compiled");
    match made.is_dir() && !compiled.exists() {
        true => copy_folder(&made, compiled),
        false => Ok(()),
    }
}

fn copy_folder(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir(to).with_context(|| format!("cannot make {}", to.display()))?;
    // As a server wants it: nobody else may put code there.
    std::fs::set_permissions(to, std::fs::metadata(from)?.permissions())?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let copy = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => copy_folder(&entry.path(), &copy)?,
            false => std::fs::copy(entry.path(), copy).map(drop)?,
        }
    }
    Ok(())
}

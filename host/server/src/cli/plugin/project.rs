//! An author's project: its folder, its language by the files in it, its name.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::ValueEnum;
use whisperer_domain::plugin::PluginName;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Language {
    Rust,
    Javascript,
    Python,
}

impl Language {
    const ALL: [Self; 3] = [Self::Rust, Self::Javascript, Self::Python];

    /// The file by which a project of this language is known, and which names it.
    fn manifest(self) -> &'static str {
        match self {
            Self::Rust => "Cargo.toml",
            Self::Javascript => "package.json",
            Self::Python => "pyproject.toml",
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Rust => "Rust",
            Self::Javascript => "JavaScript",
            Self::Python => "Python",
        }
    }

    /// Where the author's function is.
    pub(super) fn source(self) -> &'static str {
        match self {
            Self::Rust => "src/lib.rs",
            Self::Javascript => "src/plugin.js",
            Self::Python => "plugin.py",
        }
    }

    fn name_in(self, manifest: &str) -> Option<String> {
        let toml = |section: &str| {
            let table: toml::Table = manifest.parse().ok()?;
            Some(table.get(section)?.get("name")?.as_str()?.to_owned())
        };
        match self {
            Self::Rust => toml("package"),
            Self::Python => toml("project"),
            Self::Javascript => {
                let whole: serde_json::Value = serde_json::from_str(manifest).ok()?;
                Some(whole.get("name")?.as_str()?.to_owned())
            }
        }
    }
}

pub(super) struct Project {
    pub(super) folder: PathBuf,
    pub(super) language: Language,
    pub(super) name: PluginName,
}

impl Project {
    /// # Errors
    /// There is no project in that folder, or it has no fitting name.
    pub(super) fn find(folder: &Path) -> anyhow::Result<Self> {
        let found = Language::ALL
            .into_iter()
            .find(|language| folder.join(language.manifest()).is_file());
        let Some(language) = found else {
            bail!(
                "there is no plugin project in {}: no Cargo.toml, package.json or pyproject.toml \
                 (`whisperer plugin new` makes one)",
                folder.display()
            );
        };
        let manifest = folder.join(language.manifest());
        let text = std::fs::read_to_string(&manifest)
            .with_context(|| format!("cannot read {}", manifest.display()))?;
        let name = language
            .name_in(&text)
            .with_context(|| format!("{} names no project", manifest.display()))?;
        let name = PluginName::parse(&name)
            .map_err(|why| anyhow::anyhow!("{}: {why}", manifest.display()))?;
        Ok(Self {
            folder: folder.to_owned(),
            language,
            name,
        })
    }

    pub(super) fn component(&self) -> PathBuf {
        self.folder.join("dist").join(format!("{}.wasm", self.name))
    }
}

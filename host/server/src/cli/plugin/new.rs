//! `plugin new`: a folder with a plugin that works, to go on from.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use whisperer_domain::plugin::PluginName;

use super::project::Language;
use super::templates::files;
use crate::stdout::say;

#[derive(Args)]
pub(in crate::cli) struct New {
    /// Its name, and that of its file: a-z, 0-9 and -
    name: String,
    #[arg(long = "lang", value_enum)]
    language: Language,
    /// The folder; by default one of the plugin's name
    #[arg(long, value_name = "FOLDER")]
    path: Option<PathBuf>,
}

impl New {
    pub(super) fn run(&self) -> anyhow::Result<()> {
        let name = PluginName::parse(&self.name).map_err(|why| anyhow!("{why}"))?;
        let starts_well = name.as_str().starts_with(|c: char| c.is_ascii_lowercase());
        if self.language == Language::Rust && !starts_well {
            bail!("a package in Rust begins with a letter: choose another name than {name}");
        }
        let folder = self
            .path
            .clone()
            .unwrap_or_else(|| PathBuf::from(name.as_str()));
        must_be_free(&folder)?;
        for (file, text) in files(self.language) {
            write(&folder.join(file), &self.filled(&name, text))?;
        }
        say(&format!(
            "{} is a plugin in {}: its function is in {}. Go on with\n\n  cd {}\n  whisperer plugin build\n  whisperer plugin test",
            name,
            self.language.word(),
            folder.join(self.language.source()).display(),
            folder.display()
        ));
        Ok(())
    }

    fn filled(&self, name: &PluginName, text: &str) -> String {
        text.replace("{{name}}", name.as_str())
            .replace("{{version}}", env!("CARGO_PKG_VERSION"))
            .replace("{{language}}", self.language.word())
            .replace("{{source}}", self.language.source())
    }
}

/// Nothing of anybody's is written over.
fn must_be_free(folder: &Path) -> anyhow::Result<()> {
    match fs::read_dir(folder) {
        Ok(mut entries) => {
            if entries.next().is_some() {
                bail!(
                    "{} is there and not empty: give another folder with --path",
                    folder.display()
                );
            }
            Ok(())
        }
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(why) => Err(why).with_context(|| format!("cannot use {}", folder.display())),
    }
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

//! What a process holds with plugins loaded and idle: this program itself, started once more.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bench::Bench;

/// The argument by which the second process knows what it is.
pub(crate) const CHILD: &str = "--idle-with";

/// Loads what is in the folder and says how much memory is resident.
pub(crate) fn child(folder: PathBuf) -> Result<(), Box<dyn Error>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path
            .file_stem()
            .and_then(|it| it.to_str())
            .ok_or("a name")?;
        files.push((name.to_owned(), path.clone()));
    }
    let files: Vec<(&str, &Path)> = files
        .iter()
        .map(|(name, path)| (name.as_str(), path.as_path()))
        .collect();
    // Without a cache: what compiling leaves behind counts too.
    let _bench = Bench::with(&files, None)?;
    println!("{}", resident_kib()?);
    Ok(())
}

/// Of a process that has this folder loaded.
pub(crate) fn idle_kib(folder: &Path) -> Result<u64, Box<dyn Error>> {
    let output = Command::new(std::env::current_exe()?)
        .arg(CHILD)
        .arg(folder)
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    text.trim()
        .parse()
        .map_err(|_| String::from_utf8_lossy(&output.stderr).into_owned().into())
}

fn resident_kib() -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let text = line.ok_or("no VmRSS")?.trim().trim_end_matches(" kB");
    Ok(text.parse()?)
}

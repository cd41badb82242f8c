//! What can be asked of a server that runs, and what it says of it.
//!
//! A command more is a variant here, an arm in [`Request::carry_out`], and words for its result.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use whisperer_domain::port::{
    Checked, Compacted, Copied, KeyStanding, KeyUse, Onward, Progress, Rotated, Upkeep, UpkeepError,
};

/// Findings that a check lists; it counts them all.
pub(crate) const FINDINGS_MAX: usize = 100;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Request {
    /// The file's path is absolute: the server's folder is not the caller's.
    Backup {
        file: PathBuf,
    },
    Compact {},
    Check {},
    RotateKey {},
    ShowKeys {},
}

/// A line of the answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Line {
    Progress {
        at: String,
        rows: u64,
        bytes: u64,
    },
    /// The last one.
    Done(Report),
    /// The last one: why it was not done.
    Failed(String),
}

impl Line {
    pub(super) fn of(progress: Progress) -> Self {
        Self::Progress {
            at: progress.at.to_owned(),
            rows: progress.rows,
            bytes: progress.bytes,
        }
    }
}

/// What came of it, in words for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Report {
    /// Nothing is wrong with what was looked at.
    pub(crate) sound: bool,
    pub(crate) lines: Vec<String>,
}

impl Request {
    /// By a server for whoever asked it, or by a command for itself.
    pub(crate) async fn carry_out(
        self,
        store: &dyn Upkeep,
        onward: Onward,
    ) -> Result<Report, UpkeepError> {
        match self {
            Self::Backup { file } => {
                if !file.is_absolute() {
                    return Err(UpkeepError::Io {
                        doing: "take for an absolute path",
                        path: file,
                        source: std::io::ErrorKind::InvalidInput.into(),
                    });
                }
                let done = store.backup(file.clone(), onward).await?;
                Ok(copied(&done, &file))
            }
            Self::Compact {} => Ok(compacted(store.compact().await?)),
            Self::Check {} => Ok(checked(&store.check(FINDINGS_MAX, onward).await?)),
            Self::RotateKey {} => Ok(rotated(&store.rotate_key().await?)),
            Self::ShowKeys {} => Ok(keys(&store.keys().await?)),
        }
    }
}

pub(crate) fn copied(copied: &Copied, file: &std::path::Path) -> Report {
    let Copied {
        rows,
        bytes,
        file_bytes,
        checked: found,
    } = copied;
    let mut lines = vec![format!(
        "{} holds {rows} records of {bytes} bytes; the file has {file_bytes}",
        file.display()
    )];
    if found.found > 0 {
        lines.push("the store is not whole, and neither is its copy:".to_owned());
        lines.extend(checked(found).lines);
    }
    lines.push(
        "the key of its secrets is not in it: keep a copy of secrets.key too, in another place"
            .to_owned(),
    );
    Report {
        sound: found.found == 0,
        lines,
    }
}

pub(crate) fn compacted(compacted: Compacted) -> Report {
    let Compacted {
        bytes_before,
        bytes_after,
    } = compacted;
    Report {
        sound: true,
        lines: vec![format!(
            "the file had {bytes_before} bytes and has {bytes_after} now"
        )],
    }
}

/// One line for each finding, and one that sums up.
pub(crate) fn checked(checked: &Checked) -> Report {
    let Checked {
        rows,
        bytes,
        findings,
        found,
    } = checked;
    let mut lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    let unlisted = found.saturating_sub(findings.len() as u64);
    if unlisted > 0 {
        lines.push(format!("… and {unlisted} more"));
    }
    lines.push(match found {
        0 => format!("{rows} records of {bytes} bytes: nothing is wrong"),
        1 => format!("{rows} records of {bytes} bytes: 1 thing is wrong"),
        _ => format!("{rows} records of {bytes} bytes: {found} things are wrong"),
    });
    Report {
        sound: *found == 0,
        lines,
    }
}

fn rotated(rotated: &Rotated) -> Report {
    let Rotated {
        key,
        resealed,
        left,
    } = rotated;
    let mut lines = vec![format!(
        "the key {key} seals now; records sealed anew: {resealed}"
    )];
    if *left > 0 {
        lines.push(format!(
            "records that do not open under any key, and stay as they are with the keys that they \
             name: {left}"
        ));
    }
    Report { sound: true, lines }
}

/// A line for each key.
fn keys(keys: &[KeyUse]) -> Report {
    let line = |key: &KeyUse| {
        let standing = match key.standing {
            KeyStanding::Seals => "seals",
            KeyStanding::Opens => "opens what is sealed under it",
            KeyStanding::Missing => "is not in the key file: what it sealed cannot be read",
        };
        format!(
            "{}  {standing}; hooks: {}, pins: {}",
            key.key, key.hooks, key.pins
        )
    };
    Report {
        sound: true,
        lines: keys.iter().map(line).collect(),
    }
}

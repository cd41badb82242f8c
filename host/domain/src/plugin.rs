//! What the host knows of a plugin without running it, and the ways in which one can fail.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::event_type::EventPattern;
use crate::id::Digest;

/// A plugin's name: the stem of its file, `[a-z0-9][a-z0-9-]{0,62}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PluginName(Arc<str>);

impl PluginName {
    /// # Errors
    /// A sentence that names the rule.
    pub fn parse(text: &str) -> Result<Self, String> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let ok =
            (1..=63).contains(&text.len()) && text.chars().all(allowed) && !text.starts_with('-');
        if !ok {
            return Err(format!(
                "\"{}\" is not a plugin name: 1 to 63 of a-z, 0-9 and -, not beginning with -.",
                text.escape_debug()
            ));
        }
        Ok(Self(text.into()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PluginName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A plugin's place in the folder, kept in the store: being there is membership, whether or
/// not a generation of it can run just now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    pub name: PluginName,
    /// `enabled = false` in its TOML takes it out of every chain that does not name it.
    pub enabled: bool,
    /// Of the last good generation; empty: it runs only where a hook names it.
    pub patterns: Vec<EventPattern>,
    /// Of the last good generation; none: no file of this name ever loaded.
    pub digest: Option<Digest>,
    /// Of the last good generation's configuration, as text; none: it declares none.
    #[serde(skip)]
    pub config_schema: Option<Arc<str>>,
}

/// How a run ended that gave no answer to use. Each limit has its own kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum PluginFailure {
    /// Its own time was used up.
    Timeout,
    Memory,
    Stack,
    Panic,
    Trap,
    /// It called `exit`.
    Exit,
    OutputTooLarge,
    /// A patch the host does not send: a forbidden header, a broken content type.
    InvalidOutput,
    /// The machine was too busy to give it its time.
    Busy,
    /// It said `retry`.
    Retry,
    /// It said `reject`.
    Reject,
    /// The host could not run it.
    Failed,
}

impl PluginFailure {
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Memory => "memory",
            Self::Stack => "stack",
            Self::Panic => "panic",
            Self::Trap => "trap",
            Self::Exit => "exit",
            Self::OutputTooLarge => "output-too-large",
            Self::InvalidOutput => "invalid-output",
            Self::Busy => "busy",
            Self::Retry => "retry",
            Self::Reject => "reject",
            Self::Failed => "failed",
        }
    }
}

//! What people may know of the plugins.

use whisperer_domain::event_type::EventPattern;
use whisperer_domain::id::Digest;
use whisperer_domain::plugin::PluginName;

use crate::limits::Limits;

/// A member of the folder as it stands.
#[derive(Clone, Debug)]
pub struct PluginStatus {
    pub name: PluginName,
    pub enabled: bool,
    /// What it runs on where a hook names no chain.
    pub patterns: Vec<EventPattern>,
    /// Of the generation that runs.
    pub digest: Option<Digest>,
    /// Counts the loads of this process; 0: none runs.
    pub generation: u64,
    pub limits: Option<Limits>,
    pub imports: Vec<String>,
    /// What the running generation says of itself.
    pub about: About,
    /// Why the newest file does not run.
    pub refusal: Option<Refusal>,
}

/// What a plugin says of itself; all empty if it says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    pub version: String,
    pub summary: String,
    /// JSON Schema as the plugin gave it: a stranger's text.
    pub config_schema: Option<String>,
    pub config_example: Option<String>,
}

/// Why a file is not taken. An older generation may run meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// None: the file could not even be read.
    pub digest: Option<Digest>,
    /// The whole of it, causes included.
    pub reason: String,
}

/// Something in the folder that belongs to no plugin.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stray {
    pub file: String,
    pub reason: String,
}

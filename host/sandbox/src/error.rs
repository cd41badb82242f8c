//! Why the sandbox cannot start. What happens later is data: a refusal of a file, a failure of a
//! call.

use std::error::Error;
use std::io;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    #[error("the plugin folder {} cannot be read", folder.display())]
    Folder {
        folder: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the cache of compiled plugins {} cannot be used", folder.display())]
    Cache {
        folder: PathBuf,
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// What lies in the plugin folder must never be run as it is.
    #[error("the cache of compiled plugins {} lies in the plugin folder", folder.display())]
    CacheInPluginFolder { folder: PathBuf },
    #[error("the webassembly engine cannot be set up")]
    Engine(#[source] Box<dyn Error + Send + Sync>),
    #[error("the epoch ticker's thread cannot be started")]
    Ticker(#[source] io::Error),
}

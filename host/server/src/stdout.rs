//! Lines on stdout, where a person or a script waits for them.
//!
//! Not `println!`, which panics when the reader went away: `whisperer config | head` must not.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;

pub(crate) fn say(line: &str) {
    let mut stdout = std::io::stdout().lock();
    if let Err(error) = writeln!(stdout, "{line}").and_then(|()| stdout.flush()) {
        tracing::debug!(%error, "nobody reads stdout");
    }
}

/// The same for what must not stay in memory: the buffer behind stdout keeps what it last held.
pub(crate) fn say_once(line: &str) {
    let said = io::stdout()
        .as_fd()
        .try_clone_to_owned()
        .and_then(|stdout| File::from(stdout).write_all(line.as_bytes()));
    if let Err(error) = said {
        tracing::debug!(%error, "nobody reads stdout");
    }
}

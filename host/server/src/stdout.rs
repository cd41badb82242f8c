//! Lines on stdout, where a person or a script waits for them.
//!
//! Not `println!`, which panics when the reader went away: `whisperer config | head` must not.

use std::io::Write as _;

pub(crate) fn say(line: &str) {
    let mut stdout = std::io::stdout().lock();
    if let Err(error) = writeln!(stdout, "{line}").and_then(|()| stdout.flush()) {
        tracing::debug!(%error, "nobody reads stdout");
    }
}

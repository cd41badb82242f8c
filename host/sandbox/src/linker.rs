//! What a guest finds when it reaches out.
//!
//! Guests in Rust, JavaScript or Python import WASI whatever they use, so all of 0.2 is linked,
//! against a context that holds nothing: no file, no socket, no variable. HTTP is not there at
//! all: a plugin that wants it is refused by name rather than fails at its first call.

use wasmtime::Engine;
use wasmtime::component::{HasSelf, Linker};
use wasmtime_wasi::p2::bindings::clocks::monotonic_clock;

use crate::bindings::Plugin;
use crate::chance::{MonotonicClock, MonotonicView};
use crate::error::SandboxError;
use crate::guest::Guest;

/// # Errors
/// A name is taken twice, which no input can cause.
pub(crate) fn linker(engine: &Engine) -> Result<Linker<Guest>, SandboxError> {
    link(engine).map_err(|why| SandboxError::Engine(why.into()))
}

fn link(engine: &Engine) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    linker.allow_shadowing(true);
    monotonic_clock::add_to_linker::<Guest, MonotonicClock>(&mut linker, |guest| MonotonicView {
        clock: &guest.clock,
        table: &mut guest.table,
    })?;
    linker.allow_shadowing(false);
    Plugin::add_to_linker::<Guest, HasSelf<Guest>>(&mut linker, |guest| guest)?;
    Ok(linker)
}

/// Whether a component may import this interface: of our contract, or of WASI 0.2 in whatever
/// patch version.
pub(crate) fn is_granted(import: &str) -> bool {
    const WASI: [&str; 6] = [
        "wasi:cli/",
        "wasi:clocks/",
        "wasi:filesystem/",
        "wasi:io/",
        "wasi:random/",
        "wasi:sockets/",
    ];
    let version = import.split_once('@').map(|(_, version)| version);
    let wasi = WASI.iter().any(|granted| import.starts_with(granted));
    import.starts_with("whisperer:plugin/")
        || wasi && version.is_some_and(|version| version.starts_with("0.2."))
}

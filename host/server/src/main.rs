//! The `whisperer` binary: everything is in the library, where tests reach it.

use std::alloc::System;
use std::process::ExitCode;

use zeroizing_alloc::ZeroAlloc;

/// Wipes what is freed. Secrets pass through bodies, parsed JSON and buffers of crates that are not
/// ours, and only here all of them can be reached.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<System> = ZeroAlloc(System);

fn main() -> ExitCode {
    whisperer_server::cli::run()
}

//! The `whisperer` binary: everything is in the library, where tests reach it.

use std::process::ExitCode;

use mimalloc::MiMalloc;
use zeroizing_alloc::ZeroAlloc;

/// Wipes what is freed. Secrets pass through bodies, parsed JSON and buffers of crates that are not
/// ours, and only here all of them can be reached.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<MiMalloc> = ZeroAlloc(MiMalloc);

fn main() -> ExitCode {
    whisperer_server::cli::run()
}

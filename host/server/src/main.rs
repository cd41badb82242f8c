//! The `whisperer` binary: everything is in the library, where tests reach it.

use std::process::ExitCode;

fn main() -> ExitCode {
    whisperer_server::cli::run()
}

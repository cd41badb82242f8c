//! The files and sockets that the process may have open at once, shared out between those who
//! come in and its own work.
//!
//! Anybody who reaches the port can open connections. If they could take the last descriptor,
//! no attempt would get a socket and the store no file: strangers would stop all deliveries.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The database, the plugin folder and its watcher, the log, the runtime.
const OWN_FILES: usize = 64;
/// An attempt has its socket, one or two more while several addresses of a name are tried, or one
/// of its look-up; and as many connections are kept alive as there may be attempts.
const FILES_PER_ATTEMPT: usize = 3;

/// How many of `wanted` connections can be let in. Raises the soft limit first: it is often
/// 1,024, for the sake of programs that are long gone.
pub(crate) fn connections_that_fit(wanted: usize, attempts_max: usize) -> usize {
    let known = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: known.maximum,
        maximum: known.maximum,
    };
    let limit = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => known.maximum,
        Err(error) => {
            tracing::debug!(%error, "the limit of open files stays as it is");
            known.current
        }
    };
    let fit = fit(wanted, attempts_max, limit);
    if fit < wanted {
        tracing::warn!(
            connections_max = wanted,
            connections = fit,
            open_files = limit,
            "fewer connections are served than configured: the system lets too few files be open"
        );
    }
    fit
}

/// None: without limit.
fn fit(wanted: usize, attempts_max: usize, limit: Option<u64>) -> usize {
    let Some(limit) = limit else { return wanted };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let own = attempts_max
        .saturating_mul(FILES_PER_ATTEMPT)
        .saturating_add(OWN_FILES);
    wanted.min(limit - own.min(limit / 2)).max(1)
}

#[cfg(test)]
mod tests {
    use super::fit;

    #[test]
    fn strangers_never_get_the_last_open_file() {
        for (wanted, limit, expected) in [
            (10_000, None, 10_000),
            (10_000, Some(1 << 20), 10_000),
            (10_000, Some(4096), 4096 - 832),
            (100, Some(4096), 100),
            // Half, where the own work alone would want more.
            (10_000, Some(1024), 512),
            (10_000, Some(64), 32),
            (10_000, Some(0), 1),
        ] {
            assert_eq!(fit(wanted, 256, limit), expected, "{limit:?}");
        }
    }
}

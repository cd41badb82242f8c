//! One test of this binary at a time, because they measure the whole process; and the measures.

use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};

static TURN: Mutex<()> = Mutex::const_new(());

/// No other test of this binary runs while this is held.
pub(crate) async fn alone() -> MutexGuard<'static, ()> {
    TURN.lock().await
}

/// What this process has of the machine's memory.
pub(crate) struct Footprint {
    before_kib: u64,
}

impl Footprint {
    /// From here on, the peak is counted anew.
    pub(crate) fn start() -> Self {
        std::fs::write("/proc/self/clear_refs", "5").unwrap();
        Self {
            before_kib: status_kib("VmRSS:"),
        }
    }

    /// How far it rose above what it was, at the worst moment.
    pub(crate) fn peak_mib(&self) -> u64 {
        status_kib("VmHWM:").saturating_sub(self.before_kib) >> 10
    }

    /// How far it is now above what it was.
    pub(crate) fn grown_mib(&self) -> u64 {
        status_kib("VmRSS:").saturating_sub(self.before_kib) >> 10
    }
}

fn status_kib(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let found = status.lines().find_map(|line| line.strip_prefix(field));
    let kib = found.unwrap().trim().trim_end_matches(" kB");
    kib.parse().unwrap()
}

/// How long this thread has been on a processor: what else the machine did does not count.
pub(crate) fn thread_time() -> Duration {
    let schedstat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let nanos = schedstat.split_whitespace().next().unwrap();
    Duration::from_nanos(nanos.parse().unwrap())
}

//! What Linux tells of a process and of the machine: memory, processor time, load.

use std::fs;
use std::path::Path;

use anyhow::Context;
use serde::Serialize;

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Usage {
    pub(crate) resident_mib: f64,
    pub(crate) peak_mib: f64,
    /// All threads together, since its start.
    pub(crate) cpu_secs: f64,
    /// What it had written to disk, as the system counts it; none where that is not told, as of
    /// another user's process.
    pub(crate) written_bytes: Option<f64>,
}

impl Usage {
    pub(crate) fn of(pid: u32) -> anyhow::Result<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let mib = |field: &str| -> anyhow::Result<f64> {
            let line = status.lines().find_map(|line| line.strip_prefix(field));
            let kib = line.with_context(|| format!("no {field} of process {pid}"))?;
            Ok(kib.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
        };
        Ok(Self {
            resident_mib: mib("VmRSS:")?,
            peak_mib: mib("VmHWM:")?,
            cpu_secs: cpu_secs(pid)?,
            written_bytes: written_bytes(pid),
        })
    }

    /// Of several processes together; none of no process.
    pub(crate) fn of_all(pids: &[u32]) -> anyhow::Result<Option<Self>> {
        let mut all: Option<Self> = None;
        for pid in pids {
            let one =
                Self::of(*pid).with_context(|| format!("cannot see what process {pid} uses"))?;
            all = Some(match all {
                None => one,
                Some(all) => all.and(one),
            });
        }
        Ok(all)
    }

    fn and(self, other: Self) -> Self {
        let written = self.written_bytes.zip(other.written_bytes);
        Self {
            resident_mib: self.resident_mib + other.resident_mib,
            // Of each at its own time: together they may have been less.
            peak_mib: self.peak_mib + other.peak_mib,
            cpu_secs: self.cpu_secs + other.cpu_secs,
            written_bytes: written.map(|(one, other)| one + other),
        }
    }
}

/// The system counts the whole process in hundredths of a second, rounded down, and each thread that
/// is still there in nanoseconds. Both are at most what was used, so the larger one is nearer to it.
fn cpu_secs(pid: u32) -> anyhow::Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name may hold spaces and parentheses; what follows it does not. Fields 14 and 15 of the
    // manual, of which the first after the name is the third.
    let (_, fields) = stat.rsplit_once(')').context("no name in stat")?;
    let ticks = |nth: usize| -> anyhow::Result<f64> {
        let field = fields.split_whitespace().nth(nth - 3);
        Ok(field.context("stat is too short")?.parse()?)
    };
    let whole = (ticks(14)? + ticks(15)?) / 100.0;
    let mut threads = 0.0;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        threads += scheduled_secs(&thread?.path().join("schedstat"));
    }
    Ok(whole.max(threads))
}

/// What the thread that asks used.
pub(crate) fn own_thread_secs() -> f64 {
    scheduled_secs(Path::new("/proc/thread-self/schedstat"))
}

/// None of a thread that has just ended.
fn scheduled_secs(schedstat: &Path) -> f64 {
    let text = fs::read_to_string(schedstat).unwrap_or_default();
    let nanos = text.split_whitespace().next();
    nanos.and_then(|it| it.parse::<f64>().ok()).unwrap_or(0.0) / 1e9
}

fn written_bytes(pid: u32) -> Option<f64> {
    let io = fs::read_to_string(format!("/proc/{pid}/io")).ok()?;
    let line = io
        .lines()
        .find_map(|line| line.strip_prefix("write_bytes:"));
    line?.trim().parse().ok()
}

/// Of the last minute, over all that this machine does.
pub(crate) fn load_average() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let first = text.split_whitespace().next();
    first.and_then(|it| it.parse().ok()).unwrap_or(f64::NAN)
}

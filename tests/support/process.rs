//! What Linux tells of a process: its memory, its processor time, and who it is.

use std::fs;
use std::path::Path;
use std::time::Duration;

/// A process of this machine, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process(pub(crate) u32);

impl Process {
    /// The one that has this path among its arguments, if there is one.
    pub(crate) fn about(path: &Path) -> Option<Self> {
        let path = path.to_str().expect("a path of the tests is text");
        fs::read_dir("/proc").unwrap().find_map(|entry| {
            let number = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let process = Self(number);
            let arguments = process.read("cmdline")?;
            let found = arguments.split('\0').any(|argument| argument == path);
            (found && process.is_running()).then_some(process)
        })
    }

    /// Of a file under its folder in `/proc`, while it is there.
    pub(crate) fn read(self, file: &str) -> Option<String> {
        let bytes = fs::read(format!("/proc/{}/{file}", self.0)).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Neither gone nor merely waiting to be asked how it ended.
    pub(crate) fn is_running(self) -> bool {
        self.stat(3)
            .is_some_and(|state| !["Z", "X"].contains(&state.as_str()))
    }

    pub(crate) fn niceness(self) -> Option<i32> {
        self.stat(19)?.parse().ok()
    }

    /// On a processor, all its threads together, while it is there.
    pub(crate) fn processor_time(self) -> Option<Duration> {
        let ticks = |field| Some(self.stat(field)?.parse::<u64>().unwrap());
        // Linux counts them in hundredths of a second, on every platform of today.
        Some(Duration::from_millis((ticks(14)? + ticks(15)?) * 10))
    }

    /// From here on, the peak is counted anew.
    pub(crate) fn forget_peak(self) {
        fs::write(format!("/proc/{}/clear_refs", self.0), "5").unwrap();
    }

    pub(crate) fn resident_kib(self) -> u64 {
        self.status_kib("VmRSS:")
    }

    pub(crate) fn peak_kib(self) -> u64 {
        self.status_kib("VmHWM:")
    }

    fn status_kib(self, field: &str) -> u64 {
        let status = self.read("status").unwrap();
        let found = status.lines().find_map(|line| line.strip_prefix(field));
        let kib = found.unwrap().trim().trim_end_matches(" kB");
        kib.parse().unwrap()
    }

    /// By its number in the manual, from 3 on: what stands before may hold spaces.
    fn stat(self, field: usize) -> Option<String> {
        let stat = self.read("stat")?;
        let (_, after_name) = stat.rsplit_once(')')?;
        let value = after_name.split_whitespace().nth(field - 3)?;
        Some(value.to_owned())
    }
}

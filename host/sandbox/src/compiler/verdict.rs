//! How a compiling process ended, and what that means.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use rustix::process::Signal;

/// The component is to blame; the words are on stdout.
pub(super) const REFUSED: u8 = 3;
/// The machine is; likewise.
pub(super) const UNABLE: u8 = 4;
/// An allocation was denied.
pub(super) const NO_MEMORY: u8 = 5;

/// Said after all went well but that.
pub(super) const NOT_KEPT: &str = "not kept";

/// What Rust's standard library says before it aborts for want of memory. There is no other way
/// to hear of it: by then nothing can be allocated to end in good order.
const DENIED_WORDS: &str = "memory allocation of";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Done,
    Refused,
    Unable,
    Time,
    Memory,
    Killed,
    Crashed,
}

impl Verdict {
    pub(super) fn of(status: ExitStatus, complained: &str) -> Self {
        if let Some(signal) = status.signal() {
            return match signal {
                signal if signal == Signal::XCPU.as_raw() => Self::Time,
                signal if signal == Signal::KILL.as_raw() => Self::Killed,
                signal if signal == Signal::ABORT.as_raw() && complained.contains(DENIED_WORDS) => {
                    Self::Memory
                }
                _ => Self::Crashed,
            };
        }
        match status.code().and_then(|code| u8::try_from(code).ok()) {
            Some(0) => Self::Done,
            Some(REFUSED) => Self::Refused,
            Some(UNABLE) => Self::Unable,
            Some(NO_MEMORY) => Self::Memory,
            Some(_) | None => Self::Crashed,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::ExitStatus;

    use super::Verdict;

    #[test]
    fn every_end_means_something() {
        let (exit, signal) = (|code: i32| code << 8, |number: i32| number);
        for (raw, complained, verdict) in [
            (exit(0), "", Verdict::Done),
            (exit(3), "", Verdict::Refused),
            (exit(4), "", Verdict::Unable),
            (exit(5), "", Verdict::Memory),
            (exit(101), "thread 'main' panicked", Verdict::Crashed),
            (exit(2), "error: unrecognized subcommand", Verdict::Crashed),
            (signal(24), "", Verdict::Time),
            (signal(9), "", Verdict::Killed),
            (
                signal(6),
                "memory allocation of 64 bytes failed",
                Verdict::Memory,
            ),
            (
                signal(6),
                "thread 'main' has overflowed its stack",
                Verdict::Crashed,
            ),
            (signal(11), "", Verdict::Crashed),
        ] {
            let status = ExitStatus::from_raw(raw);
            assert_eq!(Verdict::of(status, complained), verdict, "{status}");
        }
    }
}

//! The memory of a process as a core dump would hold it: everything that can be written to, or that
//! no file stands behind, but for what is marked to be left out.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;

/// A part of the memory.
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

#[derive(Default)]
struct Mapping {
    from: u64,
    to: u64,
    name: String,
    flags: String,
}

impl Mapping {
    fn has(&self, flag: &str) -> bool {
        self.flags.split_whitespace().any(|it| it == flag)
    }

    fn is_dumped(&self) -> bool {
        let of_a_file = self.name.starts_with('/') && !self.has("wr");
        let of_the_kernel = ["[vvar]", "[vvar_vclock]", "[vsyscall]", "[vdso]"];
        self.has("rd") && !self.has("dd") && !of_a_file && !of_the_kernel.contains(&&*self.name)
    }
}

fn mappings(pid: u32) -> Vec<Mapping> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps")).unwrap();
    let mut found: Vec<Mapping> = Vec::new();
    for line in text.lines() {
        if let Some(flags) = line.strip_prefix("VmFlags:") {
            found.last_mut().unwrap().flags = flags.to_owned();
            continue;
        }
        let mut words = line.split_whitespace();
        let range = words.next().and_then(|it| it.split_once('-'));
        let hex = |text: &str| u64::from_str_radix(text, 16).ok();
        if let Some((from, to)) = range.and_then(|(from, to)| hex(from).zip(hex(to))) {
            found.push(Mapping {
                from,
                to,
                name: words.nth(4).unwrap_or_default().to_owned(),
                flags: String::new(),
            });
        }
    }
    found
}

/// What a dump holds, a part at a time. Pages that cannot be read, such as those that were never
/// touched of a file's end, are not there.
pub(crate) fn dumped(pid: u32, mut look: impl FnMut(&Part)) {
    const STEP: u64 = 8 << 20;
    let memory = File::open(format!("/proc/{pid}/mem")).unwrap();
    for mapping in mappings(pid).into_iter().filter(Mapping::is_dumped) {
        let mut part = Part {
            name: format!("{:x} {}", mapping.from, mapping.name),
            bytes: Vec::new(),
        };
        let mut at = mapping.from;
        while at < mapping.to {
            // Each step again holds the end of the one before: a secret may lie across.
            let from = at.saturating_sub(1 << 12).max(mapping.from);
            let to = (at + STEP).min(mapping.to);
            part.bytes.resize(usize::try_from(to - from).unwrap(), 0);
            if memory.read_exact_at(&mut part.bytes, from).is_ok() {
                look(&part);
            }
            at = to;
        }
    }
}

/// What lies at the beginning of the pages that are left out of dumps and never written to.
pub(crate) fn keys(pid: u32) -> Vec<[u8; 32]> {
    let memory = File::open(format!("/proc/{pid}/mem")).unwrap();
    let is_key =
        |it: &Mapping| it.has("dd") && it.has("rd") && !it.has("wr") && it.to - it.from == 4096;
    let pages = mappings(pid).into_iter().filter(is_key);
    pages
        .map(|page| {
            let mut key = [0; 32];
            memory.read_exact_at(&mut key, page.from).unwrap();
            key
        })
        .filter(|key| *key != [0; 32])
        .collect()
}

/// Whether the kernel lets somebody of the same user look.
pub(crate) fn may_be_read(pid: u32) -> io::Result<()> {
    let memory = File::open(format!("/proc/{pid}/mem"))?;
    let mapping = mappings(pid).into_iter().find(Mapping::is_dumped).unwrap();
    let mut some = [0; 16];
    memory.read_exact_at(&mut some, mapping.from)
}

//! The compiling process: what it does with itself before it reads the component, and how it
//! ends.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use wasmtime::component::Component;

use super::CompileBounds;
use super::verdict::{NO_MEMORY, NOT_KEPT, REFUSED, UNABLE};
use crate::engine;
use crate::inspect::effort;

/// The lowest priority there is.
const NICENESS: i32 = 19;
/// The system kills this one before any other.
const FIRST_TO_GO: &str = "1000";
/// How long the cache's own thread may take to count and tidy up.
const TIDY_TIME_MAX: Duration = Duration::from_secs(5);

/// Whether the code is in the cache. It may not be: the disk can be full.
enum Kept {
    Yes,
    No,
}

/// Why it ends without having compiled anything.
struct Stopped {
    code: u8,
    words: String,
}

/// All of the compiling process: reads from stdin the length of a component, eight bytes little
/// end first, and the component, and leaves its code in the cache. Says on stdout why not, and ends
/// at once when stdin does: whoever started it is gone then.
#[must_use]
pub fn compile_from_stdin(cache: &Path, bounds: CompileBounds) -> ExitCode {
    match compile(cache, bounds) {
        Ok(Kept::Yes) => ExitCode::SUCCESS,
        Ok(Kept::No) => {
            let _ = io::stdout().write_all(NOT_KEPT.as_bytes());
            ExitCode::SUCCESS
        }
        Err(stopped) => {
            // With nobody there to hear it, the code is all there is left to say.
            let _ = io::stdout().write_all(stopped.words.as_bytes());
            ExitCode::from(stopped.code)
        }
    }
}

fn compile(cache: &Path, bounds: CompileBounds) -> Result<Kept, Stopped> {
    let unable = |words: String| Stopped {
        code: UNABLE,
        words,
    };
    lower_itself(bounds).map_err(|why| unable(format!("no bounds can be set: {why}")))?;
    let component =
        read_component().map_err(|why| unable(format!("it did not get the component: {why}")))?;
    thread::Builder::new()
        .name("parent-watch".to_owned())
        .spawn(end_with_stdin)
        .map_err(|why| unable(format!("no thread: {why}")))?;
    effort::check(&component).map_err(|words| Stopped {
        code: REFUSED,
        words,
    })?;
    let (engine, cache) = engine::build_for_cache(cache)
        .map_err(|why| unable(format!("no engine: {}", chain(&why))))?;
    match Component::from_binary(&engine, &component) {
        Ok(compiled) => drop(compiled),
        Err(why) if was_denied_memory(&why) => {
            return Err(Stopped {
                code: NO_MEMORY,
                words: String::new(),
            });
        }
        Err(why) => {
            return Err(Stopped {
                code: REFUSED,
                words: format!("it cannot be compiled (cut off?): {why:#}"),
            });
        }
    }
    // It counts what it has written or found, and not what it could not write.
    let kept = match cache.cache_hits() + cache.cache_misses() {
        0 => Kept::No,
        _ => Kept::Yes,
    };
    // The cache's thread ends when nobody can ask it for anything any more.
    drop((engine, cache));
    wait_for_the_cache();
    Ok(kept)
}

/// Last in line for the processor and first to go when memory is short; bounded in both.
fn lower_itself(bounds: CompileBounds) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        // Neither is worth to go without the plugin.
        let _ = fs::write("/proc/self/oom_score_adj", FIRST_TO_GO);
        let _ = rustix::process::setpriority_process(None, NICENESS);
    }
    // Ends by a signal that says why; a little later by one that cannot be ignored.
    let processor_secs = bounds.processor_secs;
    lower(
        Resource::Cpu,
        processor_secs,
        processor_secs.saturating_add(5),
    )?;
    // What is allocated, and not what is merely mapped: a thread's stack and the allocator's
    // arenas reserve far more address space than they use.
    lower(Resource::Data, bounds.memory_bytes, bounds.memory_bytes)?;
    // The image of a process that ran into a bound is of no use to anybody.
    lower(Resource::Core, 0, 0)
}

fn lower(resource: Resource, current: u64, maximum: u64) -> io::Result<()> {
    let known = getrlimit(resource).maximum;
    let at_most = |wanted: u64| Some(known.map_or(wanted, |known| known.min(wanted)));
    let bounds = Rlimit {
        current: at_most(current),
        maximum: at_most(maximum),
    };
    Ok(setrlimit(resource, bounds)?)
}

fn read_component() -> io::Result<Vec<u8>> {
    let mut stdin = io::stdin().lock();
    let mut length = [0; 8];
    stdin.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    let mut component = Vec::new();
    stdin.take(length).read_to_end(&mut component)?;
    if component.len() as u64 == length {
        Ok(component)
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

/// Nothing more comes; the end of it is what is waited for.
fn end_with_stdin() {
    let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
    std::process::exit(i32::from(UNABLE));
}

fn was_denied_memory(why: &wasmtime::Error) -> bool {
    why.is::<wasmtime::OutOfMemory>()
        || why
            .chain()
            .any(|cause| cause.downcast_ref::<Errno>() == Some(&Errno::NOMEM))
}

fn chain(why: &dyn std::error::Error) -> String {
    match why.source() {
        Some(source) => format!("{why}: {}", chain(source)),
        None => why.to_string(),
    }
}

/// The cache's thread counts uses, and now and then deletes what is old. It cannot be joined: it
/// is gone when only this one and the watch are left. Elsewhere it is cut off, and goes on the
/// next time.
fn wait_for_the_cache() {
    const OWN_THREADS: usize = 2;
    let start = Instant::now();
    while start.elapsed() < TIDY_TIME_MAX {
        let threads = fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
        if threads <= OWN_THREADS {
            return;
        }
        thread::sleep(Duration::from_millis(1));
    }
}

//! Compiling in a process of its own, with a bound on its processor time, its memory, and how long
//! anybody waits for it.
//!
//! A compiler cannot be stopped in the middle of a function, and what it takes belongs to the
//! process that it runs in. So the server starts itself once more for each component
//! ([`compile_from_stdin`]), hands it over, and waits. What comes back is a word only: the child
//! leaves the code in wasmtime's cache, where this process finds it by the hash of the component
//! and of the engine's settings, as after a restart. Nothing that the child says is executed.

mod child;
mod verdict;

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{ChildStdin, Command};
use tokio::time::timeout;

pub use child::compile_from_stdin;
use verdict::{NOT_KEPT, Verdict};

use crate::load::NotLoaded;

/// Of what a child says, so much is read.
const WORDS_BYTES_MAX: u64 = 4 << 10;
/// The wall clock's deadline, in processor times, and at least. On a machine that is busy
/// delivering the compiler comes last, so it is far off: nobody but the next plugin waits.
const WALL_FACTOR: u32 = 10;
const WALL_MIN: Duration = Duration::from_secs(600);

/// What one compile may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompileBounds {
    /// Whole seconds: the system counts no finer.
    pub processor_secs: u64,
    pub memory_bytes: u64,
}

impl Default for CompileBounds {
    /// The engines of JavaScript and Python, the largest honest plugins, take 11 to 30 s of a
    /// processor, as machines are, and 300 MiB.
    fn default() -> Self {
        Self {
            processor_secs: 60,
            memory_bytes: 1 << 30,
        }
    }
}

/// How the compiling process is started.
#[derive(Clone, Debug)]
pub struct Compiler {
    /// Must be of the very build that the sandbox is of, or it leaves what is not found.
    pub program: PathBuf,
    /// What makes it call [`compile_from_stdin`] with the arguments that follow these: the cache,
    /// [`CompileBounds::processor_secs`], [`CompileBounds::memory_bytes`].
    pub arguments: Vec<OsString>,
    pub bounds: CompileBounds,
}

/// What there is to know before this process touches the component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compiled {
    /// Within the bounds, and its code is in the cache. If it is no longer there, compiling it
    /// here takes what it took there.
    Elsewhere,
    /// Nobody compiled it yet.
    Not,
}

impl Compiler {
    /// # Errors
    /// Why it is not compiled.
    ///
    /// # Cancel safety
    /// Dropping the future kills the child.
    pub(crate) async fn compile(
        &self,
        component: &[u8],
        cache: &Path,
    ) -> Result<Compiled, NotLoaded> {
        let mut child = match self.command(cache).spawn() {
            Ok(child) => child,
            Err(why) => {
                tracing::warn!(
                    program = %self.program.display(),
                    reason = %why,
                    "no process to compile a plugin in: it is compiled in the server's own, \
                     where nothing can stop it"
                );
                return Ok(Compiled::Not);
            }
        };
        let processor_time = Duration::from_secs(self.bounds.processor_secs);
        let wall = processor_time.saturating_mul(WALL_FACTOR).max(WALL_MIN);
        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let end = async {
            // Kept open until the child has ended: by its end the child would see that we are gone.
            let (_stdin, said, complained) =
                tokio::join!(hand_over(stdin, component), words(stdout), words(stderr));
            (child.wait().await, said, complained)
        };
        let ended = timeout(wall, end).await;
        match ended {
            Ok((status, said, complained)) => self.judge(status, &said, &complained),
            Err(_) => {
                // And waited for, so that there are never two.
                if let Err(why) = child.kill().await {
                    tracing::warn!(reason = %why, "a compiling process cannot be killed");
                }
                Err(NotLoaded::Later(format!(
                    "compiling it did not get {} s of processor time within {} s: the machine is \
                     too busy",
                    self.bounds.processor_secs,
                    wall.as_secs()
                )))
            }
        }
    }

    fn command(&self, cache: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .arg(cache)
            .arg(self.bounds.processor_secs.to_string())
            .arg(self.bounds.memory_bytes.to_string())
            // The environment holds the admin token, and settings that mean nothing to it.
            .env_clear()
            // The allocator takes what it needs and no more: what it reserves counts as taken.
            .env("MIMALLOC_ARENA_EAGER_COMMIT", "0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    fn judge(
        &self,
        status: io::Result<ExitStatus>,
        said: &str,
        complained: &str,
    ) -> Result<Compiled, NotLoaded> {
        let status = status
            .map_err(|why| NotLoaded::Later(format!("the compiler cannot be waited for: {why}")))?;
        let refused = |words: String| Err(NotLoaded::Refused(words));
        match Verdict::of(status, complained) {
            Verdict::Done => {
                if said == NOT_KEPT {
                    tracing::warn!(
                        "the code of a plugin cannot be kept in the cache (is the disk full?): it \
                         is compiled a second time, and again after each restart"
                    );
                }
                Ok(Compiled::Elsewhere)
            }
            Verdict::Refused => refused(said.to_owned()),
            Verdict::Unable => Err(NotLoaded::Later(format!(
                "the compiler cannot work: {said}"
            ))),
            Verdict::Time => refused(format!(
                "compiling it took more than {} s of processor time: make it smaller, or raise \
                 plugin_compile_secs",
                self.bounds.processor_secs
            )),
            Verdict::Memory => refused(format!(
                "compiling it took more than {} of memory: make it smaller",
                size(self.bounds.memory_bytes)
            )),
            Verdict::Killed => refused(
                "the compiler was killed on it, perhaps because the machine had no memory left: \
                 take the file out and put it in again to have it tried again"
                    .to_owned(),
            ),
            Verdict::Crashed => {
                tracing::warn!(%status, words = complained.trim(), "the compiler crashed");
                refused("the compiler crashed on it".to_owned())
            }
        }
    }
}

/// A child that ends early reads no more: how it ended says why.
async fn hand_over(stdin: Option<ChildStdin>, component: &[u8]) -> Option<ChildStdin> {
    let mut stdin = stdin?;
    let length = (component.len() as u64).to_le_bytes();
    let _ = stdin.write_all(&length).await;
    let _ = stdin.write_all(component).await;
    Some(stdin)
}

async fn words(from: Option<impl AsyncRead + Unpin>) -> String {
    let mut bytes = Vec::new();
    if let Some(from) = from {
        // What cannot be read was not said.
        let _ = from.take(WORDS_BYTES_MAX).read_to_end(&mut bytes).await;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn size(bytes: u64) -> String {
    match bytes {
        whole if whole % (1 << 30) == 0 => format!("{} GiB", whole >> 30),
        other => format!("{} MiB", other >> 20),
    }
}

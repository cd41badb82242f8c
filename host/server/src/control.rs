//! How a command reaches the server that runs: a socket in the data folder, for its owner alone.
//!
//! One request a connection, one line of JSON; then lines of progress, and one that ends it. Whoever
//! can connect owns the data folder and could as well read the database: nothing is asked but that,
//! and the system answers it (the folder's mode, the socket's, and who is at the other end).
//!
//! It is bound once the database is ours, so a socket that is found there belongs to nobody who
//! lives; and taken away at the end. Where none can be made the server runs without.
//!
//! Who hangs up ends a backup or a check, and nothing is left of it; a compacting goes on to its
//! end, since half of one is no use to anybody.

mod place;
mod request;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use whisperer_domain::port::{Onward, Progress, Upkeep};

pub(crate) use place::Place;
pub(crate) use request::{Line, Report, Request, checked, compacted, copied};

/// Each is somebody at a terminal, or a job of theirs.
const CONNECTIONS_MAX: usize = 8;
/// A path is at most 4,096 bytes, and each may be escaped.
const REQUEST_BYTES_MAX: u64 = 32 << 10;
const REQUEST_TIME_MAX: Duration = Duration::from_secs(5);
/// For one line to somebody who does not read.
const WRITE_TIME_MAX: Duration = Duration::from_secs(5);
const PROGRESS_EVERY: Duration = Duration::from_millis(200);

/// What every connection needs.
#[derive(Clone)]
struct Control {
    store: Arc<dyn Upkeep>,
    stop: CancellationToken,
    places: Arc<Semaphore>,
}

/// Listens in the data folder until `stop`. To be called once the database is ours.
///
/// # Errors
/// There is something in its place that is no socket, or the file system takes none.
pub(crate) fn start(
    folder: &Path,
    store: Arc<dyn Upkeep>,
    tracker: &TaskTracker,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let place = Place::of(folder)?;
    let listener = bind(&place)?;
    let control = Control {
        store,
        stop: stop.clone(),
        places: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
    };
    let connections = tracker.clone();
    tracker.spawn(async move {
        let accept = accept(listener, control, connections);
        stop.run_until_cancelled(accept).await;
        place.remove();
    });
    Ok(())
}

fn bind(place: &Place) -> anyhow::Result<UnixListener> {
    use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
    let path = place.path();
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => {
            std::fs::remove_file(path).with_context(|| {
                format!("cannot replace the socket {}", place.shown().display())
            })?;
        }
        Ok(_) => anyhow::bail!(
            "{} is in the place of the socket for commands: move it away",
            place.shown().display()
        ),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).context("cannot look for the socket for commands"),
    }
    let listener = UnixListener::bind(path)
        .with_context(|| format!("cannot listen on {}", place.shown().display()))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
        .context("cannot keep the socket for commands from others")?;
    Ok(listener)
}

async fn accept(listener: UnixListener, control: Control, tracker: TaskTracker) {
    loop {
        // More wait in the system's queue.
        let Ok(place) = Arc::clone(&control.places).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) if is_ours(&stream) => {
                let control = control.clone();
                tracker.spawn(async move {
                    control.serve(stream).await;
                    drop(place);
                });
            }
            Ok(_) => tracing::warn!("somebody else tried to give the server commands"),
            Err(error) => {
                tracing::warn!(%error, "a command could not be heard");
                // Out of files, as a rule: they come back.
                tokio::time::sleep(PROGRESS_EVERY).await;
            }
        }
    }
}

/// Ours is who the server runs as, and root.
fn is_ours(stream: &UnixStream) -> bool {
    let own = rustix::process::geteuid().as_raw();
    stream
        .peer_cred()
        .is_ok_and(|peer| peer.uid() == own || peer.uid() == 0)
}

impl Control {
    async fn serve(&self, stream: UnixStream) {
        let (reader, mut writer) = stream.into_split();
        let mut reader = BufReader::new(reader);
        let last = match read_request(&mut reader).await {
            Ok(request) => {
                tracing::info!(?request, "a command");
                match self.carry_out(request, reader, &mut writer).await {
                    Ok(report) => Line::Done(report),
                    Err(words) => Line::Failed(words),
                }
            }
            Err(words) => Line::Failed(words),
        };
        // They may be gone; what was done stays done.
        let _ = write(&mut writer, &last).await;
    }

    async fn carry_out(
        &self,
        request: Request,
        reader: BufReader<OwnedReadHalf>,
        writer: &mut OwnedWriteHalf,
    ) -> Result<Report, String> {
        let goes_on = Arc::new(AtomicBool::new(true));
        let (told, mut tells) = mpsc::channel(1);
        let onward: Onward = {
            let goes_on = Arc::clone(&goes_on);
            Arc::new(move |progress: Progress| {
                // One that is not heard is no loss.
                let _ = told.try_send(progress);
                goes_on.load(Ordering::Relaxed)
            })
        };
        let work = request.carry_out(self.store.as_ref(), onward);
        let gone = hangs_up(reader);
        let stopped = self.stop.cancelled();
        tokio::pin!(work, gone, stopped);
        let (mut is_gone, mut is_stopped) = (false, false);
        let mut last_told = Instant::now();
        loop {
            tokio::select! {
                done = &mut work => return done.map_err(|error| chain(&error)),
                () = &mut gone, if !is_gone => is_gone = true,
                () = &mut stopped, if !is_stopped => is_stopped = true,
                Some(progress) = tells.recv() => {
                    if last_told.elapsed() >= PROGRESS_EVERY && !is_gone {
                        last_told = Instant::now();
                        is_gone = write(writer, &Line::of(progress)).await.is_err();
                    }
                }
            }
            if is_gone || is_stopped {
                goes_on.store(false, Ordering::Relaxed);
            }
        }
    }
}

async fn read_request(reader: &mut BufReader<OwnedReadHalf>) -> Result<Request, String> {
    let mut line = Vec::new();
    let mut bounded = reader.take(REQUEST_BYTES_MAX);
    match timeout(REQUEST_TIME_MAX, bounded.read_until(b'\n', &mut line)).await {
        Err(_) => return Err("no command came within 5 seconds".to_owned()),
        Ok(Err(error)) => return Err(format!("the command cannot be read: {error}")),
        Ok(Ok(_)) => {}
    }
    if line.last() != Some(&b'\n') {
        return Err(format!(
            "the command is no line of at most {REQUEST_BYTES_MAX} bytes"
        ));
    }
    serde_json::from_slice(&line).map_err(|error| format!("the command is not understood: {error}"))
}

/// Ends when they close, and when they say more than their one request.
async fn hangs_up(mut reader: BufReader<OwnedReadHalf>) {
    let _ = reader.read_u8().await;
}

async fn write(writer: &mut OwnedWriteHalf, line: &Line) -> io::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    match timeout(WRITE_TIME_MAX, writer.write_all(&text)).await {
        Ok(written) => written,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// With all its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words += &format!(": {error}");
        cause = error.source();
    }
    words
}

#[cfg(test)]
mod tests;

//! The socket as somebody at a terminal meets it, and somebody who means harm.

use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use whisperer_domain::port::{
    BoxFuture, Budget, Checked, Compacted, Copied, KeyUse, Onward, Progress, Retention, Rotated,
    Stock, StoreDown, Swept, Upkeep, UpkeepError,
};

use super::{CONNECTIONS_MAX, Place, start};

/// A store that works until it is told to stop, and counts who told it.
#[derive(Default)]
struct Endless {
    stopped: AtomicU64,
}

impl Upkeep for Endless {
    fn stock(&self) -> Stock {
        Stock::default()
    }

    fn sweep(&self, _: Retention, _: Budget) -> BoxFuture<'_, Result<Swept, StoreDown>> {
        Box::pin(async { Ok(Swept::default()) })
    }

    fn backup(&self, to: PathBuf, onward: Onward) -> BoxFuture<'_, Result<Copied, UpkeepError>> {
        Box::pin(async move {
            if to.ends_with("short") {
                return Ok(Copied::default());
            }
            while onward(Progress {
                at: "events",
                rows: 1,
                bytes: 2,
            }) {
                tokio::task::yield_now().await;
            }
            self.stopped.fetch_add(1, Ordering::SeqCst);
            Err(UpkeepError::Stopped)
        })
    }

    fn compact(&self) -> BoxFuture<'_, Result<Compacted, UpkeepError>> {
        Box::pin(async { Err(UpkeepError::Busy("a backup or a check")) })
    }

    fn check(&self, _: usize, _: Onward) -> BoxFuture<'_, Result<Checked, UpkeepError>> {
        Box::pin(async { Ok(Checked::default()) })
    }

    fn rotate_key(&self) -> BoxFuture<'_, Result<Rotated, UpkeepError>> {
        Box::pin(async { Err(UpkeepError::NoFile) })
    }

    fn keys(&self) -> BoxFuture<'_, Result<Vec<KeyUse>, UpkeepError>> {
        Box::pin(async { Err(UpkeepError::NoFile) })
    }
}

struct Stage {
    folder: PathBuf,
    store: Arc<Endless>,
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Stage {
    fn in_folder(folder: &Path) -> Self {
        let stage = Self {
            folder: folder.to_owned(),
            store: Arc::default(),
            tracker: TaskTracker::new(),
            stop: CancellationToken::new(),
        };
        let store = Arc::clone(&stage.store) as _;
        start(folder, store, &stage.tracker, stage.stop.clone()).unwrap();
        stage
    }

    async fn connect(&self) -> BufReader<UnixStream> {
        let place = Place::of(&self.folder).unwrap();
        BufReader::new(UnixStream::connect(place.path()).await.unwrap())
    }

    /// The line that ends the answer to this one.
    async fn asked(&self, line: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(line.as_bytes()).await.unwrap();
        stream.write_all(b"\n").await.unwrap();
        last_line(&mut stream).await
    }

    async fn end(self) {
        self.stop.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}

async fn last_line(stream: &mut BufReader<UnixStream>) -> String {
    let mut last = String::new();
    loop {
        let mut line = String::new();
        match stream.read_line(&mut line).await {
            Ok(1..) => last = line,
            Ok(0) | Err(_) => return last,
        }
    }
}

#[tokio::test]
async fn a_command_is_answered_and_a_bad_one_is_told_why() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::in_folder(folder.path());
    for (line, words) in [
        ("{\"command\":\"check\"}", "nothing is wrong"),
        (
            "{\"command\":\"compact\"}",
            "a backup or a check is at work",
        ),
        (
            "{\"command\":\"backup\",\"file\":\"/short\"}",
            "secrets.key",
        ),
        ("{\"command\":\"backup\",\"file\":\"short\"}", "absolute"),
        ("{\"command\":\"backup\"}", "file"),
        ("{\"command\":\"check\",\"more\":1}", "more"),
        ("{\"command\":\"halt\"}", "halt"),
        ("nonsense", "not understood"),
    ] {
        let answer = stage.asked(line).await;
        assert!(answer.contains(words), "{line}: {answer}");
    }
    let long = "x".repeat(40 << 10);
    assert!(stage.asked(&long).await.contains("at most"));
    stage.end().await;
}

#[tokio::test]
async fn it_is_its_owners_alone_replaces_a_dead_one_and_is_gone_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.sock");
    // What a kill leaves.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let stage = Stage::in_folder(folder.path());
    let found = std::fs::symlink_metadata(&path).unwrap();
    assert!(found.file_type().is_socket());
    assert_eq!(found.permissions().mode() & 0o777, 0o600);
    assert!(
        stage
            .asked("{\"command\":\"check\"}")
            .await
            .contains("done")
    );
    stage.end().await;
    assert!(!path.exists());

    std::fs::write(&path, "a file of somebody's").unwrap();
    let store = Arc::new(Endless::default());
    let error = start(
        folder.path(),
        store,
        &TaskTracker::new(),
        CancellationToken::new(),
    );
    assert!(error.unwrap_err().to_string().contains("move it away"));
    assert!(path.exists());
}

#[tokio::test]
async fn a_folder_that_is_too_deep_for_a_name_has_one_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("d".repeat(100)).join("e".repeat(100));
    std::fs::create_dir_all(&deep).unwrap();
    let stage = Stage::in_folder(&deep);
    assert!(deep.join("control.sock").exists());
    assert!(
        stage
            .asked("{\"command\":\"check\"}")
            .await
            .contains("done")
    );
    stage.end().await;
    assert!(!deep.join("control.sock").exists());
}

#[tokio::test]
async fn who_hangs_up_ends_the_work_and_so_does_the_end_of_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::in_folder(folder.path());
    let backup = b"{\"command\":\"backup\",\"file\":\"/endless\"}\n";
    let mut stream = stage.connect().await;
    stream.write_all(backup).await.unwrap();
    let mut line = String::new();
    stream.read_line(&mut line).await.unwrap();
    assert!(line.contains("\"progress\""), "{line}");
    drop(stream);
    while stage.store.stopped.load(Ordering::SeqCst) < 1 {
        tokio::task::yield_now().await;
    }
    let mut stream = stage.connect().await;
    stream.write_all(backup).await.unwrap();
    stream.read_line(&mut line).await.unwrap();
    let store = Arc::clone(&stage.store);
    let (last, ()) = tokio::join!(last_line(&mut stream), stage.end());
    assert!(last.contains("stopped before its end"), "{last}");
    assert_eq!(store.stopped.load(Ordering::SeqCst), 2);
}

/// Time is the test's: it jumps when nothing else is left to do.
#[tokio::test(start_paused = true)]
async fn silence_is_ended_and_crowds_wait() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::in_folder(folder.path());
    let mut silent = Vec::new();
    for _ in 0..CONNECTIONS_MAX {
        silent.push(stage.connect().await);
    }
    // Is heard when the silent ones are sent away.
    let began = tokio::time::Instant::now();
    let answer = stage.asked("{\"command\":\"check\"}").await;
    assert!(answer.contains("done"), "{answer}");
    assert!(began.elapsed() >= Duration::from_secs(5));
    for stream in &mut silent {
        assert!(last_line(stream).await.contains("no command came"));
    }
    stage.end().await;
}

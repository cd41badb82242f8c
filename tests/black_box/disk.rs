//! What the disk does to a server, seen from outside: a database that cannot be used, and a disk
//! that is nearly full, or full.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::eventually;
use crate::support::receiver::Receiver;
use crate::support::server::{ADMIN, Server, Setup};

const PATIENCE: Duration = Duration::from_secs(20);
const DISK_MIB: u32 = 64;

fn database(folder: &Path) -> PathBuf {
    folder.join("whisperer.redb")
}

/// Starts it, which must fail: the exit code, and the one line that it says.
fn fails_to_start(setup: &Setup) -> (Option<i32>, String) {
    let (code, said) = fails(setup.command());
    assert!(said.contains("whisperer.redb"), "{said}");
    (code, said)
}

fn fails(mut command: Command) -> (Option<i32>, String) {
    let ended = command
        .args(["--log", "error"])
        .stdout(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 1, "it says one line: {said}");
    (ended.status.code(), said)
}

/// Under a supervisor it is started again and again: each time it says the same, and leaves
/// everything as it is.
#[tokio::test]
async fn a_database_that_cannot_be_used_is_refused_by_its_own_exit_code_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::in_folder(folder.path());
    let mut server = Server::start(&setup).ready().await;
    server.signal("TERM");
    server.ended(PATIENCE).await;
    let path = database(folder.path());
    let good = fs::read(&path).unwrap();
    let mut flipped = good.clone();
    // In the head of the commit: both copies of it are held against their checksums.
    for bytes in flipped.chunks_mut(128).take(3) {
        bytes[70] ^= 4;
    }
    let cases: [(&str, Vec<u8>); 4] = [
        ("is damaged", good[..good.len() / 2].to_vec()),
        ("is damaged", flipped),
        (
            "is not a database of whisperer",
            b"SQLite format 3\0".to_vec(),
        ),
        ("is empty", Vec::new()),
    ];
    for (words, bytes) in cases {
        fs::write(&path, &bytes).unwrap();
        let names = names_in(folder.path());
        for _ in 0..3 {
            let (code, said) = fails_to_start(&setup);
            assert_eq!(code, Some(65), "{said}");
            assert!(said.contains(words), "{said}");
            assert!(fs::read(&path).unwrap() == bytes, "it was written to");
            assert_eq!(names_in(folder.path()), names, "something was made");
        }
    }
    fs::write(&path, &good).unwrap();
    Server::start(&setup).ready().await.kill();
}

fn names_in(folder: &Path) -> Vec<PathBuf> {
    let mut names: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    names.sort();
    names
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_refused_as_a_slip_of_the_set_up() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::in_folder(folder.path());
    let path = database(folder.path());
    fs::create_dir(&path).unwrap();
    let (code, said) = fails_to_start(&setup);
    assert!(code == Some(78) && said.contains("is a folder"), "{said}");
    fs::remove_dir(&path).unwrap();

    std::os::unix::fs::symlink(folder.path().join("not mounted"), &path).unwrap();
    let (code, said) = fails_to_start(&setup);
    assert!(code == Some(78) && said.contains("is a link to"), "{said}");
    fs::remove_file(&path).unwrap();

    // Opened, it would wait for whoever writes into it.
    let made = Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    let (code, said) = fails_to_start(&setup);
    assert!(code == Some(78) && said.contains("is a pipe"), "{said}");
}

/// Access that is not given is a slip of the set-up too: nothing is damaged, and nothing is made
/// anew beside what cannot be read.
#[cfg(unix)]
#[tokio::test]
async fn what_may_not_be_written_is_refused_as_a_slip_of_the_set_up() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::in_folder(&folder.path().join("data"));
    let mut server = Server::start(&setup).ready().await;
    server.signal("TERM");
    server.ended(PATIENCE).await;
    let mode = |path: &Path, mode: u32| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(folder.path(), 0o755);
    for path in names_in(&setup.data).iter().chain([&setup.data]) {
        let may = if path.is_dir() { 0o755 } else { 0o644 };
        mode(path, may);
        as_nobody::own(path);
    }
    let path = database(&setup.data);
    let bytes = fs::read(&path).unwrap();
    let names = names_in(&setup.data);

    for may in [0o444, 0o000] {
        mode(&path, may);
        let (code, said) = fails(as_nobody::run(setup.command()));
        assert!(code == Some(78), "{code:?} {said}");
        assert!(said.contains("may not"), "{said}");
    }
    mode(&path, 0o644);
    assert!(fs::read(&path).unwrap() == bytes, "it was written to");
    assert_eq!(names_in(&setup.data), names, "something was made");

    // A first start in a folder where nothing may be made.
    let empty = Setup::in_folder(&folder.path().join("empty"));
    fs::create_dir(&empty.data).unwrap();
    as_nobody::own(&empty.data);
    mode(&empty.data, 0o555);
    let (code, said) = fails(as_nobody::run(empty.command()));
    assert!(
        code == Some(78) && said.contains("may not"),
        "{code:?} {said}"
    );
    assert!(names_in(&empty.data).is_empty());
}

/// Root may do everything, so what is forbidden shows only as somebody else.
#[cfg(unix)]
mod as_nobody {
    use std::os::unix::process::CommandExt as _;

    use super::{Command, Path};

    const NOBODY: u32 = 65534;

    fn is_root() -> bool {
        use std::os::unix::fs::MetadataExt as _;
        std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
    }

    pub(super) fn own(path: &Path) {
        if is_root() {
            std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }

    pub(super) fn run(mut command: Command) -> Command {
        if is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }
}

#[tokio::test]
async fn a_second_server_on_the_same_database_is_refused_and_harms_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::in_folder(folder.path());
    let first = Server::start(&setup).ready().await;
    let (code, said) = fails_to_start(&setup);
    assert!(code == Some(75) && said.contains("in use"), "{said}");
    first
        .hook(json!({"target_url": "http://127.0.0.1:9/", "event_type": "package.created"}))
        .await;
    assert_eq!(first.event("package.created", json!({})).await, 1);
}

/// Whether this process may make a file system. Where it may not, the tests that need one say so.
fn may_mount() -> bool {
    let tried = Command::new("unshare")
        .args([
            "--mount",
            "--",
            "sh",
            "-c",
            "mount -t tmpfs -o size=1m none /mnt",
        ])
        .output();
    let may = tried.is_ok_and(|tried| tried.status.success());
    if !may {
        println!("NOT RUN: this process may not mount a file system");
    }
    may
}

/// A server on a disk of its own, with a hook whose receiver is away.
async fn on_a_small_disk(folder: &Path, settings: &str) -> (Server, u64) {
    let config = folder.join("settings.toml");
    fs::write(&config, settings).unwrap();
    let data = folder.join("data");
    fs::create_dir(&data).unwrap();
    let mut setup = Setup::in_folder(&data);
    setup.disk_mib = Some(DISK_MIB);
    setup.args = vec!["--config".to_owned(), config.display().to_string()];
    let server = Server::start(&setup).ready().await;
    let receiver = Receiver::answering(|_, _| StatusCode::SERVICE_UNAVAILABLE).await;
    let hook = server
        .hook(json!({"target_url": receiver.url("/"), "event_type": "package.created"}))
        .await;
    (server, hook)
}

/// A file on the server's disk, which only it sees.
fn ballast(server: &Server, folder: &Path) -> PathBuf {
    let data = folder.join("data").canonicalize().unwrap();
    PathBuf::from(format!("/proc/{}/root{}", server.pid(), data.display())).join("ballast")
}

/// The status, what is said and when to come again.
async fn post(server: &Server, id: &str, bytes: usize) -> (StatusCode, Value, Option<String>) {
    let pad = "x".repeat(bytes);
    let body = json!({"id": id, "type": "package.created", "payload": {"pad": pad}});
    let answer = server
        .http()
        .post(format!("{}/whisperer/events/", server.base))
        .header("authorization", format!("Token {ADMIN}"))
        .header("content-type", "application/json")
        .body(body.to_string())
        .send()
        .await
        .unwrap();
    let status = answer.status();
    let again = answer.headers().get("retry-after");
    let again = again.map(|again| again.to_str().unwrap().to_owned());
    let text = answer.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap(), again)
}

async fn text_of(server: &Server, path: &str) -> (StatusCode, String) {
    let answer = server.http().get(format!("{}{path}", server.base));
    let answer = answer.send().await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

/// S-02: the guard stops the events before the disk is full, and everything else goes on.
#[tokio::test]
async fn events_are_refused_before_the_disk_is_full_and_accepted_when_there_is_space() {
    if !may_mount() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (server, hook) = on_a_small_disk(folder.path(), "").await;
    // The file of the database can only grow: what makes room again is something else.
    let ballast = ballast(&server, folder.path());
    fs::write(&ballast, vec![1; 24 << 20]).unwrap();
    let mut accepted = 0;
    let (refusal, again) = loop {
        let (status, said, again) = post(&server, &format!("e{accepted}"), 200_000).await;
        if status != 202 {
            assert_eq!(status, 503, "{said:#}");
            break (said.to_string(), again);
        }
        accepted += 1;
        assert!(accepted < 1000, "it never stops");
        // As fast as a disk of this size is watched.
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(accepted > 20, "only {accepted} were accepted");
    assert!(refusal.contains("disk is nearly full"), "{refusal}");
    assert!(
        !refusal.contains(&*folder.path().to_string_lossy()),
        "{refusal}"
    );
    assert_eq!(again.as_deref(), Some("30"));
    let (status, said) = text_of(&server, "/readyz").await;
    assert!(status == 503 && said.contains("disk"), "{said}");
    let (_, metrics) = text_of(&server, "/metrics").await;
    assert!(
        metrics.contains("\nwhisperer_store_disk_short 1\n"),
        "{metrics}"
    );
    let free = metrics
        .lines()
        .find_map(|line| line.strip_prefix("whisperer_store_free_bytes "));
    let free: u64 = free.unwrap().parse().unwrap();
    assert!((1 << 20..8 << 20).contains(&free), "{free} bytes are free");
    // What was accepted goes on, and so does what is changed.
    let (status, _) = server
        .call(
            Method::PATCH,
            &format!("/hooks/{hook}/"),
            Some(&json!({"max_attempts": 3})),
        )
        .await;
    assert_eq!(status, 200);
    assert_eq!(server.deliveries(hook).await.len(), accepted);
    let log = server.log();
    assert!(!log.contains("reopened"), "the disk got full: {log}");

    fs::remove_file(&ballast).unwrap();
    eventually("events are accepted again", PATIENCE, async || {
        let (status, _, _) = post(&server, "after", 10).await;
        (status == 202).then_some(())
    })
    .await;
}

/// S-01: and if it is full all the same, nothing acknowledged is lost, and it comes back by itself.
#[tokio::test]
async fn a_disk_that_is_full_in_spite_of_it_loses_nothing_and_is_come_back_from() {
    if !may_mount() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (server, hook) = on_a_small_disk(folder.path(), "store_free_bytes_min = 0\n").await;
    let ballast = ballast(&server, folder.path());
    fs::write(&ballast, vec![1; 40 << 20]).unwrap();
    let mut accepted = Vec::new();
    let mut refused = 0;
    for number in 0..400 {
        let id = format!("e{number}");
        let (status, said, _) = post(&server, &id, 200_000).await;
        match status.as_u16() {
            202 => accepted.push(id),
            503 => refused += 1,
            other => panic!("{other}: {said:#}"),
        }
        let (status, said) = server
            .call(Method::GET, "/hook_events/?limit=1", None)
            .await;
        assert!(status == 200 || status == 503, "{said:#}");
        if refused >= 30 {
            break;
        }
    }
    assert!(
        refused >= 30 && accepted.len() > 20,
        "{refused} of {}",
        accepted.len()
    );
    fs::remove_file(&ballast).unwrap();
    let came_back = eventually("it comes back", Duration::from_secs(10), async || {
        let (status, _, _) = post(&server, "after", 10).await;
        (status == 202).then_some(())
    });
    came_back.await;
    for id in &accepted {
        let (status, said) = server
            .call(Method::GET, &format!("/events/{id}/"), None)
            .await;
        assert_eq!(status, 200, "{id} is lost: {said:#}");
    }
    assert!(server.deliveries(hook).await.len() > accepted.len());
    // It did not turn in circles meanwhile.
    let reopened = server
        .log()
        .matches("the store is reopened after a fault")
        .count();
    assert!(
        (1..20).contains(&reopened),
        "it was reopened {reopened} times"
    );
}

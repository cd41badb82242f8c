//! Invariant 7: a secret stands in no log, metric, error, answer or database file in clear, and in no
//! memory that a core dump would hold, after ten thousand operations that do all they can to spread
//! it: receivers that tell back what they got, a plugin that lets out its configuration, input that
//! has a secret where none belongs.

#[path = "secrecy/echo.rs"]
mod echo;
#[path = "secrecy/memory.rs"]
mod memory;
#[path = "secrecy/needles.rs"]
mod needles;
#[path = "secrecy/secrets.rs"]
mod secrets;

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::eventually;
use crate::support::guests::{drop_in, guest};
use crate::support::server::{Server, Setup};
use echo::Echo;
use needles::Needles;
use secrets::{Secrets, random};

const PATIENCE: Duration = Duration::from_secs(60);
/// Events in one batch, and batches: with their deliveries to six hooks, and the attempts that fail,
/// more than ten thousand operations.
const BATCH: usize = 100;
const BATCHES: usize = 15;

/// Everything that the API answered, but for what the caller sent in the same request.
#[derive(Default)]
struct Answers(Vec<(String, Value)>);

impl Answers {
    async fn get(&mut self, server: &Server, token: &str, path: &str) -> Value {
        let (status, answer) = server.call_as(token, Method::GET, path, None).await;
        assert!(status.is_success(), "{path}: {status} {answer}");
        self.0.push((path.to_owned(), answer.clone()));
        answer
    }

    /// What an owner may be shown of a hook is no fault of what is beside it.
    fn check(mut self, all: &Needles, header: &Needles, admin: &Needles) {
        for (path, answer) in &mut self.0 {
            all.absent(path, answer.to_string().as_bytes());
            admin.absent(path, answer.to_string().as_bytes());
            without(answer, "additional_headers");
            header.absent(path, answer.to_string().as_bytes());
        }
    }
}

fn without(value: &mut Value, member: &str) {
    match value {
        Value::Object(members) => {
            members.remove(member);
            members.values_mut().for_each(|it| without(it, member));
        }
        Value::Array(items) => items.iter_mut().for_each(|it| without(it, member)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

async fn post_events(server: &Server, token: &str, batch: usize) {
    let mut lines = String::new();
    for number in 0..BATCH {
        let leak = match number % 25 {
            0 => "discard",
            1 => "reject",
            // Seldom: a plugin that breaks 20 times in a row is stopped, and each is tried twice.
            2 if batch.is_multiple_of(2) && number == 2 => "panic",
            _ => "header",
        };
        let event = json!({
            "type": "package.created", "payload": {"n": batch * BATCH + number, "leak": leak},
        });
        lines.push_str(&format!("{event}\n"));
    }
    let url = format!("{}/whisperer/events/batch/", server.base);
    let request = server.http().post(url).body(lines);
    let answer = request
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/x-ndjson")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    answer.bytes().await.unwrap();
}

/// Input with a secret where none belongs: refused, and told to nobody but the caller.
async fn misplace(server: &Server, secrets: &Secrets, hook: u64) {
    for secret in [
        &secrets.raw_key,
        &secrets.password,
        &secrets.config,
        &secrets.standard_key,
    ] {
        let body = |field: &str, value: Value| json!({"event_type": "*", field: value});
        let with_user = format!("https://ann:{}@a.example/", secrets.later_key);
        for wrong in [
            body("target_url", json!(secret)),
            body("target_url", json!(with_user)),
            body("event_type", json!(secret)),
            body("secret_key", json!([secret])),
            body("additional_headers", json!({"X-A": format!("{secret}\n")})),
            body("additional_headers", json!({secret: "x"})),
            body("retry_countdown_config", json!({"choice": secret})),
            body(
                "plugins",
                json!([{"name": secret, "config": {"token": secret}}]),
            ),
            body(
                "plugins",
                json!([{"name": "leaky", "config": {"token": [secret]}}]),
            ),
            body("filter", json!({"path": "a", "eq": [secret]})),
            body(secret, json!(1)),
            json!(secret),
        ] {
            let token = &secrets.token;
            let (status, _) = server
                .call_as(token, Method::POST, "/hooks/", Some(&wrong))
                .await;
            assert!(status.is_client_error(), "{status}: {wrong}");
            let path = format!("/hooks/{hook}/try/");
            server
                .call_as(token, Method::POST, &path, Some(&wrong))
                .await;
            let (status, _) = server
                .call_as(token, Method::POST, "/events/", Some(&wrong))
                .await;
            assert!(status.is_client_error(), "{status}");
        }
        let query: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        let path = format!("/hooks/?token={query}");
        server
            .call_as(&secrets.token, Method::GET, &path, None)
            .await;
        let path = format!("/{query}/");
        server.call_as(&query, Method::GET, &path, None).await;
    }
    let broken = format!("{{\"secret_key\": \"{}\", ", secrets.later_key);
    server.post_raw("/hooks/", broken).await;
}

async fn drained(server: &Server) {
    eventually("everything is tried", PATIENCE, async || {
        let (_, queue) = server
            .call(Method::GET, "/event_queues/?limit=1", None)
            .await;
        queue.as_array().unwrap().is_empty().then_some(())
    })
    .await;
}

/// Reads every kind of thing, as its owner and as an admin.
async fn read_all(server: &Server, token: &str, hooks: &[u64]) -> Answers {
    let mut answers = Answers::default();
    for hook in hooks {
        answers.get(server, token, &format!("/hooks/{hook}/")).await;
        let path = format!("/hook_events/?webhook={hook}&limit=40");
        let list = answers.get(server, token, &path).await;
        for delivery in list.as_array().unwrap() {
            let path = format!("/hook_events/{}/", delivery["id"]);
            answers.get(server, token, &path).await;
        }
    }
    answers.get(server, token, "/hooks/").await;
    for path in [
        "/tokens/",
        "/audit/",
        "/events/?limit=100",
        "/plugins/",
        "/plugins/leaky/",
        "/event_queues/",
    ] {
        answers
            .get(server, crate::support::server::ADMIN, path)
            .await;
    }
    let metrics = format!("{}/metrics", server.base);
    let metrics = server.http().get(metrics).send().await.unwrap();
    let metrics = Value::from(metrics.text().await.unwrap());
    assert!(
        metrics
            .as_str()
            .unwrap()
            .contains("whisperer_plugin_calls_total")
    );
    answers.0.push(("metrics".to_owned(), metrics));
    answers
}

/// What is tried out shows what a chain does, and not what it was given in confidence.
async fn try_out(server: &Server, secrets: &Secrets, hook: u64, answers: &mut Answers) {
    for leak in ["header", "discard", "reject", "panic"] {
        let event = json!({"type": "package.created", "payload": {"leak": leak}});
        let body = json!({"event": event, "hook_id": hook});
        let path = "/plugins/leaky/try/";
        let (status, tried) = server.call(Method::POST, path, Some(&body)).await;
        assert_eq!(status, 200, "{tried}");
        answers.0.push((format!("{path} {leak}"), tried));
    }
    let path = format!("/hooks/{hook}/test/");
    let token = &secrets.token;
    let (status, tested) = server.call_as(token, Method::POST, &path, None).await;
    assert_eq!(status, 200, "{tested}");
    assert!(
        tested.to_string().contains("********"),
        "the echo is masked: {tested}"
    );
    answers.0.push((path, tested));
}

fn all_files(folder: &Path, look: &mut impl FnMut(&Path, &[u8])) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all_files(&path, look);
        } else {
            look(&path, &std::fs::read(&path).unwrap());
        }
    }
}

/// Waits until memory holds no secret any more: buffers of connections and requests that are under
/// way hold what goes through them.
async fn memory_is_clean(server: &Server, all: &[&Needles], marker: &str) {
    let start = Instant::now();
    loop {
        let (mut found, mut marked) = (Vec::new(), false);
        memory::dumped(server.pid(), |part| {
            for needles in all {
                let here = needles.found_in(&part.bytes);
                found.extend(here.into_iter().map(|it| format!("in {}: {it}", part.name)));
            }
            marked |= part
                .bytes
                .windows(marker.len())
                .any(|it| it == marker.as_bytes());
        });
        assert!(marked, "the search does not find what is there");
        if found.is_empty() {
            return;
        }
        let some = &found[..found.len().min(12)];
        assert!(
            start.elapsed() < PATIENCE,
            "memory shows {} secrets: {some:#?}",
            found.len()
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_operations_leave_no_secret_anywhere() {
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("settings.toml");
    // What a dump would hold can be read only where dumps are allowed.
    let text = "core_dumps = true\nheader_timeout_secs = 2\nlog = \"trace\"\nlog_format = \"json\"";
    std::fs::write(&settings, text).unwrap();
    let mut setup = Setup::in_folder(&folder.path().join("data"));
    setup.args = vec!["--config".to_owned(), settings.to_str().unwrap().to_owned()];
    drop_in(&setup.plugins(), "leaky.wasm", &guest("leaky"));
    let mut server = Server::start(&setup).ready().await;
    let secrets = Secrets::new(&server).await;
    let (all, header, admin) = secrets.needles();
    let marker = random("marker");
    let echo = Echo::start();
    let mut hooks = Vec::new();
    for hook in secrets.hooks(&echo, &marker) {
        let call = server.call_as(&secrets.token, Method::POST, "/hooks/", Some(&hook));
        let (status, made) = call.await;
        assert_eq!(status, 201, "{made}");
        hooks.push(made["id"].as_u64().unwrap());
    }

    for batch in 0..BATCHES {
        post_events(&server, &secrets.token, batch).await;
        if batch == BATCHES / 2 {
            misplace(&server, &secrets, hooks[0]).await;
            let chain = json!([{"name": "leaky", "config": {"token": secrets.later_config}}]);
            let fields = json!({"secret_key": secrets.later_key, "plugins": chain});
            server.patch(hooks[1], &fields).await;
        }
    }
    drained(&server).await;
    let mut answers = read_all(&server, &secrets.token, &hooks).await;
    try_out(&server, &secrets, hooks[0], &mut answers).await;
    let attempts = answers.0.iter().find(|(path, _)| path == "metrics");
    let attempts = counted(
        attempts.unwrap().1.as_str().unwrap(),
        "whisperer_attempts_total",
    );
    assert!(
        attempts + BATCH * BATCHES >= 10_000,
        "only {attempts} attempts"
    );
    answers.check(&all, &header, &admin);

    let copy = folder.path().join("copy.redb");
    let backup = Command::new(env!("CARGO_BIN_EXE_whisperer"))
        .args(["backup".as_ref(), copy.as_os_str(), "--data".as_ref()])
        .arg(&setup.data)
        .output()
        .unwrap();
    assert!(backup.status.success(), "{backup:?}");

    drop(echo);
    server.hang_up();
    memory_is_clean(&server, &[&all, &header], &marker).await;
    let keys = memory::keys(server.pid());
    assert!(
        !keys.is_empty(),
        "the page with the key of the secrets is not found"
    );
    let mut memory_keys = Needles::new();
    for key in &keys {
        memory_keys.form("the key of the secrets in memory", key);
    }
    let sealing = std::fs::read(setup.data.join("secrets.key")).unwrap();
    memory_keys.form("the key of the database", &sealing);
    memory_is_clean(&server, &[&memory_keys], &marker).await;

    server.signal("TERM");
    assert!(server.ended(PATIENCE).await.success());
    let log = server.log();
    assert!(log.contains("\"level\":\"TRACE\"") && log.contains("a plugin says"));
    for needles in [&all, &header, &admin] {
        needles.absent("the log", log.as_bytes());
    }
    let mut files = 0;
    let mut marked = false;
    all_files(folder.path(), &mut |path, bytes| {
        let name = path.display().to_string();
        for needles in [&all, &header, &admin] {
            needles.absent(&name, bytes);
        }
        files += 1;
        marked |= bytes
            .windows(marker.len())
            .any(|it| it == marker.as_bytes());
    });
    assert!(
        files >= 4 && marked,
        "the search does not find what is there"
    );
}

fn counted(metrics: &str, name: &str) -> usize {
    let lines = metrics.lines().filter(|line| line.starts_with(name));
    let counts = lines.map(|line| line.rsplit_once(' ').unwrap().1.parse::<usize>().unwrap());
    counts.sum()
}

/// A server in `folder` that may leave a core there, if it is up to the system; how it ends by SIGABRT.
async fn aborted(folder: &Path, core_dumps: bool) -> std::process::ExitStatus {
    let setup = Setup::in_folder(&folder.join("data"));
    let served = setup.command();
    let mut command = Command::new("sh");
    let line = "ulimit -c unlimited; exec \"$0\" \"$@\"";
    command
        .args(["-c", line])
        .arg(served.get_program())
        .args(served.get_args());
    command.env("WHISPERER_CORE_DUMPS", core_dumps.to_string());
    command.current_dir(folder);
    let mut server = Server::start_as(&setup, command).ready().await;
    let readable = memory::may_be_read(server.pid());
    // Root may read everything; nobody else what is not dumpable.
    assert!(readable.is_ok() || !core_dumps, "{readable:?}");
    if !core_dumps && !is_root() {
        assert!(
            readable.is_err(),
            "others of the same user may read its memory"
        );
    }
    server.signal("ABRT");
    server.ended(PATIENCE).await
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_leaves_no_core_unless_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let status = aborted(folder.path(), false).await;
    assert_eq!(status.signal(), Some(6));
    assert!(!status.core_dumped());
    // The other way, where the system lets a core be made at all.
    let control = aborted(folder.path(), true).await;
    assert_eq!(control.signal(), Some(6));
    assert!(
        control.core_dumped() || !is_root(),
        "the test could not fail"
    );
}

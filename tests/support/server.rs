//! The real binary in a folder of its own, and its API.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::Value;

/// The admin token of every server that the tests start.
pub(crate) const ADMIN: &str = "whs_tests-only-0123456789abcdef";

/// How a server is to be started.
pub(crate) struct Setup {
    pub(crate) data: PathBuf,
    pub(crate) listen: String,
    /// Empty: the default policy, which forbids loopback.
    pub(crate) allow_networks: Vec<String>,
    pub(crate) args: Vec<String>,
    /// Its data folder is a file system of its own, of so many MiB: see `disk.rs`.
    pub(crate) disk_mib: Option<u32>,
}

impl Setup {
    /// In `data`, with loopback allowed, so that the tests' receivers can be reached.
    pub(crate) fn in_folder(data: &Path) -> Self {
        Self {
            data: data.to_owned(),
            listen: "127.0.0.1:0".to_owned(),
            allow_networks: vec!["127.0.0.0/8".to_owned()],
            args: Vec::new(),
            disk_mib: None,
        }
    }

    /// The plugin folder, there before the first start.
    pub(crate) fn plugins(&self) -> PathBuf {
        let plugins = self.data.join("plugins");
        std::fs::create_dir_all(&plugins).expect("a folder can be made");
        plugins
    }

    pub(crate) fn command(&self) -> Command {
        let binary = env!("CARGO_BIN_EXE_whisperer");
        let mut command = match self.disk_mib {
            None => Command::new(binary),
            Some(mib) => {
                let mut command = Command::new("unshare");
                let mount = format!("mount -t tmpfs -o size={mib}m none \"$0\" && exec \"$@\"");
                command.args(["--mount", "--", "sh", "-c", &mount]);
                command.arg(&self.data).arg(binary);
                command
            }
        };
        command
            .args(["serve", "--listen", &self.listen, "--data"])
            .arg(&self.data);
        for network in &self.allow_networks {
            command.args(["--allow-network", network]);
        }
        command.args(&self.args).env("WHISPERER_ADMIN_TOKEN", ADMIN);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }
}

/// A running server; killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) base: String,
    pub(crate) plugins: PathBuf,
    stderr: Arc<Mutex<String>>,
    http: reqwest::Client,
}

impl Server {
    pub(crate) fn start(setup: &Setup) -> Self {
        Self::start_as(setup, setup.command())
    }

    /// By another command that comes to the same.
    pub(crate) fn start_as(setup: &Setup, mut command: Command) -> Self {
        command
            .env("WHISPERER_ADMIN_TOKEN", ADMIN)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        let stderr = collect(child.stderr.take().expect("stderr is piped"));
        let mut lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        let base = loop {
            let Some(Ok(line)) = lines.next() else {
                let status = child.wait();
                panic!(
                    "the server ended at once ({status:?}):\n{}",
                    stderr.lock().unwrap()
                );
            };
            if let Some(at) = line.find("http://") {
                break line[at..].trim().to_owned();
            }
        };
        // Keep reading, or a full pipe would stop the server.
        std::thread::spawn(move || lines.for_each(drop));
        // The client wants to know whose TLS it would use, though here it uses none.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .no_proxy()
            .build()
            .expect("a client can be built");
        Self {
            child,
            base,
            plugins: setup.data.join("plugins"),
            stderr,
            http,
        }
    }

    pub(crate) async fn ready(self) -> Self {
        super::eventually("ready", Duration::from_secs(20), async || {
            let url = format!("{}/readyz", self.base);
            let answer = self.http.get(url).send().await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
        self
    }

    /// Closes the connections to it.
    pub(crate) fn hang_up(&mut self) {
        self.http = reqwest::Client::builder()
            .no_proxy()
            .build()
            .expect("a client can be built");
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it logged so far.
    pub(crate) fn log(&self) -> String {
        self.stderr.lock().unwrap().clone()
    }

    pub(crate) fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// One call of the API under `/whisperer`, as the admin.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> (StatusCode, Value) {
        self.call_as(ADMIN, method, path, body).await
    }

    /// The same, by somebody's token.
    pub(crate) async fn call_as(
        &self,
        token: &str,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> (StatusCode, Value) {
        let mut request = self
            .http
            .request(method, format!("{}/whisperer{path}", self.base))
            .header("authorization", format!("Token {token}"));
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        let answer = request.send().await.expect("the server answers");
        let status = answer.status();
        let text = answer.text().await.expect("the answer is text");
        (
            status,
            serde_json::from_str(&text).unwrap_or(Value::String(text)),
        )
    }

    /// Posts raw bytes, so that the test owns every space of them.
    pub(crate) async fn post_raw(&self, path: &str, body: String) -> (StatusCode, Value) {
        let answer = self
            .http
            .post(format!("{}/whisperer{path}", self.base))
            .header("authorization", format!("Token {ADMIN}"))
            .header("content-type", "application/json")
            .body(body)
            .send()
            .await
            .expect("the server answers");
        let status = answer.status();
        let text = answer.text().await.expect("the answer is text");
        (
            status,
            serde_json::from_str(&text).unwrap_or(Value::String(text)),
        )
    }

    /// Creates a hook and answers its number.
    pub(crate) async fn hook(&self, body: Value) -> u64 {
        let (status, answer) = self.call(Method::POST, "/hooks/", Some(&body)).await;
        assert_eq!(status, 201, "{answer:#}");
        answer["id"].as_u64().expect("a hook has a number")
    }

    /// How a hook and its lane stand.
    pub(crate) async fn state(&self, hook: u64) -> Value {
        let path = format!("/hooks/{hook}/");
        let (status, mut shown) = self.call(Method::GET, &path, None).await;
        assert_eq!(status, 200, "{shown:#}");
        shown["state"].take()
    }

    /// Changes some of a hook's fields.
    pub(crate) async fn patch(&self, hook: u64, fields: &Value) {
        let path = format!("/hooks/{hook}/");
        let (status, answer) = self.call(Method::PATCH, &path, Some(fields)).await;
        assert_eq!(status, 200, "{answer:#}");
    }

    /// Posts an event and answers how many deliveries it made.
    pub(crate) async fn event(&self, event_type: &str, payload: Value) -> u64 {
        let body = serde_json::json!({"type": event_type, "payload": payload});
        let (status, answer) = self.call(Method::POST, "/events/", Some(&body)).await;
        assert_eq!(status, 202, "{answer:#}");
        answer["deliveries"]
            .as_u64()
            .expect("the answer counts deliveries")
    }

    /// The hook's deliveries, newest first, each with its attempts.
    pub(crate) async fn deliveries(&self, hook: u64) -> Vec<Value> {
        let mut found = Vec::new();
        let mut page = Some(format!("/whisperer/hook_events/?webhook={hook}&limit=1000"));
        while let Some(path) = page {
            let request = self.http.get(format!("{}{path}", self.base));
            let request = request.header("authorization", format!("Token {ADMIN}"));
            let answer = request.send().await.expect("the server answers");
            assert_eq!(answer.status(), 200, "{path}");
            page = next_page(answer.headers());
            let list = answer.text().await.expect("the answer is text");
            let list: Vec<Value> = serde_json::from_str(&list).expect("a list is an array");
            for entry in list {
                let path = format!("/hook_events/{}/", entry["id"]);
                found.push(self.call(Method::GET, &path, None).await.1);
            }
        }
        found
    }

    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([&format!("-{name}"), &self.pid().to_string()])
            .status()
            .expect("kill runs");
        assert!(status.success());
    }

    /// SIGKILL, and gone.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("a child can be waited for");
    }

    /// Waits for the process to end by itself.
    pub(crate) async fn ended(&mut self, within: Duration) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child can be asked") {
                return status;
            }
            assert!(
                start.elapsed() < within,
                "still running after {within:?}:\n{}",
                self.log()
            );
            // Not of the thread: the receiver that is waited for runs on it too.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- the server's log:\n{}", self.log());
        }
    }
}

/// Where the rest of a list is, by its `Link`.
fn next_page(headers: &reqwest::header::HeaderMap) -> Option<String> {
    let link = headers.get("link")?.to_str().expect("a link is text");
    let (path, _) = link.strip_prefix('<')?.split_once(">; rel=\"next\"")?;
    Some(path.to_owned())
}

fn collect(mut from: impl Read + Send + 'static) -> Arc<Mutex<String>> {
    let text = Arc::new(Mutex::new(String::new()));
    let into = Arc::clone(&text);
    std::thread::spawn(move || {
        let mut chunk = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut chunk) {
            into.lock()
                .unwrap()
                .push_str(&String::from_utf8_lossy(&chunk[..count]));
        }
    });
    text
}

//! W-10: names and links that lead out of the plugin folder. Nothing is written, replaced or
//! removed there, whether the way leads through the API or through the folder.

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::Method;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::eventually;
use crate::support::guests::variant;
use crate::support::server::{ADMIN, Server, Setup};
use crate::wat::wat;

const PATIENCE: Duration = Duration::from_secs(60);

async fn started() -> (TempDir, Server) {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::in_folder(&folder.path().join("a/b/data"));
    setup.plugins();
    (folder, Server::start(&setup).ready().await)
}

/// All files and folders but those of the compiled code, which comes and goes.
fn tree(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.is_symlink() && !path.ends_with("compiled") {
                waiting.push(path.clone());
            }
            found.insert(path);
        }
    }
    found
}

/// Sent as it is: HTTP clients tidy up the dots of a path.
async fn raw(server: &Server, method: &str, path: &str, kind: &str, body: &[u8]) -> u16 {
    let address = server.base.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Token {ADMIN}\r\n\
         content-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // Who refuses by the path alone need not read the body.
    let _ = stream.write_all(body).await;
    let mut line = [0; 12];
    stream.read_exact(&mut line).await.unwrap();
    let line = std::str::from_utf8(&line).unwrap();
    let status = line.strip_prefix("HTTP/1.1 ").expect("an answer");
    status.parse().unwrap()
}

#[tokio::test]
async fn no_name_leads_out_of_the_folder() {
    let (folder, server) = started().await;
    let component = wat("good");
    let before = tree(folder.path());
    for name in [
        "..%2Fx",
        "..%2fx",
        "..%2F..%2Fx",
        "%2e%2e%2Fx",
        "%2E%2E%2Fx.wasm",
        "../x",
        "../../x",
        "..",
        "%2e%2e",
        ".",
        ".x",
        "x%2F..%2F..%2Fx",
        "x/../../x",
        "%2Ftmp%2Fx",
        "..%5Cx",
        "x%00",
        "x%00.wasm",
        "..%252Fx",
        "..%c0%afx",
        "%ff",
        "x.wasm",
        "x%0A",
        "X",
    ] {
        for (method, kind) in [
            ("PUT", "application/wasm"),
            ("PUT", "application/toml"),
            ("DELETE", "application/wasm"),
        ] {
            let body = if kind == "application/toml" {
                b"enabled = true".as_slice()
            } else {
                &component
            };
            let path = format!("/whisperer/plugins/{name}/");
            let status = raw(&server, method, &path, kind, body).await;
            assert!(
                [400, 404, 405].contains(&status),
                "{method} {name}: {status}"
            );
        }
    }
    assert_eq!(tree(folder.path()), before);
    // The way that is open.
    let path = "/whisperer/plugins/x/";
    assert_eq!(
        raw(&server, "PUT", path, "application/wasm", &component).await,
        201
    );
}

/// A link is followed for reading: whoever may write into the folder may run code in any case.
/// What is written or removed is the link, never what it leads to.
#[tokio::test]
async fn what_a_link_leads_to_is_read_and_never_written() {
    let (folder, server) = started().await;
    let (first, second) = (wat("good"), variant(&wat("good"), 1));
    let outside = folder.path().join("x.wasm");
    let notes = folder.path().join("notes.txt");
    std::fs::write(&outside, &first).unwrap();
    std::fs::write(&notes, "mine").unwrap();
    symlink("../../../../x.wasm", server.plugins.join("x.wasm")).unwrap();
    // Where a file is written aside before it takes its place.
    symlink(&notes, server.plugins.join(".x.wasm.put")).unwrap();
    symlink(&notes, server.plugins.join(".x.toml.put")).unwrap();
    let digest = eventually("it is live", PATIENCE, async || {
        let (_, status) = server.call(Method::GET, "/plugins/x/", None).await;
        (status["generation"] == 1).then(|| status["digest"].clone())
    })
    .await;

    let path = "/whisperer/plugins/x/";
    let (wasm, toml) = ("application/wasm", "application/toml");
    assert_eq!(raw(&server, "PUT", path, wasm, &second).await, 200);
    assert_eq!(
        raw(&server, "PUT", path, toml, b"enabled = true").await,
        200
    );
    assert!(std::fs::read(&outside).unwrap() == first, "written through");
    assert!(std::fs::read(server.plugins.join("x.wasm")).unwrap() == second);

    std::fs::remove_file(server.plugins.join("x.wasm")).unwrap();
    symlink(&outside, server.plugins.join("x.wasm")).unwrap();
    eventually("the link is live", PATIENCE, async || {
        let (_, status) = server.call(Method::GET, "/plugins/x/", None).await;
        (status["digest"] == digest).then_some(())
    })
    .await;
    assert_eq!(raw(&server, "DELETE", path, wasm, b"").await, 204);
    assert!(std::fs::read(&outside).unwrap() == first, "removed through");
    assert_eq!(std::fs::read(&notes).unwrap(), b"mine");
    assert_eq!(std::fs::read_dir(&server.plugins).unwrap().count(), 0);
}

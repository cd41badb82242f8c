//! Starting: what is refused, and how it says so.

use std::process::Command;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use crate::support::server::{Server, Setup};

/// Starts with `args`, expects a refusal within a second, and answers what was said.
fn refusal(setup: &Setup) -> String {
    let start = Instant::now();
    let output = setup.command().output().expect("the binary runs");
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "took {:?}",
        start.elapsed()
    );
    assert_ne!(output.status.code(), Some(0));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn an_unknown_key_of_the_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("whisperer.toml");
    std::fs::write(&file, "listn = \"127.0.0.1:0\"\n").unwrap();
    let mut setup = Setup::in_folder(folder.path());
    setup.args = vec!["--config".to_owned(), file.to_str().unwrap().to_owned()];
    let said = refusal(&setup);
    assert!(said.contains("listn"), "{said}");
}

/// The README's table is the one that the binary prints: every setting is documented.
#[test]
fn every_setting_stands_in_the_readme() {
    let output = Command::new(env!("CARGO_BIN_EXE_whisperer"))
        .arg("config")
        .output()
        .unwrap();
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.lines().count() > 10, "{table}");
    let readme = include_str!("../../README.md");
    for row in table.lines() {
        assert!(readme.contains(row), "the README lacks: {row}");
    }
}

#[test]
fn a_folder_that_cannot_be_one_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("occupied");
    std::fs::write(&file, "a file").unwrap();
    let said = refusal(&Setup::in_folder(&file));
    assert!(said.contains("occupied"), "{said}");
}

#[tokio::test]
async fn a_second_server_on_the_same_data_is_refused_and_harms_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::in_folder(folder.path());
    let server = Server::start(&setup).ready().await;
    let output = setup.command().output().unwrap();
    assert_ne!(output.status.code(), Some(0));
    assert_eq!(server.event("package.created", json!({})).await, 0);
}

#[test]
fn the_first_start_shows_an_admin_token_once() {
    use std::io::{BufRead, BufReader};
    let folder = tempfile::tempdir().unwrap();
    let mut told = Vec::new();
    for _ in 0..2 {
        let mut command = Setup::in_folder(folder.path()).command();
        let mut child = command.env_remove("WHISPERER_ADMIN_TOKEN").spawn().unwrap();
        let mut text = String::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            text.push_str(&line);
            if line.contains("http://") {
                break;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        told.push(text.contains("whs_"));
    }
    assert_eq!(told, [true, false]);
}

#[tokio::test]
async fn a_stranger_is_told_to_show_a_token() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&Setup::in_folder(folder.path()))
        .ready()
        .await;
    for path in ["/hooks/", "/hook_events/", "/event-types/", "/plugins/"] {
        let url = format!("{}/whisperer{path}", server.base);
        for token in [None, Some("Token whs_wrong"), Some("Basic eDp5")] {
            let mut request = server.http().get(&url);
            if let Some(token) = token {
                request = request.header("authorization", token);
            }
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), 401, "{path} {token:?}");
            assert!(answer.headers().contains_key("www-authenticate"));
        }
    }
}

/// What a server answers must never depend on which of them shouts: bad bodies get a 400 that
/// names the place, and the server lives on.
#[tokio::test]
async fn bad_bodies_get_a_problem_and_store_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&Setup::in_folder(folder.path()))
        .ready()
        .await;
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    let bodies = [
        String::new(),
        "nonsense".to_owned(),
        "[]".to_owned(),
        "{\"type\": \"package.created\"}".to_owned(),
        "{\"type\": 7, \"payload\": 1}".to_owned(),
        "{\"type\": \"package.creatd\", \"payload\": 1}".to_owned(),
        "{\"type\": \"package.created\", \"payload\": 1, \"extra\": 1}".to_owned(),
        format!("{{\"type\": \"package.created\", \"payload\": {deep}}}"),
        "{\"type\": \"package.created\", \"payload\": 1e400}".to_owned(),
        "{\"type\": \"package.created\", \"payload\": \"\\ud800\"}".to_owned(),
        "{\"type\": \"package.created\", \"payload\": 1, \"id\": \"\"}".to_owned(),
        "{\"type\": \"package.created\", \"payload\": 1, \"occurred_at\": \"soon\"}".to_owned(),
    ];
    for body in bodies {
        let (status, answer) = server.post_raw("/events/", body.clone()).await;
        assert_eq!(status, 400, "{body}: {answer:#}");
        assert!(answer["title"].is_string(), "{body}: {answer:#}");
    }
    let huge = format!(
        "{{\"type\": \"package.created\", \"payload\": \"{}\"}}",
        "x".repeat(2 << 20)
    );
    let (status, _) = server.post_raw("/events/", huge).await;
    assert_eq!(status, 413);
    let (_, list) = server.call(Method::GET, "/hook_events/", None).await;
    assert_eq!(list, json!([]));
}

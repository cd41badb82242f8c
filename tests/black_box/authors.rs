//! The commands for authors, on the real binary: what they make, what they say.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::guests::{SHIPPED, guest, guest_file};

/// What a shipped plugin may weigh.
const BYTES_MAX: u64 = 300_000;

fn whisperer(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_whisperer"))
        .arg("plugin")
        .args(arguments)
        .current_dir(folder)
        // As for an author: nothing of this test's own cargo.
        .env_remove("CARGO_TARGET_DIR")
        .env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"))
        .output()
        .unwrap()
}

fn told(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

fn works(folder: &Path, arguments: &[&str]) -> String {
    let output = whisperer(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", told(&output));
    told(&output)
}

fn fails(folder: &Path, arguments: &[&str]) -> String {
    let output = whisperer(folder, arguments);
    assert!(!output.status.success(), "{arguments:?}: {}", told(&output));
    told(&output)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn shipped_plugins_are_small_and_their_golden_cases_hold() {
    for name in SHIPPED {
        let file = guest_file(name);
        let bytes = std::fs::metadata(&file).unwrap().len();
        assert!(bytes < BYTES_MAX, "{name} has {bytes} bytes");
        let component = file.to_str().unwrap();
        let source = root().join("plugins").join(name);
        let cases = std::fs::read_dir(source.join("cases")).unwrap().count();
        let said = works(&source, &["test", "--component", component]);
        assert!(said.contains(&format!("{cases} cases, 0 failed")), "{said}");
        let said = works(&source, &["check", component]);
        assert!(!said.contains("its example"), "{name}: {said}");
        assert!(!said.contains("no schema"), "{name}: {said}");
    }
}

#[test]
fn a_golden_case_that_does_not_hold_is_shown_and_fails() {
    let folder = tempfile::tempdir().unwrap();
    let cases = folder.path().join("cases");
    std::fs::create_dir(&cases).unwrap();
    let case = r#"{"event": {"type": "a", "payload": {"a": 1}}, "config": {"paths": ["a"]},
        "expect": {"outcome": "unchanged"}}"#;
    std::fs::write(cases.join("wrong.json"), case).unwrap();
    let redact = guest_file("redact");
    let arguments = ["test", "--component", redact.to_str().unwrap()];
    let said = fails(folder.path(), &arguments);
    assert!(
        said.contains("FAIL  wrong") && said.contains("\"a\": \"***\""),
        "{said}"
    );
    works(folder.path(), &[&arguments[..], &["--update"]].concat());
    works(folder.path(), &arguments);
}

#[test]
fn a_new_project_in_rust_builds_and_its_cases_hold() {
    let folder = tempfile::tempdir().unwrap();
    let said = works(folder.path(), &["new", "hello-world", "--lang", "rust"]);
    assert!(said.contains("whisperer plugin build"), "{said}");
    let project = folder.path().join("hello-world");
    let said = works(&project, &["build"]);
    assert!(said.contains("dist/hello-world.wasm"), "{said}");
    let said = works(&project, &["test"]);
    assert!(said.contains("2 cases, 0 failed"), "{said}");
    let run = [
        "run",
        "dist/hello-world.wasm",
        "--event",
        "cases/greets.json",
    ];
    let said = works(&project, &run);
    for word in ["Good morning", "peak memory", "instructions", "median of"] {
        assert!(said.contains(word), "{word}: {said}");
    }
}

#[test]
fn every_template_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    for language in ["rust", "javascript", "python"] {
        works(folder.path(), &["new", language, "--lang", language]);
        let project = folder.path().join(language);
        let readme = std::fs::read_to_string(project.join("README.md")).unwrap();
        assert!(!readme.contains("{{"), "{readme}");
        let wit = std::fs::read_to_string(project.join("wit/whisperer.wit")).unwrap();
        let ours = std::fs::read_to_string(root().join("wit/whisperer.wit")).unwrap();
        assert_eq!(wit, ours);
    }
    // All of the SDK's source goes along: a file that is forgotten would only show at a build.
    let vendored = folder.path().join("rust/vendor/whisperer-sdk/src");
    let ours = root().join("plugins/sdk/src");
    assert_eq!(files(&vendored, &vendored), files(&ours, &ours));
}

/// All that is in a folder and below it, by its path from `top`.
fn files(folder: &Path, top: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, top));
        } else {
            found.insert(path.strip_prefix(top).unwrap().to_owned());
        }
    }
    found
}

#[test]
fn what_cannot_be_done_is_said_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    std::fs::write(here.join("core.wasm"), b"\0asm\x01\0\0\0").unwrap();
    std::fs::write(here.join("half.wasm"), &guest("stamp")[..1000]).unwrap();
    std::fs::write(here.join("event.json"), r#"{"type": "a"}"#).unwrap();
    std::fs::create_dir(here.join("full")).unwrap();
    std::fs::write(here.join("full/x"), "").unwrap();
    std::fs::write(here.join("empty.wasm"), b"").unwrap();
    std::fs::copy(root().join("wit/whisperer.wit"), here.join("wit.wasm")).unwrap();
    let cases: [(&[&str], &str); 10] = [
        (&["check", "empty.wasm"], "whisperer plugin build"),
        (&["check", "wit.wasm"], "built against"),
        (&["check", "core.wasm"], "wasm32-wasip2"),
        (&["check", "half.wasm"], "cut off"),
        (&["check", "none.wasm"], "none.wasm"),
        (&["new", "Bad_Name", "--lang", "rust"], "a-z"),
        (&["new", "full", "--lang", "python"], "--path"),
        (&["new", "9lives", "--lang", "rust"], "letter"),
        (&["build"], "whisperer plugin new"),
        (&["run", "core.wasm", "--event", "event.json"], "payload"),
    ];
    for (arguments, word) in cases {
        let said = fails(here, arguments);
        assert!(said.contains(word), "{arguments:?}: {said}");
        assert!(!said.contains("panicked"), "{said}");
    }
}

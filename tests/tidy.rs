//! The house rules that a compiler cannot keep: which crate may know which, how files open, what
//! they may be called, and that the documents name every setting.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The floors: a crate, and the crates of ours that it may depend on. Exactly these edges.
const FLOORS: [(&str, &[&str]); 6] = [
    ("domain", &[]),
    ("store", &["domain"]),
    ("sandbox", &["domain"]),
    ("egress", &["domain"]),
    ("delivery", &["domain"]),
    (
        "server",
        &["domain", "store", "sandbox", "egress", "delivery"],
    ),
];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 7] = [
    "util", "utils", "common", "helpers", "misc", "prelude", "manager",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .expect("the workspace is there")
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the project can be read") {
        let path = entry.expect("an entry can be read").path();
        if path.is_dir() {
            if path
                .file_name()
                .is_some_and(|name| name != "target" && name != "dist")
            {
                rust_files(&path, found);
            }
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

fn project_files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in ["host", "plugins", "tests"] {
        rust_files(&root().join(folder), &mut found);
    }
    assert!(
        found.len() > 50,
        "the search found only {} files",
        found.len()
    );
    found
}

/// The crates of the section that begin with `whisperer-`, by their short names.
fn own_dependencies(manifest: &toml::Table, section: &str) -> BTreeSet<String> {
    manifest
        .get(section)
        .and_then(toml::Value::as_table)
        .into_iter()
        .flat_map(|table| table.keys())
        .filter_map(|name| name.strip_prefix("whisperer-"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn crate_edges_are_the_floors() {
    let mut folders: BTreeSet<String> = BTreeSet::new();
    for entry in fs::read_dir(root().join("host")).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_dir() {
            folders.insert(entry.file_name().into_string().unwrap());
        }
    }
    let expected: BTreeMap<String, BTreeSet<String>> = FLOORS
        .iter()
        .map(|(name, below)| {
            (
                (*name).to_owned(),
                below.iter().map(|name| (*name).to_owned()).collect(),
            )
        })
        .collect();
    assert_eq!(
        folders,
        expected.keys().cloned().collect(),
        "the crates under host/"
    );
    for (name, below) in &expected {
        let text = fs::read_to_string(root().join("host").join(name).join("Cargo.toml")).unwrap();
        let manifest: toml::Table = text.parse().unwrap();
        assert_eq!(
            &own_dependencies(&manifest, "dependencies"),
            below,
            "edges of {name}"
        );
        let dev = own_dependencies(&manifest, "dev-dependencies");
        assert!(dev.is_subset(below), "{name} may not test against {dev:?}");
    }
}

#[test]
fn guests_know_only_the_contract() {
    for folder in ["plugins", "tests/guests"] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let manifest = entry.unwrap().path().join("Cargo.toml");
            let Ok(text) = fs::read_to_string(&manifest) else {
                continue;
            };
            let manifest_table: toml::Table = text.parse().unwrap();
            let mut own = own_dependencies(&manifest_table, "dependencies");
            own.remove("sdk");
            assert!(own.is_empty(), "{} knows {own:?}", manifest.display());
        }
    }
}

/// It could otherwise measure what no other client sees, and no other server.
#[test]
fn the_load_tool_knows_the_server_by_http_only() {
    let text = fs::read_to_string(root().join("tests/bench/Cargo.toml")).unwrap();
    let manifest: toml::Table = text.parse().unwrap();
    for section in ["dependencies", "dev-dependencies"] {
        let own = own_dependencies(&manifest, section);
        assert!(own.is_empty(), "the load tool knows {own:?}");
    }
    assert!(
        manifest["dependencies"].get("reqwest").is_some(),
        "its dependencies are where they are looked for"
    );
}

#[test]
fn heavy_dependencies_live_on_one_floor() {
    let at_home = [
        ("redb", "store"),
        ("wasmtime", "sandbox"),
        ("wasmtime-wasi", "sandbox"),
        ("notify", "sandbox"),
        ("reqwest", "egress"),
        ("axum", "server"),
        ("clap", "server"),
        ("figment", "server"),
    ];
    for (name, _) in FLOORS {
        let text = fs::read_to_string(root().join("host").join(name).join("Cargo.toml")).unwrap();
        let manifest: toml::Table = text.parse().unwrap();
        let dependencies = manifest["dependencies"].as_table().unwrap();
        for (heavy, home) in at_home {
            assert!(
                name == home || !dependencies.contains_key(heavy),
                "{heavy} belongs to {home}, not to {name}"
            );
        }
    }
}

#[test]
fn every_file_opens_by_saying_what_it_is() {
    let mute: Vec<_> = project_files()
        .into_iter()
        .filter(|path| !fs::read_to_string(path).unwrap().starts_with("//!"))
        .collect();
    assert!(mute.is_empty(), "no //! at the top of {mute:#?}");
}

#[test]
fn no_file_has_an_empty_name() {
    let empty: Vec<_> = project_files()
        .into_iter()
        .filter(|path| {
            let stem = path.file_stem().unwrap().to_str().unwrap();
            EMPTY_NAMES.contains(&stem) || stem == "mod"
        })
        .collect();
    assert!(empty.is_empty(), "names that say nothing: {empty:#?}");
}

/// A metric that nobody can look up is noise. Settings are held to the same in
/// `black_box/setup.rs`, metrics as they are served in `black_box/operator.rs`.
#[test]
fn every_metric_stands_in_the_readme() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let of_plugins = whisperer_sandbox::metrics::ALL.into_iter();
    let of_plugins = of_plugins.map(|(name, _)| name);
    for name in of_plugins.chain(whisperer_server::metrics::names()) {
        assert!(
            readme.contains(&format!("| `{name}` |")),
            "the README lacks {name}"
        );
    }
}

/// A split must follow the sense, never the number: this only prints.
#[test]
fn long_files_are_listed() {
    for path in project_files() {
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        if lines > 400 {
            println!(
                "{lines} lines: {}",
                path.strip_prefix(root()).unwrap().display()
            );
        }
    }
}

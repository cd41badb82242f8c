//! The promise to plugins that are already built: what `wit/` has published stays as it was, and
//! what is new comes only where old plugins do not notice.
//!
//! `tests/contract/plugin-VERSION.wit` are the published texts. A change of the contract fails
//! here until somebody writes it there too, and so does it on purpose: see `wit/README.md`.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on says so by ending"
)]

#[path = "contract/comparison.rs"]
mod comparison;
#[path = "contract/package.rs"]
mod package;
#[path = "contract/rules.rs"]
mod rules;

use std::fs;
use std::path::{Path, PathBuf};

use comparison::broken;
use package::Package;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn contract() -> Package {
    let text = fs::read_to_string(root().join("wit/whisperer.wit")).unwrap();
    Package::parse(&text)
}

#[test]
fn what_was_published_stays() {
    let now = contract();
    let mut compared = 0;
    for entry in fs::read_dir(root().join("tests/contract")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|end| end != "wit") {
            continue;
        }
        let published = Package::parse(&fs::read_to_string(&path).unwrap());
        let named = format!("plugin-{}.wit", published.version);
        assert_eq!(path.file_name().unwrap().to_str().unwrap(), named);
        let broken = broken(&published, &now);
        assert!(
            broken.is_empty(),
            "wit/whisperer.wit breaks plugins made for {}:\n{}",
            published.version,
            broken.join("\n")
        );
        compared += 1;
    }
    assert!(compared > 0, "nothing is published");
}

/// Else a thing could be added, and changed again before anybody has promised it.
#[test]
fn what_is_there_is_published() {
    let now = contract();
    let path = format!("tests/contract/plugin-{}.wit", now.version);
    let text = fs::read_to_string(root().join(&path))
        .unwrap_or_else(|why| panic!("{path}, the text of this version: {why}"));
    let published = Package::parse(&text);
    assert_eq!(now.items, published.items, "wit/whisperer.wit and {path}");
}

#[test]
fn every_item_says_what_it_is() {
    let mute = contract().mute;
    assert!(mute.is_empty(), "no doc comment on {mute:#?}");
}

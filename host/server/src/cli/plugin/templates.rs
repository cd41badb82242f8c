//! The files of a new project, built into the binary: whoever has the binary needs nothing else
//! of this project. For Rust that includes the SDK's own source.

use super::project::Language;

/// What a file is called in the project, and what is in it.
pub(super) type File = (&'static str, &'static str);

const WIT: File = (
    "wit/whisperer.wit",
    include_str!("../../../../../wit/whisperer.wit"),
);

macro_rules! template {
    ($file:literal) => {
        include_str!(concat!("../../../templates/", $file))
    };
}

macro_rules! sdk {
    ($file:literal) => {
        (
            concat!("vendor/whisperer-sdk/", $file),
            include_str!(concat!("../../../../../plugins/sdk/", $file)),
        )
    };
}

const README: &str = template!("readme.md");

const RUST: [File; 19] = [
    ("Cargo.toml", template!("rust/Cargo.toml")),
    ("src/lib.rs", template!("rust/src/lib.rs")),
    ("cases/greets.json", template!("rust/cases/greets.json")),
    (
        "cases/keeps-internal-events.json",
        template!("rust/cases/keeps-internal-events.json"),
    ),
    ("README.md", README),
    (".gitignore", template!("rust/gitignore")),
    WIT,
    (
        "vendor/whisperer-sdk/Cargo.toml",
        template!("rust/sdk.toml"),
    ),
    sdk!("src/json.rs"),
    sdk!("src/json/rewrite.rs"),
    sdk!("src/json/scan.rs"),
    sdk!("src/json/token.rs"),
    sdk!("src/lib.rs"),
    sdk!("src/log.rs"),
    sdk!("src/moment.rs"),
    sdk!("src/path.rs"),
    sdk!("src/plugin.rs"),
    sdk!("src/template.rs"),
    sdk!("src/wire.rs"),
];

const JAVASCRIPT: [File; 13] = [
    ("package.json", template!("javascript/package.json")),
    ("src/plugin.js", template!("javascript/src/plugin.js")),
    (
        "whisperer/plugin.js",
        template!("javascript/whisperer/plugin.js"),
    ),
    (
        "whisperer/component.js",
        template!("javascript/whisperer/component.js"),
    ),
    (
        "whisperer/globals.js",
        template!("javascript/whisperer/globals.js"),
    ),
    ("whisperer/log.js", template!("javascript/whisperer/log.js")),
    (
        "whisperer/text.js",
        template!("javascript/whisperer/text.js"),
    ),
    (
        "whisperer/build.mjs",
        template!("javascript/whisperer/build.mjs"),
    ),
    (
        "cases/greets.json",
        template!("javascript/cases/greets.json"),
    ),
    (
        "cases/keeps-internal-events.json",
        template!("javascript/cases/keeps-internal-events.json"),
    ),
    ("README.md", README),
    (".gitignore", template!("javascript/gitignore")),
    WIT,
];

const PYTHON: [File; 9] = [
    ("pyproject.toml", template!("python/pyproject.toml")),
    ("plugin.py", template!("python/plugin.py")),
    ("whisperer.py", template!("python/whisperer.py")),
    ("component.py", template!("python/component.py")),
    ("cases/greets.json", template!("python/cases/greets.json")),
    (
        "cases/keeps-internal-events.json",
        template!("python/cases/keeps-internal-events.json"),
    ),
    ("README.md", README),
    (".gitignore", template!("python/gitignore")),
    WIT,
];

pub(super) fn files(language: Language) -> &'static [File] {
    match language {
        Language::Rust => &RUST,
        Language::Javascript => &JAVASCRIPT,
        Language::Python => &PYTHON,
    }
}

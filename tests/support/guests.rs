//! Components to deliver through, built from their sources by a cargo of their own in a target
//! folder of their own, so that it never waits for the cargo that runs the tests.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The plugins that this project ships.
pub(crate) const SHIPPED: [&str; 6] = [
    "cloudevents",
    "filter",
    "headers",
    "jsonmap",
    "redact",
    "slack",
];
/// And those that only tests have.
const OWN: [&str; 4] = ["hostile", "leaky", "stamp", "unchanged"];

/// Where a guest of `tests/guests` or `plugins` lies once it is built.
pub(crate) fn guest_file(name: &str) -> PathBuf {
    built().join(format!("{name}.wasm"))
}

/// Its bytes.
pub(crate) fn guest(name: &str) -> Vec<u8> {
    let file = guest_file(name);
    std::fs::read(&file).unwrap_or_else(|why| panic!("{}: {why}", file.display()))
}

/// The same component with another digest: a custom section more, which changes nothing it does.
pub(crate) fn variant(component: &[u8], number: u8) -> Vec<u8> {
    let mut bytes = component.to_vec();
    // Section id 0, size, then the section's name with its length, then one byte of content.
    bytes.extend_from_slice(&[0, 6, 4, b't', b'e', b's', b't', number]);
    bytes
}

/// Puts a file into the folder at once, as a careful operator does: written aside, renamed in.
pub(crate) fn drop_in(folder: &Path, name: &str, bytes: &[u8]) {
    let aside = folder.join(format!(".{name}.part"));
    std::fs::write(&aside, bytes).expect("the plugin folder can be written");
    std::fs::rename(&aside, folder.join(name)).expect("a rename within a folder");
}

fn built() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("guests");
        let output = Command::new(env!("CARGO"))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .args([
                "build",
                "--locked",
                "--profile",
                "guest",
                "--target",
                "wasm32-wasip2",
            ])
            .args(SHIPPED.iter().chain(&OWN).flat_map(|name| ["-p", name]))
            .arg("--target-dir")
            .arg(&target)
            .output()
            .expect("cargo runs");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        target.join("wasm32-wasip2/guest")
    })
}

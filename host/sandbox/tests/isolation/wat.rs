//! Guests that no compiler would make, from their text in `tests/guests/wat` or from text that a
//! test generates.

use std::path::Path;

/// The component of a file of that folder.
pub(crate) fn wat(name: &str) -> Vec<u8> {
    component(&text(name))
}

/// A component of the contract with this guest in it.
pub(crate) fn component(guest: &str) -> Vec<u8> {
    wat::parse_str(whole(guest)).unwrap_or_else(|why| {
        let begin: String = guest.chars().take(400).collect();
        panic!("{begin}: {why}")
    })
}

/// The same as text.
pub(crate) fn whole(guest: &str) -> String {
    let lift = if guest.contains("canon lift") {
        ""
    } else {
        r#"(func $transform (type $call) (canon lift (core func $guest "transform")
             (memory (core memory $heap "memory")) (realloc (core func $heap "realloc"))))"#
    };
    text("contract")
        .replace("(; the guest ;)", guest)
        .replace("(; the lift ;)", lift)
}

/// A file of that folder.
pub(crate) fn text(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/guests/wat");
    let file = folder.join(format!("{name}.wat"));
    std::fs::read_to_string(&file).unwrap_or_else(|why| panic!("{}: {why}", file.display()))
}

//! What can be seen of a file before anything of it runs, said in words that help.

pub(crate) mod effort;

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::limits::{Limits, MEMORIES_MAX, TABLE_ELEMENTS_MAX, TABLES_MAX};
use crate::linker::is_granted;

const WASM_PAGE_BYTES: u64 = 64 << 10;
const TRANSFORM: &str = "whisperer:plugin/transform@";
const DESCRIBE: &str = "whisperer:plugin/describe@";
/// The major version that this host speaks.
const VERSION_PREFIX: &str = "1.";

/// # Errors
/// What the file is instead of a component.
pub(crate) fn check_preamble(bytes: &[u8]) -> Result<(), String> {
    let is = |what: &str| Err(format!("the file is {what}"));
    match bytes {
        [] => is("empty"),
        [0, b'a', b's', b'm', 0x0d, 0, 1, 0, ..] => Ok(()),
        [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => {
            is("a core WebAssembly module, not a component: build it with \
             `cargo build --target wasm32-wasip2`, or wrap it with `wasm-tools component new`")
        }
        [0, b'a', b's', b'm', ..] if bytes.len() < 8 => is("cut off after its first bytes"),
        [0, b'a', b's', b'm', ..] => is("WebAssembly of a version that is not known here"),
        [0x7f, b'E', b'L', b'F', ..] => is(
            "a native library or code compiled ahead of time (.cwasm): such code is never run, \
             put the .wasm component here",
        ),
        [b'M', b'Z', ..] => is("a Windows program, not WebAssembly"),
        [0x1f, 0x8b, ..] | [b'P', b'K', 3, 4, ..] => is("compressed: unpack it first"),
        _ if bytes.trim_ascii_start().starts_with(b"(") => {
            is("WebAssembly in its text form: translate it with `wasm-tools parse`")
        }
        _ if std::str::from_utf8(bytes).is_ok() => is("text, not WebAssembly"),
        _ => is("not WebAssembly"),
    }
}

/// What a component's type tells.
pub(crate) struct Shape {
    pub(crate) imports: Vec<String>,
    pub(crate) describes: bool,
}

/// # Errors
/// The first thing that a plugin may not have, or must.
pub(crate) fn shape(
    engine: &Engine,
    component: &Component,
    limits: &Limits,
) -> Result<Shape, String> {
    let kind = component.component_type();
    let imports: Vec<String> = kind
        .imports(engine)
        .map(|(name, _)| name.to_owned())
        .collect();
    if let Some(refused) = imports.iter().find(|name| !is_granted(name)) {
        return Err(format!(
            "it imports {refused}, which plugins are not granted: they get WASI 0.2 without \
             anything behind it, and whisperer:plugin/log"
        ));
    }
    let exports: Vec<&str> = kind.exports(engine).map(|(name, _)| name).collect();
    check_exports(&exports)?;
    check_resources(component, limits)?;
    let describes = exports.iter().any(|name| speaks(name, DESCRIBE));
    Ok(Shape { imports, describes })
}

fn speaks(export: &str, interface: &str) -> bool {
    export
        .strip_prefix(interface)
        .is_some_and(|version| version.starts_with(VERSION_PREFIX))
}

fn check_exports(exports: &[&str]) -> Result<(), String> {
    if exports.iter().any(|name| speaks(name, TRANSFORM)) {
        return Ok(());
    }
    if let Some(other) = exports.iter().find(|name| name.starts_with(TRANSFORM)) {
        return Err(format!(
            "it exports {other}, and this server speaks version {VERSION_PREFIX}x: build it \
             against wit/whisperer.wit of this server"
        ));
    }
    let has = if exports.is_empty() {
        "nothing".to_owned()
    } else {
        exports.join(", ")
    };
    Err(format!(
        "it exports {has}, and a plugin exports {TRANSFORM}1.0.0"
    ))
}

fn check_resources(component: &Component, limits: &Limits) -> Result<(), String> {
    let Some(needs) = component.resources_required() else {
        return Err("it imports core modules, whose needs cannot be known".to_owned());
    };
    let memory = needs
        .max_initial_memory_size
        .unwrap_or(0)
        .saturating_mul(WASM_PAGE_BYTES);
    let memory_max = limits.memory_bytes_max as u64;
    let elements = needs.max_initial_table_size.unwrap_or(0);
    let wants = |what: &str, wanted: u64, granted: u64| {
        Err(format!(
            "it needs {wanted} {what}, and gets {granted} at most"
        ))
    };
    if memory > memory_max {
        wants("bytes of memory to start with", memory, memory_max)
    } else if needs.num_memories > MEMORIES_MAX {
        wants("memories", needs.num_memories.into(), MEMORIES_MAX.into())
    } else if needs.num_tables > TABLES_MAX {
        wants("tables", needs.num_tables.into(), TABLES_MAX.into())
    } else if elements > TABLE_ELEMENTS_MAX as u64 {
        wants("table elements", elements, TABLE_ELEMENTS_MAX as u64)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{check_exports, check_preamble};

    #[test]
    fn what_is_no_component_is_called_by_its_name() {
        let cases: [(&[u8], &str); 9] = [
            (b"", "empty"),
            (b"\0asm\x01\0\0\0rest", "wasm32-wasip2"),
            (b"\0asm\x0d", "cut off"),
            (b"\0asm\x09\0\0\0", "version"),
            (b"\x7fELF\x02", ".cwasm"),
            (b"\n (component)", "text form"),
            (b"<html>", "text"),
            (b"PK\x03\x04", "unpack"),
            (b"\xff\xfe\x00", "not WebAssembly"),
        ];
        for (bytes, word) in cases {
            let why = check_preamble(bytes).unwrap_err();
            assert!(why.contains(word), "{bytes:?}: {why}");
        }
        assert_eq!(check_preamble(b"\0asm\x0d\0\x01\0"), Ok(()));
    }

    #[test]
    fn another_version_of_the_contract_is_named() {
        assert_eq!(check_exports(&["whisperer:plugin/transform@1.4.0"]), Ok(()));
        let why = check_exports(&["whisperer:plugin/transform@2.0.0"]).unwrap_err();
        assert!(why.contains("@2.0.0"), "{why}");
        let why = check_exports(&["wasi:cli/run@0.2.3"]).unwrap_err();
        assert!(
            why.contains("wasi:cli/run@0.2.3") && why.contains("transform@1.0.0"),
            "{why}"
        );
    }
}

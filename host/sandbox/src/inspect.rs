//! What can be seen of a file before anything of it runs, said in words that help.

mod contract;
pub(crate) mod effort;
mod seen;
mod signature;

use wasmtime::Engine;
use wasmtime::component::Component;

use self::contract::Contract;
use crate::limits::{Limits, MEMORIES_MAX, TABLE_ELEMENTS_MAX, TABLES_MAX};
use crate::linker::is_granted;

const WASM_PAGE_BYTES: u64 = 64 << 10;

/// # Errors
/// What the file is instead of a component.
pub(crate) fn check_preamble(bytes: &[u8]) -> Result<(), String> {
    let is = |what: &str| Err(format!("the file is {what}"));
    let text = || std::str::from_utf8(bytes).ok();
    match bytes {
        [] => {
            is("empty: put the component here that `whisperer plugin build` makes, dist/NAME.wasm")
        }
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
        _ if text().is_some_and(is_wit) => is(
            "WIT, which is what a plugin is built against and not a plugin: put the component \
             here that `whisperer plugin build` makes, dist/NAME.wasm",
        ),
        _ if text().is_some() => is("text, not WebAssembly: put the component here that \
             `whisperer plugin build` makes, dist/NAME.wasm"),
        _ => is("not WebAssembly"),
    }
}

/// By how its first line begins that is no comment. Packages of WIT have a colon in their names.
fn is_wit(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim_start);
    let first = lines.find(|line| !line.is_empty() && !line.starts_with("//"));
    let first = first.unwrap_or_default();
    let begins = |word: &str| first.starts_with(word);
    begins("package ") && first.contains(':') || begins("interface ") || begins("world ")
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
        return Err(not_granted(refused));
    }
    let contract = Contract::read();
    for (name, item) in kind.imports(engine) {
        contract.check_import(engine, name, &item.ty)?;
    }
    let exports: Vec<&str> = kind.exports(engine).map(|(name, _)| name).collect();
    contract.check_names(&exports)?;
    for (name, item) in kind.exports(engine) {
        contract.check_export(engine, name, &item.ty)?;
    }
    check_resources(component, limits)?;
    let describes = exports.iter().any(|name| Contract::is_describe(name));
    Ok(Shape { imports, describes })
}

/// What to do about an import that is not granted.
fn not_granted(name: &str) -> String {
    let advice = if name.starts_with("wasi:http/") {
        "a plugin sends nothing itself. Leave HTTP out when it is built (componentize-js: \
         `--disable http --disable fetch-event`), and do without `fetch`"
    } else if name.starts_with("wasi:") {
        "plugins get WASI 0.2 without anything behind it: build it for that \
         (`wasm32-wasip2` in Rust), and without what it cannot have"
    } else {
        "plugins get WASI 0.2 without anything behind it, and whisperer:plugin/log"
    };
    format!("it imports {name}, which plugins are not granted: {advice}")
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
    use super::check_preamble;

    #[test]
    fn what_is_no_component_is_called_by_its_name() {
        let cases: [(&[u8], &str); 11] = [
            (b"", "empty"),
            (
                b"// ours\n\npackage a:b@1.0.0;\nworld c {}\n",
                "built against",
            ),
            (b"\0asm\x01\0\0\0rest", "wasm32-wasip2"),
            (b"\0asm\x0d", "cut off"),
            (b"\0asm\x09\0\0\0", "version"),
            (b"\x7fELF\x02", ".cwasm"),
            (b"\n (component)", "text form"),
            (b"<html>", "text, not"),
            (b"package main\n\nfunc main() {}", "text, not"),
            (b"PK\x03\x04", "unpack"),
            (b"\xff\xfe\x00", "not WebAssembly"),
        ];
        for (bytes, word) in cases {
            let why = check_preamble(bytes).unwrap_err();
            assert!(why.contains(word), "{bytes:?}: {why}");
        }
        assert_eq!(check_preamble(b"\0asm\x0d\0\x01\0"), Ok(()));
    }
}

//! Components that are small, and cost a compiler much.

use crate::wat::component;

fn guest(code: &str) -> Vec<u8> {
    component(&format!(
        r#"(core module $code {code}
             (func (export "transform") (param i32) (result i32) (i32.const 16)))
           (core instance $guest (instantiate $code))"#
    ))
}

/// Each loop carries every variable round.
pub(crate) fn loops(functions: usize, locals: usize, depth: usize) -> Vec<u8> {
    let variables = "i32 ".repeat(locals);
    let sets: String = (1..=locals)
        .map(|n| {
            let one_before = n - 1;
            format!("(local.set {n} (i32.add (local.get {one_before}) (local.get 0)))")
        })
        .collect();
    let (open, close) = (
        "(loop $on ".repeat(depth),
        "(br_if $on (local.get 1)))".repeat(depth),
    );
    let function = format!("(func (param i32) (local {variables}) {open} {sets} {close})");
    guest(&function.repeat(functions))
}

/// Each branch carries many values to the end of the block.
pub(crate) fn branches(values: usize, count: usize) -> Vec<u8> {
    let kind = "i32 ".repeat(values);
    let push = "(local.get 0) ".repeat(values);
    let branch = "(br_if 0 (local.get 0)) ".repeat(count);
    let drops = "drop ".repeat(values);
    guest(&format!(
        "(type $many (func (result {kind})))
         (func (param i32) (block (type $many) {push} {branch}) {drops})"
    ))
}

pub(crate) fn ways(functions: usize, targets: usize) -> Vec<u8> {
    let blocks = 500;
    let names: String = (0..targets).map(|n| format!("{} ", n % blocks)).collect();
    let (open, close) = ("(block ".repeat(blocks), ")".repeat(blocks));
    let variables = "i32 ".repeat(30);
    let function = format!(
        "(func (param i32) (local {variables}) {open} (br_table {names} (local.get 0)) {close})"
    );
    guest(&function.repeat(functions))
}

/// As little text as there can be for so many operators.
pub(crate) fn idle(functions: usize, operators: usize) -> Vec<u8> {
    let function = format!("(func {})", "nop ".repeat(operators));
    guest(&function.repeat(functions))
}

pub(crate) fn straight(steps: usize) -> Vec<u8> {
    let steps = "(i32.xor (local.get 0)) (i32.rotl (i32.const 7)) ".repeat(steps);
    guest(&format!(
        "(func (param i32) (result i32) (local.get 0) {steps})"
    ))
}

pub(crate) fn functions(count: usize) -> Vec<u8> {
    guest(&"(func (param i32) (result i32) (i32.add (local.get 0) (i32.const 7)))".repeat(count))
}

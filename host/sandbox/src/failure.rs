//! How a call that gave no answer ended, told apart by what broke.

use wasmtime::{PoolConcurrencyLimitError, Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;
use whisperer_domain::plugin::PluginFailure;

use crate::guest::Exceeded;
use crate::guest_log::{GuestLog, printable};
use crate::limits::{DEEP_FRAMES, Limits};

/// What wasmtime says when a guest hands over too much at once. Its type is private, so its
/// words must do; a test holds them.
const FUEL_EXHAUSTED: &str = "fuel allocated for hostcalls";

/// The longest message that is kept of a guest.
const MESSAGE_CHARS_MAX: usize = 1024;
const CODE_CHARS_MAX: usize = 64;

/// A failure with its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) kind: PluginFailure,
    pub(crate) code: String,
    pub(crate) message: String,
}

impl Trouble {
    pub(crate) fn new(kind: PluginFailure, message: impl Into<String>) -> Self {
        Self {
            kind,
            code: kind.word().to_owned(),
            message: message.into(),
        }
    }

    /// What the guest said itself.
    pub(crate) fn said(kind: PluginFailure, code: &str, message: &str) -> Self {
        let (code, message) = words(code, message);
        Self {
            kind,
            code,
            message,
        }
    }
}

/// A guest's code and message, cut to a length and without control characters.
pub(crate) fn words(code: &str, message: &str) -> (String, String) {
    let cut = |text: &str, chars_max: usize| -> String {
        printable(text).chars().take(chars_max).collect()
    };
    (cut(code, CODE_CHARS_MAX), cut(message, MESSAGE_CHARS_MAX))
}

/// What ended the call.
pub(crate) fn classify(error: &wasmtime::Error, limits: &Limits, log: &GuestLog) -> Trouble {
    if let Some(exit) = error.downcast_ref::<I32Exit>() {
        let message = format!("it called exit({}) instead of answering", exit.0);
        return Trouble::new(PluginFailure::Exit, message);
    }
    if let Some(exceeded) = error.downcast_ref::<Exceeded>() {
        return Trouble::new(PluginFailure::Memory, exceeded.to_string());
    }
    if error.downcast_ref::<PoolConcurrencyLimitError>().is_some() {
        return Trouble::new(PluginFailure::Busy, "no instance was free");
    }
    if let Some(trap) = error.downcast_ref::<Trap>() {
        let frames = error
            .downcast_ref::<WasmBacktrace>()
            .map_or(0, |it| it.frames().len());
        let deep = frames >= DEEP_FRAMES;
        if *trap == Trap::StackOverflow || (*trap == Trap::MemoryOutOfBounds && deep) {
            return Trouble::new(
                PluginFailure::Stack,
                "its calls nest too deep for its stack",
            );
        }
        return trapped(*trap, limits, log);
    }
    let cause = error.root_cause().to_string();
    if cause.contains(FUEL_EXHAUSTED) {
        return too_large(limits);
    }
    Trouble::new(PluginFailure::Trap, cause)
}

pub(crate) fn too_large(limits: &Limits) -> Trouble {
    let message = format!(
        "it answered with more than {} bytes",
        limits.output_bytes_max
    );
    Trouble::new(PluginFailure::OutputTooLarge, message)
}

fn trapped(trap: Trap, limits: &Limits, log: &GuestLog) -> Trouble {
    // wasmtime's enum may grow: everything not named here is a plain trap.
    if trap == Trap::Interrupt {
        let message = format!(
            "it ran for {} ms without an end",
            limits.own_time.as_millis()
        );
        return Trouble::new(PluginFailure::Timeout, message);
    }
    let panic = (trap == Trap::UnreachableCodeReached)
        .then(|| log.panic())
        .flatten();
    match panic {
        Some(message) => {
            let (_, message) = words("", &message);
            Trouble::new(PluginFailure::Panic, message)
        }
        None => Trouble::new(PluginFailure::Trap, trap.to_string()),
    }
}

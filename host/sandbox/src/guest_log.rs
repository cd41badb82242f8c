//! What a guest says during one call: its log lines, and what it prints.
//!
//! Never more than its bound, never an error: what is too much is cut off, because a plugin that
//! talks too much still does its work. wasmtime's own pipe traps when it is full.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// However short the lines are.
const LINES_MAX: usize = 256;
/// What a guest may hand over at once; only so much is copied for it.
const WRITE_BYTES_MAX: usize = 8 << 10;

const PANIC: &str = "panicked at ";

/// Shared by the streams of one call.
#[derive(Clone)]
pub(crate) struct GuestLog {
    text: Arc<Mutex<Text>>,
}

struct Text {
    bytes: Vec<u8>,
    bytes_max: usize,
    cut: bool,
}

impl GuestLog {
    pub(crate) fn new(bytes_max: usize) -> Self {
        let text = Text {
            bytes: Vec::new(),
            bytes_max,
            cut: false,
        };
        Self {
            text: Arc::new(Mutex::new(text)),
        }
    }

    /// One line of the log interface; never runs into what was printed before it.
    pub(crate) fn line(&self, level: &str, message: &str) {
        let mut text = self.lock();
        if text.bytes.last().is_some_and(|&last| last != b'\n') {
            text.push(b"\n");
        }
        text.push(level.as_bytes());
        text.push(b": ");
        text.push(message.as_bytes());
        text.push(b"\n");
    }

    fn print(&self, bytes: &[u8]) {
        self.lock().push(bytes);
    }

    /// Lines to show: printable, and as many as fit.
    pub(crate) fn lines(&self) -> Vec<String> {
        let text = self.lock();
        let whole = String::from_utf8_lossy(&text.bytes);
        let mut all = whole.lines().filter(|line| !line.is_empty());
        let mut lines: Vec<String> = all.by_ref().take(LINES_MAX).map(printable).collect();
        if text.cut || all.next().is_some() {
            lines.push("[the rest was cut off]".to_owned());
        }
        lines
    }

    /// The words of a Rust panic, if there was one.
    pub(crate) fn panic(&self) -> Option<String> {
        let text = self.lock();
        let whole = String::from_utf8_lossy(&text.bytes);
        let (_, after) = whole.rsplit_once(PANIC)?;
        let words: Vec<&str> = after
            .lines()
            .take_while(|line| !line.starts_with("note: "))
            .collect();
        Some(printable(words.join(" ").trim()))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Text> {
        // Every change is one append: whatever panicked, the text is whole.
        self.text.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Text {
    fn push(&mut self, bytes: &[u8]) {
        let room = self.bytes_max - self.bytes.len();
        self.cut |= bytes.len() > room;
        self.bytes
            .extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

/// Without control characters: the log ends up in terminals.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() && c != '\t' {
                '\u{FFFD}'
            } else {
                c
            }
        })
        .collect()
}

impl IsTerminal for GuestLog {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for GuestLog {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        // Only WASI 0.3 asks for this; 0.2 uses the stream below.
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl Pollable for GuestLog {
    async fn ready(&mut self) {}
}

#[async_trait]
impl OutputStream for GuestLog {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.print(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::GuestLog;

    #[test]
    fn the_log_ends_at_its_bound_and_says_so() {
        let log = GuestLog::new(10);
        log.print(b"abc");
        log.line("info", "0123456789");
        assert_eq!(log.lines(), ["abc", "info: ", "[the rest was cut off]"]);
    }

    #[test]
    fn many_short_lines_are_bounded_too() {
        let log = GuestLog::new(1 << 20);
        for _ in 0..10_000 {
            log.line("info", "");
        }
        assert_eq!(log.lines().len(), 257);
    }

    #[test]
    fn nothing_reaches_a_terminal_as_a_command() {
        let log = GuestLog::new(100);
        log.line("info", "a\u{1b}[2Jb");
        assert_eq!(log.lines(), ["info: a\u{FFFD}[2Jb"]);
    }

    #[test]
    fn a_panic_is_told_in_its_words() {
        let log = GuestLog::new(1000);
        assert_eq!(log.panic(), None);
        log.print(b"\nthread '<unnamed>' (1) panicked at src/lib.rs:4:5:\nno such day\nnote: run with x\n");
        assert_eq!(log.panic().unwrap(), "src/lib.rs:4:5: no such day");
    }
}

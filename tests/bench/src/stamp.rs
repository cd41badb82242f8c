//! What every posted payload carries: its number, and when it was due to be posted. The receiver
//! looks for both in the bytes that reach it, whatever stands around them, without parsing JSON:
//! what it costs is taken from the server.

use std::io::Write as _;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// By the schedule, not when it was posted in truth: so a stall of the generator counts.
    pub(crate) due_us: u64,
    pub(crate) number: u64,
}

const DUE: &[u8] = b"\"due_us\":";
const NUMBER: &[u8] = b"\"number\":";
/// More than an envelope puts before the payload, which begins with the stamp.
pub(crate) const WITHIN_BYTES: usize = 1_024;

impl Stamp {
    /// As the first members of a JSON object, a comma behind each.
    pub(crate) fn write(self, text: &mut Vec<u8>) {
        let Self { due_us, number } = self;
        // Writing into a vector does not fail.
        let _ = write!(text, r#""due_us":{due_us},"number":{number},"#);
    }

    /// Reads it from the beginning of a request's body.
    pub(crate) fn find(body: &[u8]) -> Option<Self> {
        let head = &body[..body.len().min(WITHIN_BYTES)];
        Some(Self {
            due_us: number_behind(head, DUE)?,
            number: number_behind(head, NUMBER)?,
        })
    }
}

/// Only if something follows it: a number that is cut off would be another one.
fn number_behind(text: &[u8], key: &[u8]) -> Option<u64> {
    let at = text.windows(key.len()).position(|it| it == key)?;
    let value = text[at + key.len()..].trim_ascii_start();
    let digits = value.iter().position(|it| !it.is_ascii_digit())?;
    std::str::from_utf8(&value[..digits]).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::Stamp;

    #[test]
    fn a_stamp_is_found_in_any_envelope_and_never_by_halves() {
        let stamp = Stamp {
            due_us: 1_764_000_000_000_000,
            number: 407,
        };
        let mut body = br#"{"event": {"type": "a"}, "payload": {"#.to_vec();
        stamp.write(&mut body);
        assert_eq!(Stamp::find(&body), Some(stamp));
        assert_eq!(Stamp::find(&body[..body.len() - 1]), None, "407 or 4071?");
        let spaced = br#"{ "number": 407, "due_us": 1764000000000000 }"#;
        assert_eq!(Stamp::find(spaced), Some(stamp));
        for other in [&b""[..], b"{}", br#"{"due_us":"x","number":1}"#] {
            assert_eq!(Stamp::find(other), None);
        }
    }
}

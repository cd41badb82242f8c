//! The payload of a load: an order, as JSON as orders are, of just so many bytes.

/// One line of the order.
const LINE: &str = r#"{"sku":"P-10023","title":"An article","quantity":2,"price":19.90},"#;
/// What stands around the lines, and the last one.
const HEAD: &str = r#""customer":{"name":"Ada","email":"ada@example.com"},"lines":["#;
/// The stamp and the brace before it, as `Stamp` writes it of a number of four digits.
const STAMP_BYTES: usize = r#"{"due_us":1764000000000000,"number":1234,"#.len();

/// All of a payload behind its stamp, so that the whole is so long.
pub(crate) fn rest(bytes: usize) -> String {
    let (last, end) = (r#"{"note":""#, r#""}]}"#);
    let mut text = HEAD.to_owned();
    let room = |text: &str| {
        let taken = STAMP_BYTES + text.len() + last.len() + end.len();
        bytes.saturating_sub(taken)
    };
    while room(&text) >= LINE.len() {
        text.push_str(LINE);
    }
    let note = "x".repeat(room(&text));
    text + last + &note + end
}

#[cfg(test)]
mod tests {
    use super::rest;
    use crate::stamp::Stamp;

    #[test]
    fn a_payload_is_json_of_the_length_that_was_asked_for() {
        for bytes in [256, 1_024, 16 << 10, 100 << 10] {
            let mut payload = b"{".to_vec();
            let stamp = Stamp {
                due_us: 1_764_000_000_000_000,
                number: 1_000,
            };
            stamp.write(&mut payload);
            payload.extend_from_slice(rest(bytes).as_bytes());
            assert_eq!(payload.len(), bytes);
            let json: serde_json::Value = serde_json::from_slice(&payload).unwrap();
            assert_eq!(json["customer"]["email"], "ada@example.com");
        }
    }
}

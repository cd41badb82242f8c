//! Secrets in every form in which they could turn up, and a search for all of them at once.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Of a form's beginning: by it forms are found.
const START: usize = 4;

struct Form {
    name: String,
    bytes: Vec<u8>,
    /// How many digits of base64 stand behind it, whichever they are.
    digits: usize,
}

impl Form {
    fn begins(&self, bytes: &[u8]) -> bool {
        let Some(behind) = bytes.strip_prefix(&self.bytes[..]) else {
            return false;
        };
        let is_digit = |it: &u8| it.is_ascii_alphanumeric() || matches!(it, b'+' | b'/');
        behind.len() >= self.digits && behind[..self.digits].iter().all(is_digit)
    }
}

pub(crate) struct Needles {
    forms: Vec<Form>,
    by_start: HashMap<[u8; START], Vec<usize>>,
    /// By the first two bytes, so that most places are passed over at once.
    begins: Vec<bool>,
}

impl Needles {
    pub(crate) fn new() -> Self {
        Self {
            forms: Vec::new(),
            by_start: HashMap::new(),
            begins: vec![false; 1 << 16],
        }
    }

    /// A secret under a name that says what it is.
    pub(crate) fn add(&mut self, name: &str, secret: &[u8]) {
        self.form(&format!("{name}, as it is"), secret);
        let base64 = [STANDARD.encode(secret), STANDARD_NO_PAD.encode(secret)];
        for text in base64 {
            self.form(&format!("{name}, base64"), text.as_bytes());
        }
        let text = URL_SAFE_NO_PAD.encode(secret);
        self.form(&format!("{name}, base64 for URLs"), text.as_bytes());
        let hex = hex::encode(secret);
        self.form(&format!("{name}, hex"), hex.as_bytes());
        let hex = hex.to_uppercase();
        self.form(&format!("{name}, HEX"), hex.as_bytes());
        if let Ok(text) = std::str::from_utf8(secret) {
            let url: String = url::form_urlencoded::byte_serialize(secret).collect();
            self.form(&format!("{name}, in a form"), url.as_bytes());
            let url = url.replace('+', "%20");
            self.form(&format!("{name}, in a URL"), url.as_bytes());
            let quoted = serde_json::Value::from(text).to_string();
            let escaped = &quoted.as_bytes()[1..quoted.len() - 1];
            self.form(&format!("{name}, in JSON"), escaped);
        }
    }

    pub(crate) fn form(&mut self, name: &str, bytes: &[u8]) {
        self.form_with(name, bytes, 0);
    }

    /// What is known by its beginning, and by so many digits of base64 behind it.
    pub(crate) fn shape(&mut self, name: &str, beginning: &str, digits: usize) {
        self.form_with(name, beginning.as_bytes(), digits);
    }

    fn form_with(&mut self, name: &str, bytes: &[u8], digits: usize) {
        if self.forms.iter().any(|known| known.bytes == bytes) {
            return;
        }
        let length = bytes.len() + digits;
        assert!(length >= 12, "{name} is too short to be no chance hit");
        let start = bytes[..START].try_into().unwrap();
        self.by_start
            .entry(start)
            .or_default()
            .push(self.forms.len());
        self.begins[usize::from(bytes[0]) << 8 | usize::from(bytes[1])] = true;
        self.forms.push(Form {
            name: name.to_owned(),
            bytes: bytes.to_vec(),
            digits,
        });
    }

    /// The names of what is found, with where.
    pub(crate) fn found_in(&self, bytes: &[u8]) -> Vec<String> {
        let mut found = Vec::new();
        for (at, window) in bytes.windows(START).enumerate() {
            if !self.begins[usize::from(window[0]) << 8 | usize::from(window[1])] {
                continue;
            }
            let Some(forms) = self.by_start.get(window) else {
                continue;
            };
            for form in forms {
                let form = &self.forms[*form];
                if form.begins(&bytes[at..]) {
                    let around = around(bytes, at, form.bytes.len() + form.digits);
                    found.push(format!("{}, at {at}{around}", form.name));
                }
            }
        }
        found
    }

    /// Panics if something is found.
    pub(crate) fn absent(&self, whence: &str, bytes: &[u8]) {
        let found = self.found_in(bytes);
        let some = &found[..found.len().min(10)];
        assert!(
            found.is_empty(),
            "{whence} shows {} times: {some:#?}",
            found.len()
        );
    }
}

/// What stands before and behind, which tells whose it is.
fn around(bytes: &[u8], at: usize, length: usize) -> String {
    let before = &bytes[at.saturating_sub(60)..at];
    let behind = &bytes[(at + length).min(bytes.len())..(at + length + 60).min(bytes.len())];
    let [before, behind] = [before, behind].map(|it| it.escape_ascii().to_string());
    format!(" between {before:?} and {behind:?}")
}

#[test]
fn every_form_is_found_and_nothing_else() {
    let mut needles = Needles::new();
    needles.add("it", b"a \"secret\" of some length");
    for text in [
        "x a \"secret\" of some length x",
        "YSAic2VjcmV0IiBvZiBzb21lIGxlbmd0aA==",
        "61202273656372657422206f6620736f6d65206c656e677468",
        "t=a+%22secret%22+of+some+length",
        "t=a%20%22secret%22%20of%20some%20length",
        "{\"t\":\"a \\\"secret\\\" of some length\"}",
    ] {
        assert!(!needles.found_in(text.as_bytes()).is_empty(), "{text}");
    }
    assert!(needles.found_in(b"a \"secret\" of some lengt").is_empty());
    needles.shape("a key", "whsk_", 43);
    let key = format!("a whsk_{} key", STANDARD.encode([0x5f; 32]));
    assert_eq!(needles.found_in(key.as_bytes()).len(), 1);
    assert!(
        needles
            .found_in(b"whsk_ and the base64 of the private key; and so on, and so on")
            .is_empty()
    );
}

//! Secrets in every form in which they could turn up, and a search for all of them at once.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Of a form's beginning: by it forms are found.
const START: usize = 4;

pub(crate) struct Needles {
    forms: Vec<(String, Vec<u8>)>,
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
        if self.forms.iter().any(|(_, known)| known == bytes) {
            return;
        }
        assert!(bytes.len() >= 12, "{name} is too short to be no chance hit");
        let start = bytes[..START].try_into().unwrap();
        self.by_start
            .entry(start)
            .or_default()
            .push(self.forms.len());
        self.begins[usize::from(bytes[0]) << 8 | usize::from(bytes[1])] = true;
        self.forms.push((name.to_owned(), bytes.to_vec()));
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
                let (name, form) = &self.forms[*form];
                if bytes[at..].starts_with(form) {
                    found.push(format!("{name}, at {at}{}", around(bytes, at, form.len())));
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
}

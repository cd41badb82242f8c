//! Takes the secrets that an attempt used out of what is kept of it.
//!
//! Receivers that answer with what they were sent, and plugins that log what they were given, would
//! put a hook's secrets into the database and before everybody who may read deliveries. Masked is
//! each occurrence of a secret as it is, as it stands in JSON, and of the `Basic` form of a password;
//! and what an answer that was cut off shows of one at its end. Whoever turns a secret into something
//! else, such as its reverse, shows it all the same: this is against accidents, not against plugins,
//! which get the secrets to do with them what they like.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::attempt::{PluginRun, RESPONSE_KEPT_BYTES_MAX, Response};
use crate::header::HeaderOp;
use crate::hook::{ChainLink, Hook, PluginChoice};
use crate::outcome::Outcome;
use crate::port::Chained;
use crate::secret::MASK;

/// What is shorter is left alone: it stands in anything by chance, and where `on` or `1234` is masked
/// in every answer, answers say nothing any more and the masks tell the value.
const SECRET_BYTES_MIN: usize = 6;
/// Header values are kept up to here.
const HEADER_CUT_BYTES: usize = 1 << 10;

/// The secrets of one hook, and of an attempt for it.
pub struct Redaction {
    /// Longest first: a secret may be part of another.
    secrets: Vec<Zeroizing<String>>,
    /// Whether a byte begins one of them.
    begins: [bool; 256],
}

impl Redaction {
    #[must_use]
    pub fn of(hook: &Hook) -> Self {
        let mut found = Found::default();
        let old_keys = hook.old_secret_keys.iter().map(|old| &old.key);
        for key in hook.secret_key.iter().chain(old_keys) {
            let key = key.expose();
            found.add(&key);
            found.add(key.strip_prefix("whsec_").unwrap_or_default());
        }
        let old_pairs = hook.old_key_pairs.iter().map(|old| &old.key);
        for pair in hook.key_pair.iter().chain(old_pairs) {
            let key = pair.private().expose();
            found.add(&key);
            found.add(key.strip_prefix("whsk_").unwrap_or_default());
        }
        if let Some(auth) = &hook.auth {
            let password = auth.password.expose();
            found.add(&password);
            if !password.is_empty() {
                let pair = Zeroizing::new(format!("{}:{}", auth.username, &*password));
                found.add(&Zeroizing::new(STANDARD.encode(&*pair)));
            }
        }
        for (_, value) in hook.additional_headers.iter().flatten() {
            found.add_header(&value.expose());
        }
        match &hook.plugins {
            PluginChoice::ByPattern => {}
            PluginChoice::Chain(links) => links.iter().for_each(|link| found.add_config(link)),
        }
        found.finish()
    }

    /// With what plugins put into headers whose names say that they are credentials: they may be made
    /// of a secret in a way that nobody knows. Others show what is in the payload, such as a number
    /// of an order, and an answer may name that.
    #[must_use]
    pub fn and(self, ops: &[HeaderOp]) -> Self {
        let mut found = Found(self.secrets);
        for op in ops {
            if let Some(value) = op.value()
                && is_credential(op.name())
            {
                found.add_header(&value.expose());
            }
        }
        found.finish()
    }

    /// `cut`: the text may end in the middle of a secret.
    pub fn text(&self, text: &mut String, cut: bool) {
        if let Some(masked) = self.masked(text.as_bytes(), cut) {
            // Whole texts were taken out of a text, or its end: it stays one.
            *text = String::from_utf8_lossy(&masked).into_owned();
        }
    }

    pub fn response(&self, response: &mut Response) {
        for (name, value) in &mut response.headers {
            let cut = value.len() >= HEADER_CUT_BYTES;
            self.text(name, false);
            self.text(value, cut);
        }
        if let Some(mut masked) = self.masked(&response.body, response.truncated) {
            response.truncated |= masked.len() > RESPONSE_KEPT_BYTES_MAX;
            masked.truncate(RESPONSE_KEPT_BYTES_MAX);
            response.body = Bytes::from(masked);
        }
    }

    pub fn outcome(&self, outcome: &mut Outcome) {
        match outcome {
            Outcome::Delivered { .. } | Outcome::Refused { .. } => {}
            Outcome::Unreachable { message, .. }
            | Outcome::TimedOut {
                while_doing: message,
            }
            | Outcome::Blocked { message }
            | Outcome::Internal { message } => self.text(message, true),
            Outcome::PluginFailed { code, message, .. }
            | Outcome::Discarded { code, message, .. } => {
                self.text(code, true);
                self.text(message, true);
            }
        }
    }

    pub fn runs(&self, runs: &mut [PluginRun]) {
        for line in runs.iter_mut().flat_map(|run| &mut run.log) {
            self.text(line, true);
        }
    }

    /// What a chain made, to be shown; it is not to be sent any more.
    pub fn chained(&self, chained: &mut Chained) {
        match chained {
            Chained::Unchanged | Chained::Deferred(_) => {}
            Chained::Discarded { code, message, .. } | Chained::Failed { code, message, .. } => {
                self.text(code, true);
                self.text(message, true);
            }
            Chained::Made(made) => {
                for op in &mut made.header_ops {
                    match op {
                        HeaderOp::Set { value, .. } | HeaderOp::Append { value, .. } => {
                            let mut text = value.expose().to_string();
                            self.text(&mut text, false);
                            *value = text.into();
                        }
                        HeaderOp::Remove { .. } => {}
                    }
                }
                if let Some(payload) = &mut made.payload
                    && let Some(masked) = self.masked(payload, false)
                {
                    *payload = masked.into();
                }
            }
        }
    }

    /// None: there is no secret in it.
    fn masked(&self, text: &[u8], cut: bool) -> Option<Vec<u8>> {
        let mut masked = Vec::new();
        let (mut at, mut copied) = (0, 0);
        while at < text.len() {
            if self.begins[usize::from(text[at])]
                && let Some(bytes) = self.begun(&text[at..], cut)
            {
                masked.extend_from_slice(&text[copied..at]);
                masked.extend_from_slice(MASK.as_bytes());
                at += bytes;
                copied = at;
            } else {
                at += 1;
            }
        }
        if copied == 0 {
            return None;
        }
        masked.extend_from_slice(&text[copied..]);
        Some(masked)
    }

    /// How much of a secret the text begins with: all of it, or as much as there is of the text.
    fn begun(&self, text: &[u8], cut: bool) -> Option<usize> {
        let mut secrets = self.secrets.iter().map(|secret| secret.as_bytes());
        let found = secrets.find(|secret| {
            text.starts_with(secret)
                || cut && text.len() >= SECRET_BYTES_MIN && secret.starts_with(text)
        })?;
        Some(found.len().min(text.len()))
    }
}

#[derive(Default)]
struct Found(Vec<Zeroizing<String>>);

impl Found {
    fn add(&mut self, secret: &str) {
        if secret.len() < SECRET_BYTES_MIN {
            return;
        }
        self.0.push(Zeroizing::new(secret.to_owned()));
        let quoted = Zeroizing::new(Value::from(secret).to_string());
        let escaped = quoted.trim_start_matches('"').strip_suffix('"');
        if let Some(escaped) = escaped.filter(|escaped| *escaped != secret) {
            self.0.push(Zeroizing::new(escaped.to_owned()));
        }
    }

    /// The whole, and what stands behind a scheme such as `Bearer`.
    fn add_header(&mut self, value: &str) {
        self.add(value);
        if let Some((_, credential)) = value.split_once(' ') {
            self.add(credential);
        }
    }

    fn add_config(&mut self, link: &ChainLink) {
        if link.hidden.is_empty() {
            return;
        }
        let Ok(config) = serde_json::from_str::<Value>(&link.config.expose()) else {
            return;
        };
        for place in &link.hidden {
            if let Some(value) = config.pointer(place) {
                self.add_value(value);
            }
        }
    }

    fn add_value(&mut self, value: &Value) {
        match value {
            Value::Null | Value::Bool(_) => {}
            Value::Number(number) => self.add(&number.to_string()),
            Value::String(text) => self.add(text),
            Value::Array(items) => items.iter().for_each(|item| self.add_value(item)),
            Value::Object(members) => members.values().for_each(|item| self.add_value(item)),
        }
    }

    fn finish(self) -> Redaction {
        let mut secrets = self.0;
        secrets.sort_by(|one, other| (other.len(), one.as_str()).cmp(&(one.len(), other.as_str())));
        secrets.dedup();
        let mut begins = [false; 256];
        for secret in &secrets {
            begins[usize::from(secret.as_bytes()[0])] = true;
        }
        Redaction { secrets, begins }
    }
}

fn is_credential(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["auth", "cookie", "key", "passw", "secret", "token"]
        .iter()
        .any(|word| name.contains(word))
}

#[cfg(test)]
mod tests;

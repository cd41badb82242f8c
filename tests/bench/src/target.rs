//! How a server is spoken to, by a description file: where events are posted, what says that one
//! was accepted, and the requests that register event types and hooks. Whisperer itself is spoken
//! to by such a file too, `targets/whisperer.toml`.

mod calls;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, ensure};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Deserialize;
use url::Url;

pub(crate) use calls::{Counters, Prepared};

use crate::generator::{Cut, Posts, Template, Types, cut};

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Target {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) pids: Vec<u32>,
    #[serde(default)]
    values: BTreeMap<String, String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    post: Post,
    #[serde(default)]
    event_type: Vec<Call>,
    #[serde(default)]
    hook: Vec<Call>,
    #[serde(default)]
    metrics: Option<Metrics>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Post {
    url: String,
    body: String,
    #[serde(default = "accepted")]
    accepted: u16,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    method: String,
    url: String,
    #[serde(default)]
    body: String,
}

/// Counters of the server, in the text format of Prometheus.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metrics {
    url: String,
    commits: Option<String>,
    syncs: Option<String>,
}

fn accepted() -> u16 {
    202
}

impl Target {
    /// Whisperer, at this address and with this token.
    pub(crate) fn whisperer(base: &str, token: &str) -> anyhow::Result<Self> {
        let set = [("base", base), ("token", token)];
        let set = set.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self::parse(include_str!("../targets/whisperer.toml"), &set)
    }

    /// # Errors
    /// It cannot be read, or a field of it, which is named, is not as it has to be.
    pub(crate) fn read(file: &Path, set: &[(String, String)]) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(file);
        let text = text.with_context(|| format!("cannot read {}", file.display()))?;
        Self::parse(&text, set).with_context(|| format!("in {}", file.display()))
    }

    fn parse(text: &str, set: &[(String, String)]) -> anyhow::Result<Self> {
        let mut target: Self = toml::from_str(text)?;
        for (name, value) in set {
            let known = target.values.get_mut(name);
            let known = known.with_context(|| format!("values has no {name} that could be set"))?;
            known.clone_from(value);
        }
        target.check()?;
        Ok(target)
    }

    /// Fills everything in once, so that what is wrong is told before anything is measured.
    fn check(&self) -> anyhow::Result<()> {
        let types = Types::One("bench.check".to_owned());
        self.posts("check", &types, "}")?;
        ensure!(
            !self.hook.is_empty(),
            "hook: there is none: say by [[hook]] how one is registered"
        );
        self.event_type_calls("bench.check")?;
        self.hook_calls("bench.check", "http://127.0.0.1:1/", "[]")?;
        if let Some(metrics) = &self.metrics {
            self.url("metrics.url", &metrics.url)?;
        }
        Ok(())
    }

    /// `stem`, `rest`: see [`Template::new`].
    pub(crate) fn posts(&self, stem: &str, types: &Types, rest: &str) -> anyhow::Result<Posts> {
        let body = self.with_values(&self.post.body);
        let accepted = StatusCode::from_u16(self.post.accepted);
        Ok(Posts {
            url: self.url("post.url", &self.post.url)?,
            headers: self.header_map()?,
            body: Template::new(&body, stem, types, rest).context("post.body")?,
            accepted: accepted.context("post.accepted: no status of HTTP")?,
        })
    }

    fn header_map(&self) -> anyhow::Result<HeaderMap> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let field = || format!("headers.{name}");
            let value = self.filled(&field(), value, &[])?;
            headers.insert(
                HeaderName::try_from(name).with_context(field)?,
                HeaderValue::try_from(value).with_context(field)?,
            );
        }
        Ok(headers)
    }

    fn url(&self, field: &str, text: &str) -> anyhow::Result<Url> {
        let text = self.filled(field, text, &[])?;
        Url::parse(&text).with_context(|| format!("{field}: {text:?} is no URL"))
    }

    /// The values in place of their names; other names stay for who knows them.
    fn with_values(&self, text: &str) -> String {
        let mut filled = String::new();
        for piece in cut(text) {
            match piece {
                Cut::Text(text) => filled.push_str(text),
                Cut::Name(name) => match self.values.get(name) {
                    Some(value) => filled.push_str(value),
                    None => filled.push_str(&format!("{{{name}}}")),
                },
            }
        }
        filled
    }

    /// `more`: names beside those of `values`, and what stands for them.
    fn filled(&self, field: &str, text: &str, more: &[(&str, &str)]) -> anyhow::Result<String> {
        let value = |name: &str| {
            let more = more.iter().find(|(known, _)| *known == name);
            let value = more.map(|(_, value)| *value);
            value.or_else(|| self.values.get(name).map(String::as_str))
        };
        let known = || {
            let more = more.iter().map(|(name, _)| *name);
            let names = more.chain(self.values.keys().map(String::as_str));
            names.map(|it| format!("{{{it}}}")).collect::<Vec<_>>()
        };
        let mut filled = String::new();
        for piece in cut(text) {
            filled.push_str(match piece {
                Cut::Text(text) => text,
                Cut::Name(name) => value(name).with_context(|| {
                    let known = known().join(", ");
                    format!("{field}: {{{name}}} is not known here; it may name {known}")
                })?,
            });
        }
        Ok(filled)
    }
}

#[cfg(test)]
mod tests {
    use super::Target;

    const WHISPERER: &str = include_str!("../targets/whisperer.toml");

    #[test]
    fn what_is_wrong_in_a_description_is_named() {
        for (good, bad, expected) in [
            (
                "accepted = 202",
                "accepted = 20",
                "post.accepted: no status",
            ),
            ("accepted = 202", "acepted = 202", "unknown field `acepted`"),
            (
                "{payload}}'\n# The",
                "{paylod}}'\n# The",
                "post.body: {paylod}",
            ),
            (
                "{base}/whisperer/hooks/",
                "{bse}/hooks/",
                "hook[0].url: {bse} is not known",
            ),
            (
                "\"{base}/whisperer/hooks/",
                "\"hooks/",
                "hook[0].url: \"hooks/\" is no URL",
            ),
            ("\"PUT\"", "\"P T\"", "event_type[0].method"),
            ("authorization =", "\"a b\" =", "headers.a b"),
            ("[[hook]]", "[[event_type]]", "hook: there is none"),
            ("{base}/metrics", "metrics", "metrics.url"),
            ("name = \"Whisperer\"", "", "missing field `name`"),
        ] {
            assert!(WHISPERER.contains(good), "{good}");
            let why = Target::parse(&WHISPERER.replace(good, bad), &[]).unwrap_err();
            let why = format!("{why:#}");
            assert!(why.contains(expected), "{bad}: {why}");
        }
    }

    #[test]
    fn values_come_from_outside_if_the_file_knows_them() {
        let set = |name: &str| [(name.to_owned(), "http://127.0.0.1:1".to_owned())];
        let target = Target::parse(WHISPERER, &set("base")).unwrap();
        let url = target.url("post.url", &target.post.url).unwrap();
        assert_eq!(url.as_str(), "http://127.0.0.1:1/whisperer/events/");
        let why = Target::parse(WHISPERER, &set("bse")).unwrap_err();
        assert!(why.to_string().contains("bse"), "{why}");
    }

    #[test]
    fn a_hook_is_registered_with_all_that_is_known_of_it() {
        let target = Target::whisperer("http://127.0.0.1:1", "t").unwrap();
        let calls = target.hook_calls("a.b", "http://127.0.0.1:2/count/0", "[]");
        let calls = calls.unwrap();
        let body: serde_json::Value = serde_json::from_str(calls[0].body()).unwrap();
        assert_eq!(body["target_url"], "http://127.0.0.1:2/count/0");
        assert_eq!(body["event_type"], "a.b");
        assert_eq!(body["plugins"], serde_json::json!([]));
    }
}

//! The query of a list: filters, `limit`, `cursor`, and the `Link` to the next page.
//!
//! An unknown filter is refused, not skipped: skipped, it would answer everything as if it had
//! been asked for. An empty one counts as absent, as in the OMS.

use http::{HeaderValue, Uri};
use url::form_urlencoded;
use utoipa::IntoParams;

use super::field_errors::FieldErrors;
use super::problem::Problem;
use super::value;
use crate::nearest::did_you_mean;

pub(super) const LIMIT_DEFAULT: usize = 100;
pub(super) const LIMIT_MAX: usize = 1_000;

/// `format` is what clients of the OMS append to ask for JSON: there is nothing else here.
const ALWAYS: [&str; 3] = ["limit", "cursor", "format"];

/// What every list that is paged takes, for the document.
#[allow(dead_code, reason = "read by the derive, not by code")]
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Paging {
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// Out of a `Link`.
    cursor: Option<String>,
}

pub(super) struct Query {
    path: String,
    pairs: Vec<(String, String)>,
    errors: FieldErrors,
}

impl Query {
    pub(super) fn of(uri: &Uri, filters: &[&str]) -> Self {
        let pairs: Vec<(String, String)> =
            form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
                .into_owned()
                .collect();
        let mut errors = FieldErrors::default();
        for (name, _) in &pairs {
            let known = filters.iter().chain(&ALWAYS);
            if !known.clone().any(|filter| filter == name) {
                let near = did_you_mean(name, known.copied());
                errors.add(name, format!("Unknown filter.{near}"));
            }
        }
        Self {
            path: uri.path().to_owned(),
            pairs,
            errors,
        }
    }

    /// The last of that name, as Django reads it.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.pairs
            .iter()
            .rev()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// What `read` makes of a filter; where it makes nothing, `words` are the error.
    pub(super) fn read<T>(
        &mut self,
        name: &str,
        words: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let found = read(self.text(name)?);
        if found.is_none() {
            self.errors.add(name, words);
        }
        found
    }

    pub(super) fn boolean(&mut self, name: &str) -> Option<bool> {
        self.read(name, "Must be a valid boolean.", |text| {
            value::truth_of(text).ok()
        })
    }

    pub(super) fn limit(&mut self) -> usize {
        let words = format!("Must be a number from 1 to {LIMIT_MAX}.");
        self.read("limit", &words, |text| {
            let limit: usize = text.parse().ok()?;
            (1..=LIMIT_MAX).contains(&limit).then_some(limit)
        })
        .unwrap_or(LIMIT_DEFAULT)
    }

    /// Go on below this number.
    pub(super) fn cursor(&mut self) -> Option<u64> {
        self.read(
            "cursor",
            "Not a cursor of this list: take it from a Link header.",
            |text| {
                let bytes: [u8; 8] = hex::decode(text).ok()?.try_into().ok()?;
                Some(u64::from_be_bytes(bytes))
            },
        )
    }

    pub(super) fn check(&mut self) -> Result<(), Problem> {
        std::mem::take(&mut self.errors)
            .or(())
            .map_err(Problem::invalid_at_top)
    }

    /// The same query from `below` on, as RFC 8288 writes it.
    pub(super) fn next_link(&self, below: u64) -> Option<HeaderValue> {
        let kept = self.pairs.iter().filter(|(name, _)| name != "cursor");
        let kept = kept.map(|(name, value)| (name.as_str(), value.as_str()));
        HeaderValue::from_str(&next_link(&self.path, kept, below)).ok()
    }
}

/// A list with these filters, from `below` on.
pub(super) fn next_link<'a>(
    path: &str,
    filters: impl Iterator<Item = (&'a str, &'a str)>,
    below: u64,
) -> String {
    let mut next = form_urlencoded::Serializer::new(String::new());
    next.extend_pairs(filters);
    next.append_pair("cursor", &hex::encode(below.to_be_bytes()));
    format!("<{path}?{}>; rel=\"next\"", next.finish())
}

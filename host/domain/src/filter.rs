//! What of an event's payload a hook wants: conditions on the values at paths, joined by `all`,
//! `any` and `not`.
//!
//! ```json
//! {"all": [{"path": "country", "in": ["DE", "AT"]}, {"path": "items[*].price", "gte": 10, "lt": 20}]}
//! ```
//!
//! The words are those of the `filter` plugin, which is for hooks that want a discarded delivery
//! to be seen; this one is asked before a delivery is made. The rules:
//!
//! - A path may lead to several values. `eq`, `in`, `lt`, `lte`, `gt`, `gte` and `prefix` hold if
//!   one and the same value meets all of them that stand beside a path; `ne` if no value is equal.
//! - Where a path leads to none, only `ne` and `"exists": false` hold. `null` is a value like
//!   others: it exists, and equals `null` alone.
//! - A value of another kind than is asked for meets nothing: `"5"` is not equal to 5, not less
//!   than 6, and no 5 begins with "5".
//! - Numbers compare by their exact value: 1.0 is 1, and 9007199254740993 is not 9007199254740992.
//!   Lists are equal element by element, objects member by member in any order.
//! - A payload that is not JSON, or holds more than [`crate::json::VALUES_MAX`] values, matches nothing.
//!
//! A filter comes from a hook's owner and is asked on every event that its hook subscribes to, so
//! all of it is bounded (below), and so is what a path leads to ([`crate::json::PLACES_MAX`]): the
//! costliest filter makes about a million steps, whatever the payload.

mod operand;
mod read;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use crate::json::{Decimal, Path, Tree};
use operand::Operand;

pub const TEXT_BYTES_MAX: usize = 16 << 10;
/// Joins and comparisons together.
pub const CONDITIONS_MAX: usize = 64;
pub const DEPTH_MAX: usize = 8;
/// Values to compare with, elements and members of them included.
pub const VALUES_MAX: usize = 500;

/// Of what a decision found, so much is shown.
const SHOWN_MAX: usize = 10;
const SHOWN_CHARS_MAX: usize = 200;

#[derive(Clone)]
pub struct Filter {
    text: Arc<str>,
    condition: Condition,
}

#[derive(Clone, Debug)]
enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    At(Comparison),
}

#[derive(Clone, Debug)]
struct Comparison {
    path: Path,
    exists: Option<bool>,
    ne: Option<Operand>,
    /// One value must meet them all.
    tests: Vec<Test>,
}

#[derive(Clone, Debug)]
enum Test {
    Eq(Operand),
    In(Vec<Operand>),
    /// The bound as a JSON number.
    Is(Order, Box<str>),
    Prefix(Box<str>),
}

#[derive(Clone, Copy, Debug)]
enum Order {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// One thing that is wrong with what was meant as a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterFault {
    /// Names and positions from the filter down; empty: the whole of it.
    pub at: Vec<String>,
    pub message: String,
}

/// Whether a payload matches, and what decided it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    pub matches: bool,
    /// The place in the filter of the condition that made it so, from the filter down. Where
    /// several did together, as when all of `all` hold, the place of their join.
    pub at: Vec<String>,
    pub found: Option<Found>,
}

/// What a comparison's path led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub count: usize,
    /// The first of them as JSON, long ones cut.
    pub values: Vec<String>,
}

impl Filter {
    /// # Errors
    /// What is wrong with it, by place; some of it if that is much.
    pub fn parse(text: &str) -> Result<Self, Vec<FilterFault>> {
        let condition = read::condition(text)?;
        Ok(Self {
            text: text.into(),
            condition,
        })
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }

    #[must_use]
    pub fn matches(&self, payload: &Tree<'_>) -> bool {
        self.condition.holds(payload)
    }

    /// As [`Self::matches`], with what decided it.
    #[must_use]
    pub fn decide(&self, payload: &Tree<'_>) -> Decision {
        let mut at = Vec::new();
        let (matches, found) = self.condition.decide(payload, &mut at);
        Decision { matches, at, found }
    }
}

impl Condition {
    fn holds(&self, payload: &Tree<'_>) -> bool {
        match self {
            Self::All(inner) => inner.iter().all(|condition| condition.holds(payload)),
            Self::Any(inner) => inner.iter().any(|condition| condition.holds(payload)),
            Self::Not(inner) => !inner.holds(payload),
            Self::At(comparison) => comparison.holds(&comparison.path.find(payload)),
        }
    }

    fn decide(&self, payload: &Tree<'_>, at: &mut Vec<String>) -> (bool, Option<Found>) {
        let (word, inner, decisive) = match self {
            Self::All(inner) => ("all", inner, false),
            Self::Any(inner) => ("any", inner, true),
            Self::Not(inner) => {
                at.push("not".to_owned());
                let (holds, found) = inner.decide(payload, at);
                return (!holds, found);
            }
            Self::At(comparison) => {
                let places = comparison.path.find(payload);
                let shown = places.iter().take(SHOWN_MAX);
                let found = Found {
                    count: places.len(),
                    values: shown.map(|place| place.show(SHOWN_CHARS_MAX)).collect(),
                };
                return (comparison.holds(&places), Some(found));
            }
        };
        let decides = |condition: &Self| condition.holds(payload) == decisive;
        let decider = match inner.as_slice() {
            [only] => Some((0, only)),
            several => several
                .iter()
                .enumerate()
                .find(|(_, condition)| decides(condition)),
        };
        match decider {
            Some((place, condition)) => {
                at.extend([word.to_owned(), place.to_string()]);
                condition.decide(payload, at)
            }
            None => (!decisive, None),
        }
    }
}

impl Comparison {
    fn holds(&self, places: &[&Tree<'_>]) -> bool {
        let exists = self.exists.is_none_or(|wanted| wanted != places.is_empty());
        let is_unwanted = |unwanted: &Operand| places.iter().any(|place| unwanted.equals(place));
        let meets_all = |place: &&Tree<'_>| self.tests.iter().all(|test| test.is_met_by(place));
        exists
            && !self.ne.as_ref().is_some_and(is_unwanted)
            && (self.tests.is_empty() || places.iter().any(meets_all))
    }
}

impl Test {
    fn is_met_by(&self, value: &Tree<'_>) -> bool {
        match (self, value) {
            (Self::Eq(wanted), value) => wanted.equals(value),
            (Self::In(wanted), value) => wanted.iter().any(|wanted| wanted.equals(value)),
            (Self::Is(order, bound), Tree::Number(number)) => {
                order.holds(number, &Decimal::of(bound))
            }
            (Self::Prefix(prefix), Tree::Text(text)) => text.starts_with(&**prefix),
            (
                Self::Is(..) | Self::Prefix(_),
                Tree::Null
                | Tree::Bool(_)
                | Tree::Number(_)
                | Tree::Text(_)
                | Tree::List(_)
                | Tree::Object(_),
            ) => false,
        }
    }
}

impl Order {
    fn holds(self, number: &Decimal<'_>, bound: &Decimal<'_>) -> bool {
        match self {
            Self::Less => number < bound,
            Self::LessOrEqual => number <= bound,
            Self::Greater => number > bound,
            Self::GreaterOrEqual => number >= bound,
        }
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for Filter {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Filter {}

impl fmt::Display for FilterFault {
    /// `all.0.eq: …`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.at.is_empty() {
            write!(f, "{}: ", self.at.join("."))?;
        }
        f.write_str(&self.message)
    }
}

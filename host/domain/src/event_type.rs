//! Names of what can happen, patterns over them, and the catalogue of the OMS.

mod payload_schema;

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::news::PREFIX;

pub use payload_schema::{PayloadFault, PayloadSchema};

/// The event types of the order management system, registered from the first start.
pub const OMS_CATALOGUE: [&str; 18] = [
    "package.created",
    "package.status.transitioned",
    "package.status.packed",
    "package.status.cancelled",
    "package.status.shipped",
    "package.status.packed_for_refund",
    "package.shipment.awb_number",
    "shipment.created",
    "shipment.status.updated",
    "shipment.cancelled",
    "transfer.status.created",
    "transfer.status.transitioned",
    "transfer.status.in_transit",
    "transfer.status.transferred",
    "transfer.status.cancelled",
    "transfer.status.ready_to_shipment",
    "stock_location.created",
    "stock_location.updated",
];

/// A dotted name, `package.created`: segments of `A-Z a-z 0-9 _ -`, at most 128 bytes in all.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EventType(Arc<str>);

impl EventType {
    /// # Errors
    /// A sentence that names the rule.
    pub fn parse(text: &str) -> Result<Self, String> {
        let segment_ok = |segment: &str| {
            !segment.is_empty()
                && segment
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        };
        if text.len() > 128 || !text.split('.').all(segment_ok) {
            return Err(format!(
                "\"{}\" is not an event type: segments of letters, digits, _ and -, joined by \
                 dots, at most 128 bytes.",
                text.escape_debug()
            ));
        }
        Ok(Self(text.into()))
    }

    /// One of ours, which is valid.
    pub(crate) fn own(name: &'static str) -> Self {
        Self(name.into())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it belongs to operational events: see [`crate::news`].
    #[must_use]
    pub fn is_operational(&self) -> bool {
        self.0.split('.').next() == Some(PREFIX)
    }

    /// Whether `dashed` is this type with its dots written as dashes: `package-created`.
    #[must_use]
    pub fn is_spelled(&self, dashed: &str) -> bool {
        self.0.len() == dashed.len()
            && self
                .0
                .bytes()
                .zip(dashed.bytes())
                .all(|(ours, theirs)| ours == theirs || (ours == b'.' && theirs == b'-'))
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is known of a registered type beside its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventTypeInfo {
    pub description: String,
    /// A payload as JSON text, as it was written.
    pub example: Option<Arc<str>>,
    /// What payloads must meet to be accepted.
    pub schema: Option<Arc<PayloadSchema>>,
}

/// What a hook subscribes to, or a plugin applies to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum EventPattern {
    /// `*`
    All,
    /// `package.*`: everything below `package`, at any depth, but not `package` itself.
    Under(Arc<str>),
    Exact(EventType),
}

impl EventPattern {
    /// # Errors
    /// A sentence that names the rule.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self::All);
        }
        match text.strip_suffix(".*") {
            Some(prefix) => EventType::parse(prefix).map(|prefix| Self::Under(prefix.0)),
            None => EventType::parse(text).map(Self::Exact),
        }
    }

    /// Whether it names operational events. `*` means everybody else's.
    #[must_use]
    pub fn is_operational(&self) -> bool {
        match self {
            Self::All => false,
            Self::Under(prefix) => prefix.split('.').next() == Some(PREFIX),
            Self::Exact(name) => name.is_operational(),
        }
    }

    #[must_use]
    pub fn matches(&self, event_type: &EventType) -> bool {
        match self {
            Self::All => !event_type.is_operational(),
            Self::Under(prefix) => event_type
                .as_str()
                .strip_prefix(&**prefix)
                .is_some_and(|rest| rest.starts_with('.')),
            Self::Exact(wanted) => wanted == event_type,
        }
    }
}

impl fmt::Display for EventPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::Under(prefix) => write!(f, "{prefix}.*"),
            Self::Exact(name) => write!(f, "{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{EventPattern, EventType, OMS_CATALOGUE};

    #[test]
    fn patterns_match_at_any_depth_but_not_beside() {
        let case = |pattern: &str, name: &str| {
            EventPattern::parse(pattern)
                .unwrap()
                .matches(&EventType::parse(name).unwrap())
        };
        assert!(case("*", "package.created"));
        assert!(case("package.*", "package.status.packed"));
        assert!(!case("package.*", "package"));
        assert!(!case("package.*", "packages.created"));
        assert!(case("package.created", "package.created"));
    }

    #[test]
    fn the_catalogue_is_valid_and_without_twins() {
        let mut names: Vec<_> = OMS_CATALOGUE
            .iter()
            .map(|name| EventType::parse(name).unwrap())
            .collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), OMS_CATALOGUE.len());
    }

    #[test]
    fn a_dashed_spelling_is_known() {
        let name = EventType::parse("package.shipment.awb_number").unwrap();
        assert!(name.is_spelled("package-shipment-awb_number"));
        assert!(!name.is_spelled("package-shipment-awb-number"));
    }

    #[test]
    fn odd_names_are_refused() {
        for name in ["", ".", "a..b", "a b", "a.*", "ä", &"x".repeat(129)] {
            assert!(EventType::parse(name).is_err(), "{name:?}");
        }
    }
}

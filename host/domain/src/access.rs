//! What a token may do, and who did something.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::id::Owner;

/// One thing that a token may be allowed. Writing includes reading, `Admin` includes everything
/// and sees everybody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    HooksRead,
    HooksWrite,
    EventsWrite,
    DeliveriesRead,
    DeliveriesRetry,
    PluginsRead,
    PluginsWrite,
    Admin,
}

impl Right {
    pub const ALL: [Self; 8] = [
        Self::HooksRead,
        Self::HooksWrite,
        Self::EventsWrite,
        Self::DeliveriesRead,
        Self::DeliveriesRetry,
        Self::PluginsRead,
        Self::PluginsWrite,
        Self::Admin,
    ];

    /// As it is written in a token's `scopes`.
    #[must_use]
    pub fn scope(self) -> &'static str {
        match self {
            Self::HooksRead => "hooks:read",
            Self::HooksWrite => "hooks:write",
            Self::EventsWrite => "events:write",
            Self::DeliveriesRead => "deliveries:read",
            Self::DeliveriesRetry => "deliveries:retry",
            Self::PluginsRead => "plugins:read",
            Self::PluginsWrite => "plugins:write",
            Self::Admin => "admin",
        }
    }

    #[must_use]
    pub fn parse(scope: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|right| right.scope() == scope)
    }

    /// Its bit in what is stored: never given to another.
    fn bit(self) -> u16 {
        match self {
            Self::HooksRead => 1,
            Self::HooksWrite => 1 << 1,
            Self::EventsWrite => 1 << 2,
            Self::DeliveriesRead => 1 << 3,
            Self::DeliveriesRetry => 1 << 4,
            Self::PluginsRead => 1 << 5,
            Self::PluginsWrite => 1 << 6,
            Self::Admin => 1 << 7,
        }
    }

    /// What includes it.
    fn within(self) -> Option<Self> {
        match self {
            Self::HooksRead => Some(Self::HooksWrite),
            Self::DeliveriesRead => Some(Self::DeliveriesRetry),
            Self::PluginsRead => Some(Self::PluginsWrite),
            Self::HooksWrite
            | Self::EventsWrite
            | Self::DeliveriesRetry
            | Self::PluginsWrite
            | Self::Admin => None,
        }
    }
}

/// A set of rights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rights(u16);

impl Rights {
    /// Of a token that is made without scopes: all that concerns its owner's own.
    #[must_use]
    pub fn of_an_owner() -> Self {
        [
            Right::HooksWrite,
            Right::EventsWrite,
            Right::DeliveriesRetry,
            Right::PluginsRead,
        ]
        .into_iter()
        .collect()
    }

    #[must_use]
    pub fn has(self, right: Right) -> bool {
        let named = |right: Right| self.0 & right.bit() != 0;
        named(Right::Admin) || named(right) || right.within().is_some_and(named)
    }

    /// Those that were named, in the order of [`Right::ALL`].
    pub fn named(self) -> impl Iterator<Item = Right> {
        Right::ALL
            .into_iter()
            .filter(move |right| self.0 & right.bit() != 0)
    }

    #[must_use]
    pub fn bits(self) -> u16 {
        self.0
    }

    /// Bits of later versions are kept, and mean nothing here.
    #[must_use]
    pub fn of_bits(bits: u16) -> Self {
        Self(bits)
    }
}

impl FromIterator<Right> for Rights {
    fn from_iter<I: IntoIterator<Item = Right>>(rights: I) -> Self {
        Self(rights.into_iter().fold(0, |bits, right| bits | right.bit()))
    }
}

/// The short public name of a token: the beginning of its hash, which tells nothing of its text.
#[must_use]
pub fn token_id(hash: &[u8; 32]) -> String {
    hash.iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Who did something, by which token; what Whisperer did by itself has none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    pub owner: Owner,
    pub token: String,
}

/// What is to be remembered of a change, beside the change itself. What it shows holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    pub actor: Actor,
    pub action: &'static str,
    /// JSON.
    pub before: Option<String>,
    pub after: Option<String>,
}

impl Note {
    /// A hook was disabled by us: by a receiver's wish, or because it only failed.
    #[must_use]
    pub fn of_disabling(reason: &str) -> Self {
        Self {
            actor: Actor {
                owner: Owner::whisperer(),
                token: String::new(),
            },
            action: "disabled",
            before: None,
            after: Some(json!({ "reason": reason }).to_string()),
        }
    }
}

/// A change as it is remembered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    pub number: u64,
    pub at: crate::time::Timestamp,
    pub actor: Actor,
    pub action: String,
    /// What it was done to, as a path below the API's base: `hooks/17`.
    pub object: String,
    pub before: Option<String>,
    pub after: Option<String>,
}

/// More than so many are not kept: the oldest go.
pub const AUDIT_ENTRIES_MAX: u64 = 100_000;

#[cfg(test)]
mod tests {
    use super::{Right, Rights};

    #[test]
    fn writing_includes_reading_and_admin_everything() {
        let of = |rights: &[Right]| rights.iter().copied().collect::<Rights>();
        assert!(of(&[Right::HooksWrite]).has(Right::HooksRead));
        assert!(!of(&[Right::HooksRead]).has(Right::HooksWrite));
        assert!(of(&[Right::DeliveriesRetry]).has(Right::DeliveriesRead));
        for right in Right::ALL {
            assert!(of(&[Right::Admin]).has(right));
            assert!(of(&[right]).has(right));
            assert!(!Rights::default().has(right));
            assert_eq!(Right::parse(right.scope()), Some(right));
            assert_eq!(of(&[right]).named().collect::<Vec<_>>(), [right]);
            assert_eq!(Rights::of_bits(of(&[right]).bits()), of(&[right]));
        }
        assert!(!Rights::of_an_owner().has(Right::Admin));
        assert!(!Rights::of_an_owner().has(Right::PluginsWrite));
    }
}

//! A value that is never shown: wiped from memory when dropped, redacted wherever it is printed.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

/// What reads show in place of a secret, and what writes may send back to keep it.
pub const MASK: &str = "********";

/// Secret text. It has no `Serialize`, no `Display`, and its `Debug` tells nothing.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Secret(String);

impl Secret {
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The value itself, for signing, sending and sealing only.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn debug_shows_nothing() {
        let secret = Secret::new("hunter2".to_owned());
        assert_eq!(format!("{secret:?}"), "[REDACTED]");
    }
}

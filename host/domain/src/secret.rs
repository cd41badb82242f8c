//! A value that is never shown, and that lies in memory encrypted: what a core dump, a swap or a
//! read beyond a buffer's end brings to light are bytes without their key.
//!
//! It is in clear only while somebody holds an [`Exposed`], which is wiped when dropped: hold it
//! for one statement. Neither `Debug` nor any error tells a secret; there is no `Display` and no
//! `Serialize`. Its length is no secret.

mod key_page;

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize as _, Zeroizing};

pub use key_page::{KeyPageError, prepare};

/// What reads show in place of a secret, and what writes may send back to keep it.
pub const MASK: &str = "********";

const HIDDEN: &str = "[REDACTED]";

/// Secret text. Clones share it.
#[derive(Clone)]
pub struct Secret {
    /// Used once, for this text.
    nonce: u64,
    /// As long as the text.
    closed: Arc<[u8]>,
}

/// Which secret it is, and nothing about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity(u64);

/// A secret in clear, for signing, sending and sealing. Wiped when dropped.
pub struct Exposed(Zeroizing<String>);

impl Secret {
    /// Takes the text and wipes what it lay in.
    ///
    /// # Panics
    /// The system gives neither a page of memory nor random bytes, and [`prepare`], which says so
    /// as an error, was not called before.
    #[must_use]
    pub fn new(mut text: String) -> Self {
        let mut closed: Arc<[u8]> = Arc::from(text.as_bytes());
        text.zeroize();
        let nonce = key_page::fresh_nonce();
        // Nobody shares it yet.
        if let Some(bytes) = Arc::get_mut(&mut closed) {
            key_page::apply(nonce, bytes);
        }
        Self { nonce, closed }
    }

    /// The value itself, for as long as the answer lives.
    #[must_use]
    pub fn expose(&self) -> Exposed {
        let mut bytes = Zeroizing::new(self.closed.to_vec());
        key_page::apply(self.nonce, &mut bytes);
        // It was text when it was closed, and a stream cipher gives back what it got.
        let text = String::from_utf8(std::mem::take(&mut *bytes)).unwrap_or_default();
        Exposed(Zeroizing::new(text))
    }

    /// Of this text and its clones, and of no other in this process: for whoever wants to know a
    /// secret again without keeping anything that was made of it.
    #[must_use]
    pub fn identity(&self) -> Identity {
        Identity(self.nonce)
    }

    /// In bytes, without exposing it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.closed.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.closed.is_empty()
    }
}

/// Takes the same time wherever two texts of one length differ.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        if self.nonce == other.nonce {
            return true;
        }
        let (one, other) = (self.expose(), other.expose());
        one.as_bytes().ct_eq(other.as_bytes()).into()
    }
}

impl Eq for Secret {}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl Deref for Exposed {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Exposed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Secret;

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    #[test]
    fn debug_shows_nothing_closed_or_open() {
        let closed = secret("hunter2");
        assert_eq!(format!("{closed:?}"), "[REDACTED]");
        assert_eq!(format!("{:?}", closed.expose()), "[REDACTED]");
        assert_eq!(format!("{:?}", Some(&closed)), "Some([REDACTED])");
    }

    #[test]
    fn what_lies_in_memory_is_not_the_text() {
        let text = "a text that is long enough to be no chance hit";
        let (one, other) = (secret(text), secret(text));
        assert_ne!(&*one.closed, text.as_bytes());
        assert_ne!(one.closed, other.closed, "each has a stream of its own");
        assert_eq!(&*one.expose(), text);
        assert_eq!(one, other);
    }

    #[test]
    fn a_clone_shares_and_an_empty_text_is_one() {
        let one = secret("one");
        let clone = one.clone();
        assert!(std::sync::Arc::ptr_eq(&one.closed, &clone.closed));
        assert_eq!(one, clone);
        let empty = secret("");
        assert!(empty.is_empty() && empty.expose().is_empty());
        assert_eq!(empty, secret(""));
        assert_ne!(empty, one);
        // What a longer configuration comes to.
        let long = "x".repeat(256 << 10);
        assert_eq!(secret(&long).len(), long.len());
        assert_eq!(&*secret(&long).expose(), long);
    }

    proptest! {
        #[test]
        fn two_are_equal_exactly_if_their_texts_are(one: String, other: String) {
            prop_assert_eq!(secret(&one) == secret(&other), one == other);
            prop_assert_eq!(&*secret(&one).expose(), &one);
            prop_assert_eq!(secret(&one).len(), one.len());
        }
    }
}

//! Where a hook's requests go: an absolute http or https URL, normalised, without userinfo.

use std::fmt;

use url::Url;

/// The most bytes of a target URL, as given.
pub const TARGET_URL_BYTES_MAX: usize = 2048;

/// Normalised: what is stored, shown, compared and sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TargetUrl(Url);

impl TargetUrl {
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    #[must_use]
    pub fn as_url(&self) -> &Url {
        &self.0
    }
}

impl fmt::Display for TargetUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

//! The settings of the way out as an operator writes them: files of authorities, and the proxy.

use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serializer};
use whisperer_domain::secret::Secret;

use super::ConfigError;

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    List(Vec<PathBuf>),
    Text(String),
}

/// A list, or one text with commas.
pub(super) fn read_paths<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<PathBuf>, D::Error> {
    let paths = match Written::deserialize(from)? {
        Written::List(paths) => paths,
        Written::Text(text) => text
            .split(',')
            .map(|path| PathBuf::from(path.trim()))
            .collect(),
    };
    Ok(paths
        .into_iter()
        .filter(|path| !path.as_os_str().is_empty())
        .collect())
}

/// What it is worth is found out where it is used; nothing written is the same as none.
pub(super) fn read_secret<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Secret>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    Ok(text.filter(|text| !text.is_empty()).map(Secret::new))
}

/// Only the default is ever written, and that is none.
#[expect(
    clippy::ref_option,
    reason = "serde's `serialize_with` hands the field over so"
)]
pub(super) fn write_no_secret<S: Serializer>(_: &Option<Secret>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_none()
}

/// A password comes by the environment only, as the admin token: files are read by too many.
///
/// # Errors
/// The proxy is given with a user or a password, and not by the environment.
pub(super) fn check_proxy(proxy: Option<&Secret>, by_environment: bool) -> Result<(), ConfigError> {
    let has_credentials = proxy.is_some_and(|proxy| proxy.expose().contains('@'));
    if has_credentials && !by_environment {
        return Err(ConfigError::Range {
            key: "egress_proxy",
            words: "holds a user or a password, which files are the wrong place for: give it by \
                    the environment variable WHISPERER_EGRESS_PROXY"
                .to_owned(),
        });
    }
    Ok(())
}

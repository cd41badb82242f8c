//! `secret_key`: kept when it is absent or comes back as the mask, cleared by null alone.
//!
//! Another one than before takes effect at once, and with it those before it end. To change it
//! with an overlap is what `rotate` is for.

use serde_json::Value;
use whisperer_domain::secret::{MASK, Secret};
use whisperer_domain::sign;

use super::draft::Basis;
use super::keys;
use crate::api::field_errors::Checked;
use crate::api::value;

const CHARS_MAX: usize = 1_024;

pub(super) fn read(given: Option<&Value>, basis: Basis<'_>) -> Checked<Option<Secret>> {
    let old = basis.old().and_then(|old| old.secret_key.clone());
    let Some(given) = given else {
        return Ok(old);
    };
    let unreadable = basis.old().is_some_and(|old| old.secrets_unreadable);
    if given.is_null() && !unreadable {
        return Ok(None);
    }
    if given.as_str() == Some(MASK) {
        return match old {
            Some(kept) => Ok(Some(kept)),
            None => Err("This is the mask of a secret, and there is none to keep.".into()),
        };
    }
    if unreadable {
        return Err(keys::UNREADABLE.into());
    }
    fresh(given).map(Some)
}

/// One that is given to be taken.
pub(super) fn fresh(given: &Value) -> Checked<Secret> {
    let text = value::text(given, CHARS_MAX)?;
    if text == MASK {
        return Err("This is the mask of a secret, and no secret.".into());
    }
    sign::check_secret(text)?;
    Ok(Secret::new(text.to_owned()))
}

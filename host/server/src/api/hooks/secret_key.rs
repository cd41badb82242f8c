//! `secret_key`: kept when it is absent or comes back as the mask, cleared by null alone.

use serde_json::Value;
use whisperer_domain::secret::{MASK, Secret};
use whisperer_domain::sign;

use super::draft::Basis;
use crate::api::field_errors::Checked;
use crate::api::value;

const CHARS_MAX: usize = 1_024;

pub(super) fn read(given: Option<&Value>, basis: Basis<'_>) -> Checked<Option<Secret>> {
    let old = basis.old().and_then(|old| old.secret_key.clone());
    let Some(given) = given else {
        return Ok(old);
    };
    if given.is_null() {
        return Ok(None);
    }
    let text = value::text(given, CHARS_MAX)?;
    if text == MASK {
        return match old {
            Some(kept) => Ok(Some(kept)),
            None => Err("This is the mask of a secret, and there is none to keep.".into()),
        };
    }
    sign::check_secret(text)?;
    Ok(Some(Secret::new(text.to_owned())))
}

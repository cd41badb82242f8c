//! `config`: the owner's free-form object, of which only `auth` means something to us.
//!
//! The password never stands in the kept text: the mask does, or null when there is none. It is
//! kept when it is absent or comes back as the mask, cleared by null alone, and asked for anew
//! when the target moves to another host, which must not be handed it unasked.

use serde_json::{Map, Value};
use whisperer_domain::hook::{BasicAuth, Hook};
use whisperer_domain::secret::{MASK, Secret};
use whisperer_domain::target_url::TargetUrl;

use super::draft::Basis;
use crate::api::field_errors::{Checked, Fault, FieldErrors};
use crate::api::value;

const CREDENTIAL_CHARS_MAX: usize = 1_024;
const AUTH_MEMBERS: [&str; 3] = ["auth_type", "username", "password"];

#[derive(Debug)]
pub(super) struct Config {
    pub(super) text: String,
    pub(super) auth: Option<BasicAuth>,
}

/// `target` is the new one, if it could be read.
pub(super) fn read(
    given: Option<&Value>,
    basis: Basis<'_>,
    target: Option<&TargetUrl>,
) -> Checked<Config> {
    let old = basis.old();
    let moved = moved(basis, target);
    let kept_password = old
        .and_then(|old| old.auth.as_ref())
        .map(|auth| &auth.password);
    let members = match given {
        None => return unmentioned(basis, moved),
        Some(Value::Null) => Map::new(),
        Some(Value::Object(members)) => members.clone(),
        Some(other) => return Err(value::expected_object(other).into()),
    };
    let auth = match members.get("auth") {
        None | Some(Value::Null) => None,
        Some(auth) => {
            Some(basic_auth(auth, kept_password, moved).map_err(|fault| within("auth", fault))?)
        }
    };
    Ok(written(members, auth))
}

/// Secrets that may be sent are not handed to another host unasked. `target` is the new one, if it
/// could be read.
pub(super) fn moved(basis: Basis<'_>, target: Option<&TargetUrl>) -> bool {
    match (basis.old(), target) {
        (Some(old), Some(new)) => moves_elsewhere(&old.target, new),
        (None, _) | (_, None) => false,
    }
}

/// A PATCH leaves the object as it is; a PUT empties it, but for the credentials: what is a
/// secret is kept where it is not mentioned.
fn unmentioned(basis: Basis<'_>, moved: bool) -> Checked<Config> {
    let Some(old) = basis.old() else {
        return Ok(written(Map::new(), None));
    };
    let has_password = |auth: &BasicAuth| !auth.password.is_empty();
    if moved && old.auth.as_ref().is_some_and(has_password) {
        return Err(within("auth", password_fault(ASK_ANEW)));
    }
    match basis {
        Basis::New(_) | Basis::Replacing(_) => Ok(written(Map::new(), old.auth.clone())),
        Basis::Patching(Hook { config, auth, .. }) => Ok(Config {
            text: config.clone(),
            auth: auth.clone(),
        }),
    }
}

const ASK_ANEW: &str = "The target's host changes: give the password again, or null for none.";

fn basic_auth(given: &Value, kept: Option<&Secret>, moved: bool) -> Checked<BasicAuth> {
    let Value::Object(members) = given else {
        return Err(value::expected_object(given).into());
    };
    let mut errors = FieldErrors::default();
    errors.note_unknown(members, &AUTH_MEMBERS);
    let kind = match members.get("auth_type") {
        None => Err(value::REQUIRED.into()),
        Some(given) => value::choice(given, &[("basic", ())]).map_err(Into::into),
    };
    errors.note("auth_type", kind);
    let username = match members.get("username") {
        None => Err(value::REQUIRED.into()),
        Some(given) => username(given),
    };
    let username = errors.note("username", username);
    let password = errors.note("password", password(members.get("password"), kept, moved));
    match username.zip(password) {
        Some((username, password)) => Ok(errors.or(BasicAuth { username, password })?),
        None => Err(errors.into()),
    }
}

/// RFC 7617: the first colon ends the username, and control characters are out.
fn username(given: &Value) -> Checked<String> {
    let text = value::text(given, CREDENTIAL_CHARS_MAX)?;
    if text.contains(':') || text.chars().any(char::is_control) {
        return Err("Must not contain a colon or control characters.".into());
    }
    Ok(text.to_owned())
}

fn password(given: Option<&Value>, kept: Option<&Secret>, moved: bool) -> Checked<Secret> {
    let given = match given {
        Some(Value::Null) => return Ok(Secret::new(String::new())),
        Some(Value::String(text)) if text == MASK => None,
        Some(given) => Some(given),
        None => None,
    };
    let Some(given) = given else {
        return match kept {
            Some(kept) if moved && !kept.is_empty() => Err(ASK_ANEW.into()),
            Some(kept) => Ok(kept.clone()),
            None => Err("There is no password to keep: give one, or null for none.".into()),
        };
    };
    let text = value::text(given, CREDENTIAL_CHARS_MAX)?;
    if text.chars().any(char::is_control) {
        return Err("Must not contain control characters.".into());
    }
    Ok(Secret::new(text.to_owned()))
}

/// Another host or port, or the same without TLS.
fn moves_elsewhere(old: &TargetUrl, new: &TargetUrl) -> bool {
    let (old, new) = (old.as_url(), new.as_url());
    old.host_str() != new.host_str()
        || (old.scheme() == "https" && new.scheme() == "http")
        || (old.scheme() == new.scheme()
            && old.port_or_known_default() != new.port_or_known_default())
}

fn written(mut members: Map<String, Value>, auth: Option<BasicAuth>) -> Config {
    if let Some(auth) = &auth {
        let mut shown = Map::new();
        shown.insert("auth_type".to_owned(), "basic".into());
        shown.insert("username".to_owned(), auth.username.as_str().into());
        let password = match auth.password.is_empty() {
            true => Value::Null,
            false => MASK.into(),
        };
        shown.insert("password".to_owned(), password);
        members.insert("auth".to_owned(), Value::Object(shown));
    }
    Config {
        text: Value::Object(members).to_string(),
        auth,
    }
}

fn within(field: &str, fault: Fault) -> Fault {
    let mut errors = FieldErrors::default();
    errors.put(field, fault);
    errors.into()
}

fn password_fault(words: &str) -> Fault {
    FieldErrors::of("password", words).into()
}

//! Keys that are made here: of the operating system's randomness, and for hooks that lack one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use whisperer_domain::hook::Hook;
use whisperer_domain::secret::Secret;
use whisperer_domain::sign::{KeyPair, SEED_BYTES, SignatureForm};
use zeroize::Zeroizing;

use crate::api::field_errors::{Checked, FieldErrors};
use crate::api::problem::Problem;

const SECRET_BYTES: usize = 32;

pub(super) const UNREADABLE: &str = "The hook's secrets cannot be read with the key that the \
     server was started with, so that they cannot be changed either: start it with the key file \
     that they were written with, or delete the hook and register it anew.";

/// Which forms a hook may name, seen from its keys. A hook whose secrets are unreadable may have a
/// pair; whether it needs one cannot be known.
pub(super) fn may_sign(forms: &[SignatureForm], old: Option<&Hook>) -> Checked<()> {
    let named = forms.contains(&SignatureForm::Ed25519);
    let unknown = |old: &Hook| old.secrets_unreadable && !old.signs_with(SignatureForm::Ed25519);
    if named && old.is_some_and(unknown) {
        return Err(UNREADABLE.into());
    }
    Ok(())
}

/// Of a hook whose secrets are unreadable, what holds any stays as it is: the mask that stands for
/// them would else be sealed in their place, and sent one day.
pub(super) fn check_unreadable(new: &Hook, old: &Hook, errors: &mut FieldErrors) {
    if !old.secrets_unreadable {
        return;
    }
    for (field, is_same) in [
        (
            "additional_headers",
            new.additional_headers == old.additional_headers,
        ),
        ("config", new.auth == old.auth),
        ("plugins", new.plugins == old.plugins),
    ] {
        if !is_same {
            errors.add(field, UNREADABLE);
        }
    }
}

/// Gives the hook the pair that it is to sign with, if it has none.
pub(super) fn complete(hook: &mut Hook) -> Result<(), Problem> {
    let lacks = hook.signs_with(SignatureForm::Ed25519) && hook.key_pair.is_none();
    if lacks && !hook.secrets_unreadable {
        hook.key_pair = Some(pair()?);
    }
    Ok(())
}

pub(super) fn pair() -> Result<KeyPair, Problem> {
    let seed = random::<SEED_BYTES>()?;
    Ok(KeyPair::from_seed(&seed))
}

/// As Standard Webhooks writes it: 256 bits.
pub(super) fn secret() -> Result<Secret, Problem> {
    let mut text = String::with_capacity(64);
    text.push_str("whsec_");
    STANDARD.encode_string(&random::<SECRET_BYTES>()?[..], &mut text);
    Ok(Secret::new(text))
}

fn random<const BYTES: usize>() -> Result<Zeroizing<[u8; BYTES]>, Problem> {
    let mut bytes = Zeroizing::new([0; BYTES]);
    getrandom::fill(&mut bytes[..]).map_err(|error| Problem::internal(&error))?;
    Ok(bytes)
}

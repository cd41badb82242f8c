//! From what a client wrote to a whole, valid hook, or to everything that is wrong with it.
//!
//! All fields are looked at before anything is said, so that one round shows every fault. Only
//! secrets outlive a PUT that does not mention them.

use serde_json::value::RawValue;
use serde_json::{Map, Value};
use whisperer_domain::catalog::CatalogSnapshot;
use whisperer_domain::hook::{Hook, HookStatus};
use whisperer_domain::id::{HookId, Owner};
use whisperer_domain::target_url::{TARGET_URL_BYTES_MAX, TargetUrl};
use whisperer_domain::time::Timestamp;

use super::chain::{self, Old};
use super::settings::Settings;
use super::{config, filter, keys, room, secret_key, subscription};
use crate::api::Api;
use crate::api::auth::Principal;
use crate::api::body;
use crate::api::field_errors::{Checked, FieldErrors};
use crate::api::problem::Problem;
use crate::api::value;
use crate::nearest::did_you_mean;

const WRITABLE: [&str; 18] = [
    "target_url",
    "event_type",
    "retry_countdown_config",
    "additional_headers",
    "secret_key",
    "is_active",
    "config",
    "plugins",
    "on_plugin_error",
    "envelope",
    "signatures",
    "timeout_ms",
    "max_attempts",
    "max_age",
    "max_in_flight",
    "rate_limit",
    "ordered",
    "filter",
];
/// Clients send back what they read: these are ours to say and are passed over.
const READ_ONLY: [&str; 5] = ["id", "created_date", "modified_date", "owner", "state"];

/// A hook as a client wrote it.
pub(super) struct Written<'a> {
    members: Map<String, Value>,
    /// The text of that member, for the digits of its numbers.
    filter: Option<&'a RawValue>,
}

impl<'a> Written<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Result<Self, Problem> {
        Ok(Self {
            members: body::object(bytes)?,
            filter: filter::written(bytes)?,
        })
    }
}

/// What the input is laid over.
#[derive(Clone, Copy)]
pub(super) enum Basis<'a> {
    New(&'a Owner),
    Replacing(&'a Hook),
    Patching(&'a Hook),
}

impl<'a> Basis<'a> {
    pub(super) fn old(self) -> Option<&'a Hook> {
        match self {
            Self::New(_) => None,
            Self::Replacing(old) | Self::Patching(old) => Some(old),
        }
    }

    pub(super) fn owner(self) -> &'a Owner {
        match self {
            Self::New(owner) => owner,
            Self::Replacing(old) | Self::Patching(old) => &old.owner,
        }
    }
}

/// # Errors
/// Everything that is wrong, by field.
pub(super) fn hook(
    written: &Written<'_>,
    api: &Api,
    snapshot: &CatalogSnapshot,
    basis: Basis<'_>,
    who: &Principal,
) -> Result<Hook, FieldErrors> {
    let input = &written.members;
    let mut errors = unknown_fields(input);
    let target = errors.note("target_url", target(input.get("target_url"), api, basis));
    let subscription = errors.note(
        "event_type",
        subscription::read(input.get("event_type"), snapshot, basis, who),
    );
    let secret_key = errors.note(
        "secret_key",
        secret_key::read(input.get("secret_key"), basis),
    );
    let config = errors.note(
        "config",
        config::read(input.get("config"), basis, target.as_ref()),
    );
    let mut settings = match basis {
        Basis::New(_) | Basis::Replacing(_) => Settings::default(),
        Basis::Patching(old) => Settings::of(old),
    };
    let moved = config::moved(basis, target.as_ref());
    let old_chain = match basis.old() {
        None => Old::None,
        Some(old) if moved => Old::Moved(&old.plugins),
        Some(old) => Old::Kept(&old.plugins),
    };
    settings.read(input, snapshot, old_chain, &mut errors);
    errors.note(
        "signatures",
        keys::may_sign(&settings.signatures, basis.old()),
    );
    if moved && !input.contains_key("plugins") {
        let kept = chain::may_move(&settings.plugins, snapshot);
        errors.note("plugins", kept.map_err(Into::into));
    }
    let is_active = errors.note("is_active", activity(input.get("is_active")));
    let filter = filter::read(written.filter, input.contains_key("filter"), basis);
    let filter = errors.note("filter", filter);

    let read = target
        .zip(subscription)
        .zip(secret_key)
        .zip(config)
        .zip(is_active)
        .zip(filter);
    let Some((((((target, subscription), secret_key), config), is_active), filter)) = read else {
        return Err(errors);
    };
    let old = basis.old();
    let same_secret = old.filter(|old| old.secret_key == secret_key);
    let old_secret_keys = same_secret.map(|old| old.old_secret_keys.clone());
    let old_key_pairs = old.map(|old| old.old_key_pairs.clone());
    let hook = Hook {
        // Id, times and revision of a new hook are the store's to set.
        id: old.map_or(HookId(0), |old| old.id),
        owner: basis.owner().clone(),
        target,
        subscription,
        filter,
        retry: settings.retry,
        max_attempts: settings.max_attempts,
        max_age: settings.max_age,
        additional_headers: settings.additional_headers,
        secret_key,
        old_secret_keys: old_secret_keys.unwrap_or_default(),
        key_pair: old.and_then(|old| old.key_pair.clone()),
        old_key_pairs: old_key_pairs.unwrap_or_default(),
        status: status(basis, is_active),
        config: config.text,
        auth: config.auth,
        plugins: settings.plugins,
        on_plugin_error: settings.on_plugin_error,
        envelope: settings.envelope,
        signatures: settings.signatures,
        timeout: settings.timeout,
        max_in_flight: settings.max_in_flight,
        rate_limit: settings.rate_limit,
        ordered: settings.ordered,
        created_at: old.map_or(Timestamp(0), |old| old.created_at),
        modified_at: old.map_or(Timestamp(0), |old| old.modified_at),
        revision: old.map_or(0, |old| old.revision),
        secrets_unreadable: old.is_some_and(|old| old.secrets_unreadable),
    };
    if let Some(old) = old {
        keys::check_unreadable(&hook, old, &mut errors);
    }
    if let Err(words) = room::check(&hook, snapshot) {
        errors.add("non_field_errors", words);
    }
    errors.or(hook)
}

fn unknown_fields(input: &Map<String, Value>) -> FieldErrors {
    let mut errors = FieldErrors::default();
    for name in input.keys() {
        if !WRITABLE.contains(&name.as_str()) && !READ_ONLY.contains(&name.as_str()) {
            let near = did_you_mean(name, WRITABLE.into_iter());
            errors.add(name, format!("Unknown field.{near}"));
        }
    }
    errors
}

fn target(given: Option<&Value>, api: &Api, basis: Basis<'_>) -> Checked<TargetUrl> {
    let Some(given) = given else {
        return match basis {
            Basis::New(_) | Basis::Replacing(_) => Err(value::REQUIRED.into()),
            Basis::Patching(old) => Ok(old.target.clone()),
        };
    };
    let text = value::text(given, TARGET_URL_BYTES_MAX)?;
    let target = TargetUrl::parse(text)?;
    api.policy
        .check_target(&target)
        .map_err(|forbidden| forbidden.sentence())?;
    Ok(target)
}

fn activity(given: Option<&Value>) -> Checked<Option<bool>> {
    Ok(given.map(value::boolean).transpose()?)
}

/// A hook that we disabled says `is_active: false` when it is read. Sent back, or not said, that
/// keeps it disabled with its reason; only `true` brings it back. A paused one says `true`, since
/// it gets new deliveries: it stays paused until it is resumed or switched off.
fn status(basis: Basis<'_>, is_active: Option<bool>) -> HookStatus {
    let old = basis.old().map(|old| &old.status);
    match (old, is_active) {
        (Some(paused @ HookStatus::Paused { .. }), Some(true) | None) => paused.clone(),
        (_, Some(true)) => HookStatus::Active,
        (Some(disabled @ HookStatus::Disabled { .. }), Some(false) | None) => disabled.clone(),
        (
            Some(HookStatus::Active | HookStatus::Inactive | HookStatus::Paused { .. }) | None,
            Some(false),
        ) => HookStatus::Inactive,
        (Some(kept @ (HookStatus::Active | HookStatus::Inactive)), None) => match basis {
            Basis::New(_) | Basis::Replacing(_) => HookStatus::Active,
            Basis::Patching(_) => kept.clone(),
        },
        (None, None) => HookStatus::Active,
    }
}

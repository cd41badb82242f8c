//! A hook as it is stored: everything in clear but its secrets, which are sealed as one text.
//!
//! One text, because they are used together or not at all: a hook whose secrets do not open
//! holds its deliveries back (`secrets_unreadable`), it never sends with half of them. Names of
//! headers and plugins stay in clear; their values and configs stand in the sealed text in the
//! same order. Behind them, as the tail of that text, stands which places of the configs are
//! hidden, and behind that the keys that `signing.rs` tells of; there is no tail if nothing is
//! hidden and the secret key is the only one, as in records from before more was kept. What else
//! hooks did not have at first follows the record itself as appended fields: the filter, and
//! behind it what came still later.

mod signing;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use whisperer_domain::envelope::Envelope;
use whisperer_domain::event_type::EventPattern;
use whisperer_domain::filter::Filter;
use whisperer_domain::hook::{
    BasicAuth, ChainLink, Hook, HookStatus, OnPluginError, Ordered, PluginChoice,
};
use whisperer_domain::id::{HookId, Owner};
use whisperer_domain::plugin::PluginName;
use whisperer_domain::schedule::RetryConfig;
use whisperer_domain::secret::{MASK, Secret};
use whisperer_domain::sign::SignatureForm;
use whisperer_domain::target_url::TargetUrl;
use whisperer_domain::time::Timestamp;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::redb_store::fault::Fault;
use crate::redb_store::frame;
use crate::redb_store::seal::{KeyId, Seal, Sealed};
use signing::{KeysRecord, SigningKeys};

#[derive(Serialize, Deserialize)]
pub(in crate::redb_store) struct HookRecord {
    owner: Owner,
    target: String,
    subscription: EventPattern,
    retry: RetryConfig,
    max_attempts: Option<u32>,
    max_age_ms: u64,
    header_names: Option<Vec<String>>,
    status: StatusRecord,
    config: String,
    username: Option<String>,
    chain: Option<Vec<PluginName>>,
    on_plugin_error: OnPluginErrorRecord,
    envelope: Envelope,
    signatures: Vec<SignatureForm>,
    timeout_ms: u64,
    max_in_flight: u16,
    created_at: Timestamp,
    modified_at: Timestamp,
    revision: u64,
    /// None: it is a tombstone.
    sealed: Option<Sealed>,
    #[serde(skip)]
    appended: (Appended, Pacing),
}

#[derive(Default, PartialEq, Serialize, Deserialize)]
struct Appended {
    filter: Option<String>,
}

/// What came after the filter.
#[derive(Default, PartialEq, Serialize, Deserialize)]
struct Pacing {
    rate_limit: Option<u32>,
    ordered: OrderedRecord,
}

#[derive(Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
enum OrderedRecord {
    #[default]
    No,
    Hook,
    Object,
}

#[derive(Serialize, Deserialize)]
enum StatusRecord {
    Active,
    Inactive,
    Disabled { reason: String, since: Timestamp },
    Paused { since: Timestamp },
}

#[derive(Serialize, Deserialize)]
enum OnPluginErrorRecord {
    Retry,
    Dead,
    Send,
}

/// The places that are hidden in each config of a chain.
type Hidden = Vec<Vec<String>>;

/// The text that is sealed. Wiped when dropped.
#[derive(Default, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
struct SecretsRecord {
    secret_key: Option<String>,
    password: Option<String>,
    header_values: Vec<String>,
    chain_configs: Vec<String>,
}

/// What was sealed, opened.
struct Opened {
    secrets: SecretsRecord,
    hidden: Hidden,
    keys: SigningKeys,
}

impl HookRecord {
    pub(in crate::redb_store) fn encode(&self) -> Vec<u8> {
        let (first, later) = &self.appended;
        let tail = if *later == Pacing::default() {
            frame::appended(first)
        } else {
            frame::appended(&self.appended)
        };
        frame::encode_with_tail(self, &tail)
    }

    pub(in crate::redb_store) fn decode(
        table: &'static str,
        id: HookId,
        bytes: &[u8],
    ) -> Result<Self, Fault> {
        let (record, tail): (Self, _) = frame::decode_with_tail(table, &id.0, bytes)?;
        let (first, tail) = frame::take_appended(table, &id.0, tail)?;
        let later = frame::read_appended(table, &id.0, tail)?;
        Ok(Self {
            appended: (first, later),
            ..record
        })
    }

    pub(in crate::redb_store) fn sealed(hook: &Hook, seal: &Seal) -> Result<Self, Fault> {
        let tail = sealed_tail(hook);
        let plain = Zeroizing::new(frame::encode_with_tail(&SecretsRecord::of(hook), &tail));
        let sealed = seal.seal(&belongs_to(&hook.owner, hook.id), &plain)?;
        Ok(Self::with(hook, Some(sealed)))
    }

    /// Under which key its secrets are sealed; none for a tombstone.
    pub(in crate::redb_store) fn sealer(&self) -> Option<KeyId> {
        self.sealed.as_ref().map(|sealed| sealed.with.key_id)
    }

    /// Its secrets go over to the key that seals now, as they are. False: they do not open.
    pub(in crate::redb_store) fn reseal(&mut self, id: HookId, seal: &Seal) -> Result<bool, Fault> {
        let Some(sealed) = &self.sealed else {
            return Ok(true);
        };
        let belongs_to = belongs_to(&self.owner, id);
        let Some(plain) = seal.open(&belongs_to, sealed) else {
            return Ok(false);
        };
        self.sealed = Some(seal.seal(&belongs_to, &plain)?);
        Ok(true)
    }

    /// What stays of a deleted hook.
    pub(in crate::redb_store) fn tombstone(hook: &Hook) -> Self {
        Self::with(hook, None)
    }

    /// A changed hook whose secrets could not be read, and so could not be changed either,
    /// keeps them as they lie in `old`, if it still has the same ones. For the day when the
    /// right key is back.
    pub(in crate::redb_store) fn carried(hook: &Hook, old: Self) -> Option<Self> {
        let new = Self::with(hook, old.sealed);
        let same = new.owner == old.owner
            && new.header_names == old.header_names
            && new.chain == old.chain
            && new.username == old.username;
        same.then_some(new)
    }

    fn with(hook: &Hook, sealed: Option<Sealed>) -> Self {
        let header_names = hook.additional_headers.as_ref();
        Self {
            owner: hook.owner.clone(),
            target: hook.target.as_str().to_owned(),
            subscription: hook.subscription.clone(),
            retry: hook.retry.clone(),
            max_attempts: hook.max_attempts,
            max_age_ms: millis(hook.max_age),
            header_names: header_names
                .map(|headers| headers.iter().map(|(name, _)| name.clone()).collect()),
            status: match &hook.status {
                HookStatus::Active => StatusRecord::Active,
                HookStatus::Inactive => StatusRecord::Inactive,
                HookStatus::Disabled { reason, since } => StatusRecord::Disabled {
                    reason: reason.clone(),
                    since: *since,
                },
                HookStatus::Paused { since } => StatusRecord::Paused { since: *since },
            },
            config: hook.config.clone(),
            username: hook.auth.as_ref().map(|auth| auth.username.clone()),
            chain: match &hook.plugins {
                PluginChoice::ByPattern => None,
                PluginChoice::Chain(links) => {
                    Some(links.iter().map(|link| link.name.clone()).collect())
                }
            },
            on_plugin_error: match hook.on_plugin_error {
                OnPluginError::Retry => OnPluginErrorRecord::Retry,
                OnPluginError::Dead => OnPluginErrorRecord::Dead,
                OnPluginError::Send => OnPluginErrorRecord::Send,
            },
            envelope: hook.envelope,
            signatures: hook.signatures.clone(),
            timeout_ms: millis(hook.timeout),
            max_in_flight: hook.max_in_flight,
            created_at: hook.created_at,
            modified_at: hook.modified_at,
            revision: hook.revision,
            sealed,
            appended: (
                Appended {
                    filter: hook.filter.as_ref().map(|filter| filter.text().to_string()),
                },
                Pacing {
                    rate_limit: hook.rate_limit,
                    ordered: match hook.ordered {
                        Ordered::No => OrderedRecord::No,
                        Ordered::Hook => OrderedRecord::Hook,
                        Ordered::Object => OrderedRecord::Object,
                    },
                },
            ),
        }
    }

    /// The hook with its secrets; masked, and marked, where they do not open. Tombstones are
    /// masked and not marked.
    pub(in crate::redb_store) fn into_hook(
        self,
        table: &'static str,
        id: HookId,
        seal: &Seal,
    ) -> Result<Hook, Fault> {
        let target = TargetUrl::parse(&self.target)
            .map_err(|what| frame::damaged(table, &id.0, &format!("has a bad target: {what}")))?;
        let filter = self.filter(table, id)?;
        let is_tombstone = self.sealed.is_none();
        let secrets = self.secrets(id, seal);
        let secrets_unreadable = secrets.is_none() && !is_tombstone;
        let Opened {
            secrets,
            hidden,
            keys,
        } = secrets.unwrap_or_else(|| self.masked());
        Ok(Hook {
            id,
            target,
            filter,
            additional_headers: self
                .header_names
                .map(|names| paired(names, &secrets.header_values).collect()),
            secret_key: secrets.secret_key.clone().map(Secret::new),
            old_secret_keys: keys.old_secrets,
            key_pair: keys.pair,
            old_key_pairs: keys.old_pairs,
            status: match self.status {
                StatusRecord::Active => HookStatus::Active,
                StatusRecord::Inactive => HookStatus::Inactive,
                StatusRecord::Disabled { reason, since } => HookStatus::Disabled { reason, since },
                StatusRecord::Paused { since } => HookStatus::Paused { since },
            },
            auth: self.username.map(|username| BasicAuth {
                username,
                password: Secret::new(secrets.password.clone().unwrap_or_default()),
            }),
            plugins: self.chain.map_or(PluginChoice::ByPattern, |names| {
                let hidden = hidden.into_iter().chain(std::iter::repeat(Vec::new()));
                let links = paired(names, &secrets.chain_configs).zip(hidden);
                PluginChoice::Chain(
                    links
                        .map(|((name, config), hidden)| ChainLink {
                            name,
                            config,
                            hidden,
                        })
                        .collect(),
                )
            }),
            on_plugin_error: match self.on_plugin_error {
                OnPluginErrorRecord::Retry => OnPluginError::Retry,
                OnPluginErrorRecord::Dead => OnPluginError::Dead,
                OnPluginErrorRecord::Send => OnPluginError::Send,
            },
            owner: self.owner,
            subscription: self.subscription,
            retry: self.retry,
            max_attempts: self.max_attempts,
            max_age: Duration::from_millis(self.max_age_ms),
            config: self.config,
            envelope: self.envelope,
            signatures: self.signatures,
            timeout: Duration::from_millis(self.timeout_ms),
            max_in_flight: self.max_in_flight,
            rate_limit: self.appended.1.rate_limit,
            ordered: match self.appended.1.ordered {
                OrderedRecord::No => Ordered::No,
                OrderedRecord::Hook => Ordered::Hook,
                OrderedRecord::Object => Ordered::Object,
            },
            created_at: self.created_at,
            modified_at: self.modified_at,
            revision: self.revision,
            secrets_unreadable,
        })
    }

    /// A hook whose filter does not read is damaged: without it, it would get what it never asked
    /// for.
    fn filter(&self, table: &'static str, id: HookId) -> Result<Option<Arc<Filter>>, Fault> {
        let Some(text) = &self.appended.0.filter else {
            return Ok(None);
        };
        let filter = Filter::parse(text).map_err(|faults| {
            let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
            let what = format!("has a bad filter: {}", faults.join("; "));
            frame::damaged(table, &id.0, &what)
        })?;
        Ok(Some(Arc::new(filter)))
    }

    /// None unless they open and belong to this record's names.
    fn secrets(&self, id: HookId, seal: &Seal) -> Option<Opened> {
        let plain = seal.open(&belongs_to(&self.owner, id), self.sealed.as_ref()?)?;
        let (secrets, tail): (SecretsRecord, _) =
            frame::decode_with_tail("hooks", &id.0, &plain).ok()?;
        let (hidden, tail): (Hidden, _) = match tail {
            [] => (Vec::new(), tail),
            tail => frame::decode_with_tail("hooks", &id.0, tail).ok()?,
        };
        let keys: KeysRecord = frame::read_appended("hooks", &id.0, tail).ok()?;
        let headers = self.header_names.as_ref().map_or(0, Vec::len);
        let links = self.chain.as_ref().map_or(0, Vec::len);
        let fits = secrets.header_values.len() == headers && secrets.chain_configs.len() == links;
        fits.then_some(Opened {
            secrets,
            hidden,
            keys: keys.keys()?,
        })
    }

    fn masked(&self) -> Opened {
        let masks = |count: usize| vec![MASK.to_owned(); count];
        let secrets = SecretsRecord {
            secret_key: None,
            password: self.username.as_ref().map(|_| MASK.to_owned()),
            header_values: masks(self.header_names.as_ref().map_or(0, Vec::len)),
            // Not the mask: readers take a config for JSON.
            chain_configs: vec!["{}".to_owned(); self.chain.as_ref().map_or(0, Vec::len)],
        };
        Opened {
            secrets,
            hidden: Vec::new(),
            keys: SigningKeys::default(),
        }
    }
}

impl SecretsRecord {
    fn of(hook: &Hook) -> Self {
        let text = |secret: &Secret| secret.expose().to_string();
        Self {
            secret_key: hook.secret_key.as_ref().map(text),
            password: hook.auth.as_ref().map(|auth| text(&auth.password)),
            header_values: hook
                .additional_headers
                .iter()
                .flatten()
                .map(|(_, value)| text(value))
                .collect(),
            chain_configs: match &hook.plugins {
                PluginChoice::ByPattern => Vec::new(),
                PluginChoice::Chain(links) => links.iter().map(|link| text(&link.config)).collect(),
            },
        }
    }
}

/// What is hidden in each config, then the keys; the first also where only the second says
/// something.
fn sealed_tail(hook: &Hook) -> Zeroizing<Vec<u8>> {
    let links = match &hook.plugins {
        PluginChoice::Chain(links) => &links[..],
        PluginChoice::ByPattern => &[],
    };
    let keys = Zeroizing::new(frame::appended(&KeysRecord::of(hook)));
    if keys.is_empty() && links.iter().all(|link| link.hidden.is_empty()) {
        return Zeroizing::new(Vec::new());
    }
    let hidden: Hidden = links.iter().map(|link| link.hidden.clone()).collect();
    Zeroizing::new(frame::encode_with_tail(&hidden, &keys))
}

fn paired<N>(names: Vec<N>, values: &[String]) -> impl Iterator<Item = (N, Secret)> {
    names
        .into_iter()
        .zip(values)
        .map(|(name, value)| (name, Secret::new(value.clone())))
}

fn belongs_to(owner: &Owner, id: HookId) -> Vec<u8> {
    let mut text = b"whisperer hook secrets\0".to_vec();
    text.extend_from_slice(&id.0.to_be_bytes());
    text.extend_from_slice(owner.as_str().as_bytes());
    text
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;

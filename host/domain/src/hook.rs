//! A subscription, valid by construction: what the API admitted and the store holds.

mod rotation;

use std::sync::Arc;
use std::time::Duration;

use crate::envelope::Envelope;
use crate::event_type::EventPattern;
use crate::filter::Filter;
use crate::id::{HookId, Owner};
use crate::plugin::PluginName;
use crate::schedule::RetryConfig;
use crate::secret::Secret;
use crate::sign::{KeyPair, Keys, OldKeys, SignatureForm};
use crate::target_url::TargetUrl;
use crate::time::Timestamp;

pub use rotation::{FreshKeys, OVERLAP_DEFAULT, OVERLAP_MAX, TooManyOldKeys};

pub const TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);
pub const TIMEOUT_MIN: Duration = Duration::from_millis(100);
pub const TIMEOUT_MAX: Duration = Duration::from_secs(60);
pub const MAX_ATTEMPTS_MAX: u32 = 100;
pub const MAX_AGE_DEFAULT: Duration = Duration::from_secs(7 * 24 * 3600);
pub const MAX_IN_FLIGHT_DEFAULT: u16 = 8;
pub const MAX_IN_FLIGHT_MAX: u16 = 256;
pub const RATE_LIMIT_MAX: u32 = 10_000;

#[derive(Clone, Debug, PartialEq)]
pub struct Hook {
    pub id: HookId,
    pub owner: Owner,
    pub target: TargetUrl,
    pub subscription: EventPattern,
    /// What of the payload it wants; none: whatever it is.
    pub filter: Option<Arc<Filter>>,
    pub retry: RetryConfig,
    /// As the owner set it; none: the default of the schedule, see [`Hook::max_attempts`].
    pub max_attempts: Option<u32>,
    pub max_age: Duration,
    /// Names with values that may be credentials.
    pub additional_headers: Option<Vec<(String, Secret)>>,
    pub secret_key: Option<Secret>,
    /// What it was before, see [`Hook::rotate`].
    pub old_secret_keys: OldKeys<Secret>,
    /// Stays when the form is taken away: a partner that has the public key keeps the right one.
    pub key_pair: Option<KeyPair>,
    pub old_key_pairs: OldKeys<KeyPair>,
    pub status: HookStatus,
    /// The free-form object as JSON text; a password in `auth` stands in it as the mask.
    pub config: String,
    /// `config.auth`, for sending.
    pub auth: Option<BasicAuth>,
    pub plugins: PluginChoice,
    pub on_plugin_error: OnPluginError,
    pub envelope: Envelope,
    pub signatures: Vec<SignatureForm>,
    pub timeout: Duration,
    pub max_in_flight: u16,
    /// Attempts per second, at most.
    pub rate_limit: Option<u32>,
    pub ordered: Ordered,
    pub created_at: Timestamp,
    pub modified_at: Timestamp,
    /// Grows with each change: the hook's `ETag`, and what a change must name.
    pub revision: u64,
    /// The store could not open the hook's sealed secrets; it holds deliveries back.
    pub secrets_unreadable: bool,
}

impl Hook {
    /// With every default of the API. Its id, times and revision are the store's to give.
    #[must_use]
    pub fn new(owner: Owner, target: TargetUrl, subscription: EventPattern) -> Self {
        Self {
            id: HookId(0),
            owner,
            target,
            subscription,
            filter: None,
            retry: RetryConfig::default(),
            max_attempts: None,
            max_age: MAX_AGE_DEFAULT,
            additional_headers: None,
            secret_key: None,
            old_secret_keys: OldKeys::default(),
            key_pair: None,
            old_key_pairs: OldKeys::default(),
            status: HookStatus::Active,
            config: "{}".to_owned(),
            auth: None,
            plugins: PluginChoice::ByPattern,
            on_plugin_error: OnPluginError::Retry,
            envelope: Envelope::Whisperer,
            signatures: vec![SignatureForm::Whisperer, SignatureForm::Standard],
            timeout: TIMEOUT_DEFAULT,
            max_in_flight: MAX_IN_FLIGHT_DEFAULT,
            rate_limit: None,
            ordered: Ordered::No,
            created_at: Timestamp(0),
            modified_at: Timestamp(0),
            revision: 0,
            secrets_unreadable: false,
        }
    }

    #[must_use]
    pub fn max_attempts(&self) -> u32 {
        self.max_attempts
            .unwrap_or_else(|| self.retry.max_attempts_default())
    }

    #[must_use]
    pub fn signs_with(&self, form: SignatureForm) -> bool {
        self.signatures.contains(&form)
    }

    #[must_use]
    pub fn keys(&self) -> Keys<'_> {
        Keys {
            secret: self.secret_key.as_ref(),
            old_secrets: &self.old_secret_keys,
            pair: self.key_pair.as_ref(),
            old_pairs: &self.old_key_pairs,
        }
    }

    /// Whether new events make deliveries for it.
    #[must_use]
    pub fn accepts(&self) -> bool {
        match self.status {
            HookStatus::Active | HookStatus::Paused { .. } => true,
            HookStatus::Inactive | HookStatus::Disabled { .. } => false,
        }
    }

    /// Whether its deliveries are tried; else they wait.
    #[must_use]
    pub fn delivers(&self) -> bool {
        match self.status {
            HookStatus::Active => true,
            HookStatus::Inactive | HookStatus::Disabled { .. } | HookStatus::Paused { .. } => false,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookStatus {
    Active,
    /// By its owner: no new deliveries, pending ones wait.
    Inactive,
    /// By us.
    Disabled {
        reason: String,
        since: Timestamp,
    },
    /// By hand: it gets new deliveries, and all of them wait.
    Paused {
        since: Timestamp,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BasicAuth {
    pub username: String,
    pub password: Secret,
}

/// Which plugins a hook's events go through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PluginChoice {
    /// Every plugin of the folder whose patterns match, in name order.
    ByPattern,
    /// Exactly these, in this order; none at all if empty.
    Chain(Vec<ChainLink>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainLink {
    pub name: PluginName,
    /// JSON text handed to the plugin at each call. Sealed at rest: it may hold secrets.
    pub config: Secret,
    /// JSON pointers of what was a secret when it was written. It stays masked whatever a later
    /// schema of the plugin says, until it is written anew.
    pub hidden: Vec<String>,
}

impl ChainLink {
    /// Nothing in it was given as a secret.
    #[must_use]
    pub fn new(name: PluginName, config: Secret) -> Self {
        Self {
            name,
            config,
            hidden: Vec::new(),
        }
    }
}

/// Which of a hook's deliveries wait for those before them. One that waits goes only when the
/// earlier one is delivered, discarded, dead or cancelled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ordered {
    #[default]
    No,
    /// Each waits for all before it.
    Hook,
    /// Each waits for those before it whose events are about the same object; what names no
    /// object waits for nothing.
    Object,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnPluginError {
    Retry,
    Dead,
    /// Send the event as it was before the chain.
    Send,
}

//! The indexes of the hooks against plain searches through all of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::{CatalogSnapshot, Hooks};
use crate::event_type::{EventPattern, EventType};
use crate::filter::Filter;
use crate::hook::{ChainLink, Hook, HookStatus, PluginChoice};
use crate::id::{HookId, Owner};
use crate::json::Tree;
use crate::plugin::PluginName;
use crate::secret::Secret;
use crate::sign::{KeyPair, OldKey};
use crate::target_url::TargetUrl;
use crate::time::Timestamp;

const IDS: std::ops::Range<u64> = 1..9;
const OWNERS: [&str; 3] = ["ann", "ann ", "bob"];
const TARGETS: [&str; 2] = ["https://a.example/", "https://b.example/"];
const PATTERNS: [&str; 6] = [
    "*",
    "package.*",
    "package.status.*",
    "package",
    "package.status",
    "stock",
];
const TYPES: [&str; 5] = [
    "package",
    "package.status",
    "package.status.packed",
    "packages",
    "stock",
];
const PAYLOADS: [Option<&[u8]>; 3] = [None, Some(br#"{"country": "DE"}"#), Some(b"{}")];

pub(super) fn hook(id: u64, owner: &str, target: &str, subscription: &str) -> Hook {
    Hook {
        id: HookId(id),
        max_age: Duration::from_secs(60),
        signatures: Vec::new(),
        timeout: Duration::from_secs(1),
        max_in_flight: 1,
        revision: 1,
        ..Hook::new(
            Owner::parse(owner).unwrap(),
            TargetUrl::parse(target).unwrap(),
            EventPattern::parse(subscription).unwrap(),
        )
    }
}

#[derive(Clone, Debug)]
enum Step {
    Put(Box<Hook>),
    Remove(u64),
    /// A snapshot is taken, which must stay as it is.
    Keep,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => any_hook().prop_map(|hook| Step::Put(Box::new(hook))),
        3 => IDS.prop_map(Step::Remove),
        1 => Just(Step::Keep),
    ]
}

fn any_hook() -> impl Strategy<Value = Hook> {
    let since = Timestamp(5);
    let statuses = vec![
        HookStatus::Active,
        HookStatus::Inactive,
        HookStatus::Paused { since },
        HookStatus::Disabled {
            reason: "410".to_owned(),
            since,
        },
    ];
    let filters = vec![
        None,
        Some(r#"{"path": "country", "eq": "DE"}"#),
        Some(r#"{"not": {"path": "country", "exists": true}}"#),
    ];
    let named = (
        IDS,
        select(&OWNERS[..]),
        select(&TARGETS[..]),
        select(&PATTERNS[..]),
    );
    (named, select(statuses), select(filters), 0_usize..40).prop_map(
        |((id, owner, target, pattern), status, filter, long)| {
            let text = "x".repeat(long);
            let link = ChainLink::new(
                PluginName::parse("slack").unwrap(),
                Secret::new(text.clone()),
            );
            Hook {
                status,
                filter: filter.map(|text| Arc::new(Filter::parse(text).unwrap())),
                config: format!("{{\"is_long\": {}, \"text\": \"{text}\"}}", long > 20),
                secret_key: long.is_multiple_of(2).then(|| Secret::new(text.clone())),
                old_secret_keys: (0..long % 4)
                    .map(|_| OldKey {
                        key: Secret::new(text.clone()),
                        until: Timestamp(1),
                    })
                    .collect(),
                key_pair: (long % 7 == 1).then(|| KeyPair::from_seed(&[1; 32])),
                old_key_pairs: (0..long % 3)
                    .map(|_| OldKey {
                        key: KeyPair::from_seed(&[2; 32]),
                        until: Timestamp(1),
                    })
                    .collect(),
                additional_headers: long
                    .is_multiple_of(3)
                    .then(|| vec![("x-name".to_owned(), Secret::new(text))]),
                plugins: match long % 5 {
                    0 => PluginChoice::Chain(vec![link.clone(), link]),
                    _ => PluginChoice::ByPattern,
                },
                ..hook(id, owner, target, pattern)
            }
        },
    )
}

type Model = BTreeMap<HookId, Hook>;

proptest! {
    #[test]
    fn what_is_looked_up_is_what_a_search_finds(steps in vec(step(), 1..40)) {
        let mut snapshot = CatalogSnapshot::default();
        let mut model = Model::new();
        let mut kept = Vec::new();
        for step in steps {
            match step {
                Step::Put(hook) => {
                    let put = snapshot.hooks.insert(Hook::clone(&hook));
                    prop_assert_eq!(&*put, &*hook);
                    model.insert(hook.id, *hook);
                }
                Step::Remove(id) => {
                    let removed = snapshot.hooks.remove(&HookId(id));
                    let expected = model.remove(&HookId(id));
                    prop_assert_eq!(removed.as_deref(), expected.as_ref());
                }
                Step::Keep => kept.push((snapshot.clone(), model.clone())),
            }
            agree(&snapshot, &model)?;
        }
        for (snapshot, model) in kept {
            agree(&snapshot, &model)?;
        }
    }
}

fn agree(snapshot: &CatalogSnapshot, model: &Model) -> Result<(), TestCaseError> {
    let hooks = &snapshot.hooks;
    prop_assert_eq!(hooks.len(), model.len());
    prop_assert!(hooks.values().map(|hook| &**hook).eq(model.values()));
    prop_assert!(hooks.iter().map(|(id, _)| id).eq(model.keys()));
    lists_agree(hooks, model)?;
    identities_agree(hooks, model)?;
    recipients_agree(snapshot, model)?;
    // Nothing is left over of hooks that went, nor missing of those that stay.
    prop_assert!(*hooks == model.values().cloned().collect::<Hooks>());
    Ok(())
}

fn lists_agree(hooks: &Hooks, model: &Model) -> Result<(), TestCaseError> {
    for below in [HookId(0), HookId(4), HookId(u64::MAX)] {
        let newest_first = || model.range(..below).rev().map(|(_, hook)| hook);
        prop_assert!(hooks.below(below).map(|hook| &**hook).eq(newest_first()));
        for owner in OWNERS.map(|name| Owner::parse(name).unwrap()) {
            let found = hooks.of_owner_below(&owner, below).map(|hook| &**hook);
            prop_assert!(found.eq(newest_first().filter(|hook| hook.owner == owner)));
        }
    }
    Ok(())
}

fn identities_agree(hooks: &Hooks, model: &Model) -> Result<(), TestCaseError> {
    for id in IDS.start - 1..IDS.end {
        for owner in OWNERS {
            for (target, pattern) in TARGETS
                .iter()
                .flat_map(|it| PATTERNS.map(|other| (it, other)))
            {
                let asked = hook(id, owner, target, pattern);
                let others = || model.values().filter(|other| other.id != asked.id);
                let is_twin = |other: &Hook| {
                    other.owner == asked.owner
                        && other.target == asked.target
                        && other.subscription == asked.subscription
                };
                let found = hooks.twin_of(&asked);
                prop_assert_eq!(found.is_some(), others().any(is_twin));
                prop_assert!(found.is_none_or(|found| is_twin(found) && found.id != asked.id));
                let held = others().filter(|other| other.owner == asked.owner);
                let held: usize = held.map(written_bytes).sum();
                let with = held + written_bytes(&asked);
                prop_assert_eq!(hooks.held_bytes_with(&asked), with);
            }
        }
    }
    Ok(())
}

/// What the owner of one of these hooks wrote into it.
fn written_bytes(hook: &Hook) -> usize {
    let mut bytes = hook.config.len() + hook.target.as_str().len();
    if let Some(filter) = &hook.filter {
        bytes += filter.text().len();
    }
    if let Some(secret) = &hook.secret_key {
        bytes += secret.len();
    }
    for old in hook.old_secret_keys.iter() {
        bytes += old.key.expose().len();
    }
    // "whsk_", and 32 bytes as base64.
    bytes += 49 * (hook.old_key_pairs.iter().len() + usize::from(hook.key_pair.is_some()));
    for (name, value) in hook.additional_headers.iter().flatten() {
        bytes += name.len() + value.len();
    }
    if let PluginChoice::Chain(links) = &hook.plugins {
        for link in links {
            bytes += link.config.len();
        }
    }
    bytes
}

fn recipients_agree(snapshot: &CatalogSnapshot, model: &Model) -> Result<(), TestCaseError> {
    let wanted = serde_json::json!({"is_long": true});
    for event_type in TYPES.map(|name| EventType::parse(name).unwrap()) {
        for payload in PAYLOADS {
            for config_filter in [None, wanted.as_object()] {
                let found = snapshot.recipients(&event_type, payload, config_filter);
                let tree = payload.and_then(Tree::of);
                let gets = |hook: &&Hook| {
                    matches!(hook.status, HookStatus::Active | HookStatus::Paused { .. })
                        && hook.subscription.matches(&event_type)
                        && hook.filter.as_ref().is_none_or(|filter| {
                            tree.as_ref().is_some_and(|tree| filter.matches(tree))
                        })
                        && (config_filter.is_none() || hook.config.contains(r#""is_long": true"#))
                };
                let expected: Vec<HookId> =
                    model.values().filter(gets).map(|hook| hook.id).collect();
                prop_assert_eq!(found, expected);
            }
        }
    }
    Ok(())
}

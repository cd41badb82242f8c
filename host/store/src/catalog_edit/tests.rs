//! After any changes, refused ones among them, the catalog is what one built anew from its hooks
//! would be.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use whisperer_domain::catalog::{CatalogChange, CatalogSnapshot};
use whisperer_domain::event_type::EventPattern;
use whisperer_domain::filter::Filter;
use whisperer_domain::hook::{Hook, HookStatus};
use whisperer_domain::id::{HookId, Owner};
use whisperer_domain::port::CatalogError;
use whisperer_domain::schedule::RetryConfig;
use whisperer_domain::target_url::TargetUrl;
use whisperer_domain::time::Timestamp;

use super::{disable, edit};

const NOW: Timestamp = Timestamp(1_764_000_000_000);
const OWNERS: [&str; 2] = ["ann", "bob"];
const TARGETS: [&str; 2] = ["https://a.example/", "https://b.example/"];
const PATTERNS: [&str; 3] = ["*", "package.*", "package.created"];

#[derive(Clone, Debug)]
enum Step {
    Create(Box<Hook>),
    /// Of what is there now, or of an earlier revision.
    Replace {
        hook: Box<Hook>,
        stale: bool,
    },
    Delete(u64),
    Disable(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => hook().prop_map(|hook| Step::Create(Box::new(hook))),
        4 => (hook(), prop::bool::weighted(0.1))
            .prop_map(|(hook, stale)| Step::Replace { hook: Box::new(hook), stale }),
        1 => (1_u64..9).prop_map(Step::Delete),
        1 => (1_u64..9).prop_map(Step::Disable),
    ]
}

fn hook() -> impl Strategy<Value = Hook> {
    let statuses = vec![
        HookStatus::Active,
        HookStatus::Inactive,
        HookStatus::Paused { since: NOW },
    ];
    let filters = vec![
        None,
        Some(r#"{"path": "a", "eq": 1}"#),
        Some(r#"{"path": "b", "eq": 1}"#),
    ];
    let named = (
        1_u64..9,
        select(&OWNERS[..]),
        select(&TARGETS[..]),
        select(&PATTERNS[..]),
    );
    (named, select(statuses), select(filters), 0_usize..9).prop_map(
        |((id, owner, target, pattern), status, filter, long)| Hook {
            id: HookId(id),
            filter: filter.map(|text| Filter::parse(text).unwrap().into()),
            retry: RetryConfig::Fixed { seconds: 5 },
            max_age: Duration::from_secs(3600),
            status,
            config: format!("{{\"text\": \"{}\"}}", "x".repeat(long)),
            signatures: Vec::new(),
            ..Hook::new(
                Owner::parse(owner).unwrap(),
                TargetUrl::parse(target).unwrap(),
                EventPattern::parse(pattern).unwrap(),
            )
        },
    )
}

proptest! {
    #[test]
    fn the_indexes_are_those_of_a_catalog_built_anew(steps in vec(step(), 1..60)) {
        let mut catalog = CatalogSnapshot::default();
        let mut next_hook = 1;
        for step in steps {
            let before = catalog.clone();
            let changed = take(&mut catalog, step, &mut next_hook)?;
            prop_assert_eq!(catalog.revision.0, before.revision.0 + u64::from(changed));
            prop_assert!(changed || catalog.hooks == before.hooks, "refused, and yet changed");
            let anew = catalog.hooks.values().map(|hook| Hook::clone(hook)).collect();
            prop_assert!(catalog.hooks == anew);
        }
    }
}

/// Whether it was carried out. What a search through all hooks says is the expectation.
fn take(
    catalog: &mut CatalogSnapshot,
    step: Step,
    next_hook: &mut u64,
) -> Result<bool, TestCaseError> {
    let (change, expected) = match step {
        Step::Create(hook) => {
            let expected = if is_taken(catalog, &hook, None) {
                Some(CatalogError::Duplicate)
            } else {
                None
            };
            (CatalogChange::CreateHook(hook), expected)
        }
        Step::Replace { mut hook, stale } => {
            let old = catalog.hooks.get(&hook.id);
            hook.revision = old.map_or(1, |old| old.revision) - u64::from(stale);
            let expected = match old {
                None => Some(CatalogError::NotFound),
                Some(_) if stale => Some(CatalogError::Stale),
                Some(_) if is_taken(catalog, &hook, Some(hook.id)) => Some(CatalogError::Duplicate),
                Some(_) => None,
            };
            (CatalogChange::ReplaceHook(hook), expected)
        }
        Step::Delete(id) => {
            let is_there = catalog.hooks.contains_key(&HookId(id));
            let expected = (!is_there).then_some(CatalogError::NotFound);
            (CatalogChange::DeleteHook(HookId(id)), expected)
        }
        Step::Disable(id) => {
            let is_there = catalog.hooks.contains_key(&HookId(id));
            let disabled = disable(catalog, HookId(id), "410".to_owned(), NOW);
            prop_assert_eq!(disabled.is_some(), is_there);
            return Ok(is_there);
        }
    };
    let refused = edit(catalog, change, NOW, next_hook).err();
    prop_assert_eq!(format!("{refused:?}"), format!("{expected:?}"));
    Ok(refused.is_none())
}

fn is_taken(catalog: &CatalogSnapshot, hook: &Hook, except: Option<HookId>) -> bool {
    catalog.hooks.values().any(|other| {
        Some(other.id) != except
            && other.owner == hook.owner
            && other.target == hook.target
            && other.subscription == hook.subscription
    })
}

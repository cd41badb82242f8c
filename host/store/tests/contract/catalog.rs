//! The catalog: what a change needs, what it gives, what it refuses.

use std::time::Duration;

use whisperer_domain::access::Right;
use whisperer_domain::catalog::{CatalogChange, Changed, Token};
use whisperer_domain::event_type::{EventType, EventTypeInfo, OMS_CATALOGUE, PayloadSchema};
use whisperer_domain::hook::Hook;
use whisperer_domain::id::{Digest, HookId, Owner};
use whisperer_domain::news::NEWS_TYPES;
use whisperer_domain::plugin::{Membership, PluginName};
use whisperer_domain::port::CatalogError;
use whisperer_domain::time::Timestamp;

use crate::stage::{START, Stage, hook, over_both};

over_both!(
    owner_target_and_subscription_are_unique,
    a_hook_is_replaced_from_its_newest_revision_only,
    event_types_tokens_and_plugins_come_and_go,
);

async fn owner_target_and_subscription_are_unique(stage: Stage) {
    let (target, pattern) = ("https://a.example/", "package.*");
    let first = stage.hook("ann", target, pattern).await;
    let create = |owner, target, pattern| {
        let hook = Box::new(hook(owner, target, pattern));
        stage.catalog.change(CatalogChange::CreateHook(hook))
    };
    let refused = create("ann", target, pattern).await;
    assert!(
        matches!(refused, Err(CatalogError::Duplicate)),
        "{refused:?}"
    );
    // Spelled otherwise it is the same target.
    let refused = create("ann", "https://A.example", pattern).await;
    assert!(
        matches!(refused, Err(CatalogError::Duplicate)),
        "{refused:?}"
    );
    create("bob", target, pattern).await.unwrap();
    let second = create("ann", target, "*").await.unwrap();

    let Changed::Hook(second) = second else {
        panic!("a created hook is shown");
    };
    let clash = Hook {
        subscription: first.subscription.clone(),
        ..Hook::clone(&second)
    };
    let refused = stage
        .catalog
        .change(CatalogChange::ReplaceHook(Box::new(clash)))
        .await;
    assert!(
        matches!(refused, Err(CatalogError::Duplicate)),
        "{refused:?}"
    );

    stage.delete(first.id).await;
    let again = stage.hook("ann", target, pattern).await;
    assert!(again.id > second.id, "numbers are never used again");
}

async fn a_hook_is_replaced_from_its_newest_revision_only(stage: Stage) {
    let first = stage.hook("ann", "https://a.example/", "*").await;
    assert_eq!((first.revision, first.created_at), (1, START));
    stage.clock.advance(Duration::from_secs(1));
    let changed = Hook {
        max_in_flight: 3,
        created_at: Timestamp(5),
        ..Hook::clone(&first)
    };
    let second = stage.replace(changed.clone()).await;
    assert_eq!((second.revision, second.max_in_flight), (2, 3));
    assert_eq!(second.created_at, START);
    assert_eq!(second.modified_at, START.after(Duration::from_secs(1)));
    let snapshot = stage.catalog.snapshot();
    assert_eq!(snapshot.hooks[&first.id], second, "answered is visible");

    let replace = |hook: Hook| {
        let change = CatalogChange::ReplaceHook(Box::new(hook));
        stage.catalog.change(change)
    };
    let refused = replace(changed.clone()).await;
    assert!(matches!(refused, Err(CatalogError::Stale)), "{refused:?}");
    let id = HookId(77);
    let refused = replace(Hook { id, ..changed }).await;
    assert!(
        matches!(refused, Err(CatalogError::NotFound)),
        "{refused:?}"
    );
    let refused = stage.catalog.change(CatalogChange::DeleteHook(id)).await;
    assert!(
        matches!(refused, Err(CatalogError::NotFound)),
        "{refused:?}"
    );
    assert_eq!(stage.catalog.snapshot().hooks[&first.id], second);
}

async fn event_types_tokens_and_plugins_come_and_go(stage: Stage) {
    let names: Vec<_> = stage
        .catalog
        .snapshot()
        .event_types
        .keys()
        .cloned()
        .collect();
    let mut known = [&OMS_CATALOGUE[..], &NEWS_TYPES[..]].concat();
    known.sort_unstable();
    assert!(names.iter().map(EventType::as_str).eq(known));

    let name = EventType::parse("refund.made").unwrap();
    let info = EventTypeInfo {
        description: "Money went back.".to_owned(),
        example: Some("{ \"amount\" : 1.0 }".into()),
        schema: Some(
            PayloadSchema::parse("{\"type\": \"object\"}")
                .unwrap()
                .into(),
        ),
    };
    let plugin = Membership {
        name: PluginName::parse("redact").unwrap(),
        enabled: true,
        patterns: Vec::new(),
        digest: Some(Digest([9; 32])),
        config_schema: Some("{\"type\": \"object\"}".into()),
    };
    let token = Token {
        hash: [1; 32],
        owner: Owner::parse("ann").unwrap(),
        rights: [Right::Admin].into_iter().collect(),
        created_at: Timestamp(3),
    };
    let change = |change| stage.catalog.change(change);
    change(CatalogChange::PutEventType(name.clone(), info.clone()))
        .await
        .unwrap();
    change(CatalogChange::PutPlugin(plugin.clone()))
        .await
        .unwrap();
    change(CatalogChange::PutToken(token.clone()))
        .await
        .unwrap();
    let snapshot = stage.catalog.snapshot();
    assert_eq!(*snapshot.event_types[&name], info);
    assert_eq!(*snapshot.plugins[&plugin.name], plugin);
    assert_eq!(snapshot.tokens[&token.hash].created_at, START);

    let gone = [
        CatalogChange::DeleteEventType(name.clone()),
        CatalogChange::RemovePlugin(plugin.name.clone()),
    ];
    for removal in gone {
        change(removal.clone()).await.unwrap();
        let again = change(removal).await;
        assert!(matches!(again, Err(CatalogError::NotFound)), "{again:?}");
    }
    let snapshot = stage.catalog.snapshot();
    assert!(!snapshot.event_types.contains_key(&name));
    assert!(snapshot.plugins.is_empty());
}

//! Accepting: what is durable, what is a repetition, what is stale.

use std::collections::HashSet;
use std::time::Duration;

use tokio::task::JoinSet;
use whisperer_domain::access::Right;
use whisperer_domain::catalog::{CatalogChange, Token};
use whisperer_domain::delivery::DeliveryState;
use whisperer_domain::event::IdempotencyKey;
use whisperer_domain::event_type::{EventType, EventTypeInfo};
use whisperer_domain::hook::HookStatus;
use whisperer_domain::id::{HookId, Owner};
use whisperer_domain::plugin::{Membership, PluginName};
use whisperer_domain::port::AcceptError;
use whisperer_domain::time::Timestamp;

use crate::stage::{START, Stage, event, over_both};

over_both!(
    each_recipient_gets_one_pending_delivery,
    an_event_for_nobody_is_accepted_and_known,
    the_same_event_is_accepted_once,
    an_idempotency_key_holds_for_a_day,
    what_decides_about_recipients_makes_accepts_stale,
    an_unknown_or_inactive_recipient_is_stale,
    concurrent_posts_of_one_id_make_one_event,
    times_of_acceptance_never_go_back,
);

async fn each_recipient_gets_one_pending_delivery(stage: Stage) {
    let first = stage.hook("ann", "https://a.example/", "package.*").await;
    let second = stage.hook("bob", "https://b.example/", "*").await;
    stage.hook("bob", "https://c.example/", "transfer.*").await;
    let accepted = stage.post("e1").await;
    assert_eq!((accepted.deliveries, accepted.replayed), (2, false));

    let one = stage.find(1).await.view;
    let two = stage.find(2).await.view;
    assert_eq!(
        (one.delivery.hook, two.delivery.hook),
        (first.id, second.id)
    );
    assert_ne!(one.delivery.uuid, two.delivery.uuid);
    assert_eq!(one.delivery.event, two.delivery.event);
    assert_eq!(&one.event.payload[..], b"{ \"of\" : \"e1\" }");
    assert_eq!(one.event.occurred_at, START);
    let due = DeliveryState::Pending {
        due: START,
        waiting_for: None,
    };
    assert_eq!(one.delivery.state, due);
    assert_eq!(stage.ledger.status().events_accepted, 1);
}

async fn an_event_for_nobody_is_accepted_and_known(stage: Stage) {
    assert_eq!(stage.post("e1").await.deliveries, 0);
    assert!(stage.post("e1").await.replayed);
}

async fn the_same_event_is_accepted_once(stage: Stage) {
    stage.hook("ann", "https://a.example/", "*").await;
    stage.post("e1").await;
    // Whatever became of the catalog since: it is the same event.
    stage.hook("ann", "https://b.example/", "*").await;
    let again = stage.post("e1").await;
    assert_eq!((again.deliveries, again.replayed), (1, true));

    let mut other = event("e1", "package.created");
    other.fingerprint = [8; 32];
    let refused = stage.accept(other).await.unwrap_err();
    assert!(matches!(refused, AcceptError::IdTaken), "{refused}");
    assert_eq!(stage.ledger.status().events_accepted, 1);
}

async fn an_idempotency_key_holds_for_a_day(stage: Stage) {
    stage.hook("ann", "https://a.example/", "*").await;
    let keyed = |id: &str, owner: &str, fingerprint: u8| {
        let mut event = event(id, "package.created");
        event.fingerprint = [fingerprint; 32];
        event.idempotency = Some(IdempotencyKey {
            owner: Owner::parse(owner).unwrap(),
            key: "k".to_owned(),
        });
        event
    };
    stage.accept(keyed("e1", "ann", 1)).await.unwrap();
    let again = stage.accept(keyed("e2", "ann", 1)).await.unwrap();
    assert_eq!((again.id.as_str(), again.replayed), ("e1", true));
    let refused = stage.accept(keyed("e3", "ann", 2)).await.unwrap_err();
    assert!(matches!(refused, AcceptError::KeyReused), "{refused}");
    let others = stage.accept(keyed("e4", "bob", 2)).await.unwrap();
    assert!(!others.replayed, "keys hold per owner");

    stage.clock.advance(Duration::from_secs(24 * 3600 - 1));
    assert!(stage.accept(keyed("e5", "ann", 1)).await.unwrap().replayed);
    stage.clock.advance(Duration::from_secs(1));
    assert!(!stage.accept(keyed("e6", "ann", 2)).await.unwrap().replayed);
    let again = stage.accept(keyed("e7", "ann", 2)).await.unwrap();
    assert_eq!((again.id.as_str(), again.replayed), ("e6", true));
}

async fn what_decides_about_recipients_makes_accepts_stale(stage: Stage) {
    let hook = stage.hook("ann", "https://a.example/", "*").await;
    let old = stage.catalog.snapshot();
    let post = |id: &'static str| {
        let event = event(id, "package.created");
        let recipients = old.recipients(&event.event_type, Some(&event.payload), None);
        stage.ledger.accept(event, recipients, old.revision)
    };
    let token = Token {
        hash: [1; 32],
        owner: Owner::parse("ann").unwrap(),
        rights: [Right::Admin].into_iter().collect(),
        created_at: START,
    };
    let plugin = Membership {
        name: PluginName::parse("redact").unwrap(),
        enabled: true,
        patterns: Vec::new(),
        digest: None,
        config_schema: None,
    };
    for change in [
        CatalogChange::PutToken(token),
        CatalogChange::PutPlugin(plugin),
    ] {
        stage.catalog.change(change).await.unwrap();
    }
    assert!(
        post("e1").await.is_ok(),
        "tokens and plugins change no recipients"
    );

    let name = EventType::parse("new.type").unwrap();
    let change = CatalogChange::PutEventType(name, EventTypeInfo::default());
    stage.catalog.change(change).await.unwrap();
    assert!(matches!(post("e2").await, Err(AcceptError::Stale)));
    stage.delete(hook.id).await;
    assert!(matches!(post("e2").await, Err(AcceptError::Stale)));
    assert_eq!(
        stage.post("e2").await.deliveries,
        0,
        "and nothing was kept of it"
    );
}

async fn an_unknown_or_inactive_recipient_is_stale(stage: Stage) {
    let mut inactive = crate::stage::hook("ann", "https://a.example/", "*");
    inactive.status = HookStatus::Inactive;
    let inactive = stage.create(inactive).await.id;
    let revision = stage.catalog.snapshot().revision;
    for hook in [inactive, HookId(99)] {
        let event = event("e1", "package.created");
        let refused = stage.ledger.accept(event, vec![hook], revision).await;
        assert!(matches!(refused, Err(AcceptError::Stale)), "{refused:?}");
    }
}

async fn concurrent_posts_of_one_id_make_one_event(stage: Stage) {
    stage.hook("ann", "https://a.example/", "*").await;
    let snapshot = stage.catalog.snapshot();
    let mut posts = JoinSet::new();
    for post in 0..64 {
        let event = event(&format!("e{}", post % 4), "package.created");
        let ledger = stage.ledger.clone();
        let recipients = snapshot.recipients(&event.event_type, Some(&event.payload), None);
        let revision = snapshot.revision;
        posts.spawn(async move { ledger.accept(event, recipients, revision).await });
    }
    let answers = posts.join_all().await;
    let fresh: Vec<_> = answers
        .into_iter()
        .map(Result::unwrap)
        .filter(|accepted| !accepted.replayed)
        .collect();
    let ids: HashSet<_> = fresh.iter().map(|accepted| &accepted.id).collect();
    assert_eq!((fresh.len(), ids.len()), (4, 4));
    assert_eq!(stage.ledger.status().events_accepted, 4);
}

async fn times_of_acceptance_never_go_back(stage: Stage) {
    let hook = stage.hook("ann", "https://a.example/", "*").await;
    stage.post("e1").await;
    let earlier = Timestamp(START.0 - 60_000);
    stage.clock.set(earlier);
    stage.post("e2").await;
    assert_eq!(stage.find(2).await.view.delivery.created_at, START);
    let lease = stage.lease(hook.id).await;
    assert_eq!(stage.due(lease).await, [2], "due by the clock as it is now");
}

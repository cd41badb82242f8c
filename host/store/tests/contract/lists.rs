//! Listing: newest first, page by page, filtered, and only what one may see.

use std::time::Duration;

use whisperer_domain::delivery::StateKind;
use whisperer_domain::event_type::EventPattern;
use whisperer_domain::id::{Owner, Sequence};
use whisperer_domain::port::{DeliveryQuery, Scope, Settlement, Verdict};
use whisperer_domain::time::Timestamp;

use crate::stage::{START, Stage, attempt, event, everything, over_both, settlement};

over_both!(
    pages_go_from_newest_to_oldest,
    owners_see_their_own_deleted_hooks_included,
    filters_hold,
);

/// All pages in a row, each at most `limit` long.
async fn listed(stage: &Stage, query: DeliveryQuery) -> Vec<u64> {
    let mut query = query;
    let mut found = Vec::new();
    loop {
        let page = stage.ledger.page(query.clone()).await.unwrap();
        assert!(page.items.len() <= query.limit);
        found.extend(page.items.iter().map(|item| item.delivery.sequence.0));
        match page.next {
            Some(next) => query.before = Some(next),
            None => return found,
        }
    }
}

async fn pages_go_from_newest_to_oldest(stage: Stage) {
    stage.hook("ann", "https://a.example/", "*").await;
    for post in 1..=5 {
        stage.post(&format!("e{post}")).await;
    }
    for limit in [1, 2, 5, 100] {
        let query = DeliveryQuery {
            limit,
            ..everything()
        };
        assert_eq!(listed(&stage, query).await, [5, 4, 3, 2, 1], "{limit}");
    }
    let query = DeliveryQuery {
        limit: 2,
        before: Some(Sequence(4)),
        ..everything()
    };
    let page = stage.ledger.page(query).await.unwrap();
    assert_eq!(page.items.len(), 2);
    assert_eq!(page.next, Some(Sequence(2)));
    let query = DeliveryQuery {
        limit: 5,
        ..everything()
    };
    let page = stage.ledger.page(query).await.unwrap();
    assert_eq!(page.next, None, "a full last page is the end all the same");
}

async fn owners_see_their_own_deleted_hooks_included(stage: Stage) {
    let first = stage.hook("ann", "https://a.example/", "*").await;
    stage.hook("bob", "https://b.example/", "*").await;
    stage.post("e1").await;
    stage.delete(first.id).await;
    stage.post("e2").await;
    let of = |owner| Scope::Of(Owner::parse(owner).unwrap());
    let list = async |scope| {
        let query = DeliveryQuery {
            scope,
            ..everything()
        };
        listed(&stage, query).await
    };
    assert_eq!(list(of("ann")).await, [1]);
    assert_eq!(list(of("bob")).await, [3, 2]);
    assert_eq!(list(of("eve")).await, [0; 0]);
    let hidden = stage.ledger.find(Sequence(1), of("bob")).await.unwrap();
    assert!(hidden.is_none());
    assert!(
        stage
            .ledger
            .find(Sequence(1), of("ann"))
            .await
            .unwrap()
            .is_some()
    );
    let missing = stage.ledger.find(Sequence(9), Scope::All).await.unwrap();
    assert!(missing.is_none());
}

async fn filters_hold(stage: Stage) {
    let minute = Duration::from_secs(60);
    let first = stage.hook("ann", "https://a.example/", "*").await;
    let second = stage.hook("ann", "https://b.example/", "package.*").await;
    stage.post("e1").await;
    stage.clock.advance(minute);
    let mut about = event("e2", "transfer.status.created");
    about.object_id = Some("42".to_owned());
    stage.accept(about).await.unwrap();
    stage.clock.advance(minute);
    stage.post("e3").await;
    let lease = stage.lease(first.id).await;
    let delivered = Settlement {
        attempt: Some(attempt(1, 201)),
        ..settlement(lease, 1, Verdict::Delivered)
    };
    stage.settle(delivered).await;
    let uuid = Some(stage.find(3).await.view.delivery.uuid);
    let unknown = Some(whisperer_domain::id::DeliveryUuid(uuid::Uuid::from_u128(7)));

    let all = everything;
    let at = |minutes: u32| Some(START.after(minute * minutes));
    let pattern = |text| Some(EventPattern::parse(text).unwrap());
    #[rustfmt::skip]
    let cases: Vec<(&str, DeliveryQuery, &[u64])> = vec![
        ("hook", DeliveryQuery { hook: Some(second.id), ..all() }, &[5, 2]),
        ("type", DeliveryQuery { event_type: pattern("transfer.*"), ..all() }, &[3]),
        ("object", DeliveryQuery { object_id: Some("42".to_owned()), ..all() }, &[3]),
        ("uuid", DeliveryQuery { uuid, ..all() }, &[3]),
        ("unknown uuid", DeliveryQuery { uuid: unknown, ..all() }, &[]),
        ("delivered", DeliveryQuery { delivered: Some(true), ..all() }, &[1]),
        ("not delivered", DeliveryQuery { delivered: Some(false), ..all() }, &[5, 4, 3, 2]),
        ("state", DeliveryQuery { state: Some(StateKind::Delivered), ..all() }, &[1]),
        ("status", DeliveryQuery { status: Some(201), ..all() }, &[1]),
        ("from", DeliveryQuery { created_from: at(1), ..all() }, &[5, 4, 3]),
        ("to", DeliveryQuery { created_to: at(1), ..all() }, &[3, 2, 1]),
        ("between", DeliveryQuery { created_from: at(1), created_to: at(1), ..all() }, &[3]),
        ("past the end", DeliveryQuery { created_from: at(3), ..all() }, &[]),
        ("before the start", DeliveryQuery { created_to: Some(Timestamp(1)), ..all() }, &[]),
        ("to the end of time", DeliveryQuery { created_to: Some(Timestamp::MAX), limit: 2, ..all() }, &[5, 4, 3, 2, 1]),
        ("hook and time", DeliveryQuery { hook: Some(first.id), created_from: at(2), ..all() }, &[4]),
    ];
    for (name, query, expected) in cases {
        assert_eq!(listed(&stage, query).await, expected, "{name}");
    }
}

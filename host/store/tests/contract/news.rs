//! Operational events: made with what they tell of, for those who may hear of it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use whisperer_domain::access::{Right, Rights};
use whisperer_domain::catalog::{CatalogChange, Token};
use whisperer_domain::delivery::DeadCause;
use whisperer_domain::event::Event;
use whisperer_domain::event_type::EventType;
use whisperer_domain::filter::Filter;
use whisperer_domain::hook::{Hook, HookStatus};
use whisperer_domain::id::{HookId, Owner};
use whisperer_domain::news::{HookNews, NEWS_TYPES};
use whisperer_domain::port::{EventQuery, HookEffect, Lease, Settled, Settlement, Verdict};

use crate::stage::{Heard, START, Stage, attempt, event, over_both, settlement};

over_both!(
    a_death_is_told_in_the_same_write,
    what_a_lane_learned_and_that_it_was_disabled_is_told,
    only_admins_hear_and_nobody_by_a_star,
    listeners_are_not_told_of,
    a_listeners_filter_holds_for_news_too,
    what_did_not_come_about_is_not_told,
    a_listener_that_is_disabled_by_it_hears_nothing,
    a_listener_hears_of_what_is_settled_after_it_came,
    their_types_are_built_in,
);

async fn admin(stage: &Stage, owner: &str) {
    let token = Token {
        hash: [owner.as_bytes()[0]; 32],
        owner: Owner::parse(owner).unwrap(),
        rights: Rights::from_iter([Right::Admin]),
        created_at: START,
    };
    let change = CatalogChange::PutToken(token);
    stage.catalog.change(change).await.unwrap();
}

/// A hook that gets packages, with one pending, and an admin's that listens.
async fn told(stage: &Stage) -> Lease {
    admin(stage, "root").await;
    let hook = stage.hook("ann", "https://a.example/in?key=x", "*").await;
    stage
        .hook("root", "https://root.example/", "whisperer.*")
        .await;
    stage.post("e1").await;
    stage.lease(hook.id).await
}

fn dead(lease: Lease, sequence: u64) -> Settlement {
    Settlement {
        attempt: Some(attempt(1, 500)),
        ..settlement(lease, sequence, Verdict::Dead(DeadCause::Exhausted))
    }
}

/// Operational events, oldest first.
async fn news(stage: &Stage) -> Vec<(Arc<Event>, Value)> {
    let query = EventQuery {
        event_type: None,
        object_id: None,
        created_from: None,
        created_to: None,
        before: None,
        limit: 100,
    };
    let events = stage.ledger.events(query).await.unwrap().items;
    let news = events.into_iter().rev();
    news.filter(|event| event.event_type.is_operational())
        .map(|event| {
            let payload = serde_json::from_slice(&event.payload).unwrap();
            (event, payload)
        })
        .collect()
}

async fn types(stage: &Stage) -> Vec<String> {
    let news = news(stage).await;
    news.iter()
        .map(|(event, _)| event.event_type.to_string())
        .collect()
}

async fn a_death_is_told_in_the_same_write(stage: Stage) {
    let lease = told(&stage).await;
    stage.post("e2").await;
    let heard = Arc::new(Heard::default());
    stage.ledger.feed(heard.clone());
    let accepted = stage.ledger.status().events_accepted;
    let (first, second) = (dead(lease, 1), dead(lease, 2));
    let all = [first, second.clone(), second];
    let settled = stage.ledger.settle(all.into()).await.unwrap();
    assert!(
        settled
            .iter()
            .all(|it| *it == Settled::Applied { due: None })
    );
    assert_eq!(heard.words(), ["fresh 3 for 2", "fresh 4 for 2"]);
    assert_eq!(stage.ledger.status().events_accepted, accepted + 2);

    let news = news(&stage).await;
    let (event, payload) = &news[0];
    assert_eq!(event.event_type.as_str(), "whisperer.delivery.dead");
    assert_eq!(event.object_id.as_deref(), Some("1"));
    assert_eq!(payload["delivery"]["id"], 1);
    assert_eq!(payload["delivery"]["attempts"], 1);
    assert_eq!(payload["delivery"]["cause"], "exhausted");
    assert_eq!(payload["delivery"]["event"]["id"], "e1");
    assert_eq!(payload["hook"]["target"], "https://a.example");
    assert_eq!(news[1].1["delivery"]["id"], 2);
    assert_ne!(news[0].0.id, news[1].0.id);
    // It is delivered like any other.
    let lane = stage.lease(HookId(2)).await;
    let taken = stage.take(lane).await;
    assert_eq!(taken.ready[0].event, *event);
    assert_eq!(stage.deliveries_of(event.id.as_str()).await, [3]);
}

async fn what_a_lane_learned_and_that_it_was_disabled_is_told(stage: Stage) {
    let lease = told(&stage).await;
    let settlement = Settlement {
        news: Some(HookNews::Failing { since: START }),
        effect: Some(HookEffect::Gone {
            reason: "it said 410".to_owned(),
        }),
        ..dead(lease, 1)
    };
    let heard = Arc::new(Heard::default());
    stage.ledger.feed(heard.clone());
    stage.settle(settlement).await;
    assert_eq!(
        types(&stage).await,
        [
            "whisperer.delivery.dead",
            "whisperer.hook.failing",
            "whisperer.hook.disabled"
        ]
    );
    assert!(heard.words()[0].starts_with("catalog "));
    let news = news(&stage).await;
    assert_eq!(news[1].1["failing_since"], "2025-11-24T16:00:00.000Z");
    assert_eq!(news[2].1["reason"], "it said 410");

    let recovered = Settlement {
        news: Some(HookNews::Recovered { since: START }),
        attempt: Some(attempt(2, 200)),
        ..dead(lease, 1)
    };
    assert_eq!(stage.settle(recovered).await, Settled::Cancelled);
    let told = types(&stage).await;
    assert_eq!(
        told[3..],
        ["whisperer.hook.recovered"],
        "no second death, but what was learned of the receiver"
    );
}

async fn only_admins_hear_and_nobody_by_a_star(stage: Stage) {
    admin(&stage, "root").await;
    let hook = stage.hook("ann", "https://a.example/", "*").await;
    stage.hook("ann", "https://b.example/", "whisperer.*").await;
    stage.hook("root", "https://root.example/", "*").await;
    stage.post("e1").await;
    let lease = stage.lease(hook.id).await;
    let accepted = stage.ledger.status().events_accepted;
    stage.settle(dead(lease, 1)).await;
    assert_eq!(stage.ledger.status().events_accepted, accepted);
    assert!(news(&stage).await.is_empty());

    // By their exact types, and from when the token is there.
    admin(&stage, "ann").await;
    stage.post("e2").await;
    stage.settle(dead(lease, 3)).await;
    let news = news(&stage).await;
    assert_eq!(news.len(), 1);
    let delivered = stage.deliveries_of(news[0].0.id.as_str()).await;
    let to = stage.find(delivered[0]).await.view.delivery.hook;
    assert_eq!((delivered.len(), to), (1, HookId(2)));
}

async fn listeners_are_not_told_of(stage: Stage) {
    let lease = told(&stage).await;
    stage.settle(dead(lease, 1)).await;
    let listener = stage.lease(HookId(2)).await;
    let settlement = Settlement {
        news: Some(HookNews::Failing { since: START }),
        effect: Some(HookEffect::Disable {
            reason: "enough".to_owned(),
        }),
        ..dead(listener, 2)
    };
    stage.settle(settlement).await;
    assert!(!stage.catalog.snapshot().hooks[&HookId(2)].delivers());
    assert_eq!(types(&stage).await.len(), 1, "the first death alone");
}

async fn what_did_not_come_about_is_not_told(stage: Stage) {
    let lease = told(&stage).await;
    let hook = stage.catalog.snapshot().hooks[&lease.hook].clone();
    let inactive = Hook {
        status: HookStatus::Inactive,
        ..Hook::clone(&hook)
    };
    stage.replace(inactive).await;
    let disabled = Settlement {
        effect: Some(HookEffect::Disable {
            reason: "enough".to_owned(),
        }),
        ..settlement(
            lease,
            1,
            Verdict::Retry {
                after: Duration::from_secs(1),
            },
        )
    };
    stage.settle(disabled).await;
    stage.delete(lease.hook).await;
    let late = Settlement {
        news: Some(HookNews::Failing { since: START }),
        ..dead(lease, 1)
    };
    assert_eq!(stage.settle(late).await, Settled::Cancelled);
    assert!(types(&stage).await.is_empty());
}

/// Asked after each effect: from the middle of a call on there may be nobody any more.
async fn a_listener_that_is_disabled_by_it_hears_nothing(stage: Stage) {
    let lease = told(&stage).await;
    stage.post("e2").await;
    stage.post("e3").await;
    stage.settle(dead(lease, 1)).await;
    let listener = stage.lease(HookId(2)).await;
    let disabled = Settlement {
        effect: Some(HookEffect::Disable {
            reason: "enough".to_owned(),
        }),
        ..settlement(listener, 4, Verdict::Delivered)
    };
    let all = [dead(lease, 2), disabled, dead(lease, 3)];
    stage.ledger.settle(all.into()).await.unwrap();
    let dead: Vec<_> = news(&stage).await.into_iter().map(|(_, it)| it).collect();
    assert_eq!(dead.len(), 2);
    assert_eq!(dead[1]["delivery"]["id"], 2);
}

/// A listener that is enabled hears of what is settled right after, whatever was asked before.
async fn a_listener_hears_of_what_is_settled_after_it_came(stage: Stage) {
    admin(&stage, "root").await;
    let hook = stage.hook("ann", "https://a.example/", "*").await;
    stage.post("e1").await;
    stage.post("e2").await;
    let lease = stage.lease(hook.id).await;
    let create = async {
        stage
            .hook("root", "https://root.example/", NEWS_TYPES[3])
            .await
    };
    let (_, _, _) = tokio::join!(
        stage.settle(dead(lease, 1)),
        create,
        stage.settle(dead(lease, 2))
    );
    assert_eq!(types(&stage).await, ["whisperer.delivery.dead"]);
}

async fn a_listeners_filter_holds_for_news_too(stage: Stage) {
    let lease = told(&stage).await;
    stage.post("e2").await;
    let listener = stage.catalog.snapshot().hooks[&HookId(2)].clone();
    let filter = r#"{"path": "delivery.event.id", "eq": "e2"}"#;
    let picky = Hook {
        filter: Some(Arc::new(Filter::parse(filter).unwrap())),
        ..Hook::clone(&listener)
    };
    stage.replace(picky).await;
    stage.settle(dead(lease, 1)).await;
    assert!(types(&stage).await.is_empty());
    stage.settle(dead(lease, 2)).await;
    assert_eq!(types(&stage).await, ["whisperer.delivery.dead"]);
}

async fn their_types_are_built_in(stage: Stage) {
    let types = stage.catalog.snapshot().event_types.clone();
    for name in NEWS_TYPES {
        assert!(types.contains_key(&EventType::parse(name).unwrap()));
    }
    // Nobody gets one by chance.
    admin(&stage, "root").await;
    stage
        .hook("root", "https://root.example/", "whisperer.*")
        .await;
    stage.hook("root", "https://star.example/", "*").await;
    let posted = stage.accept(event("e1", "whisperer.hook.failing")).await;
    assert_eq!(posted.unwrap().deliveries, 1, "of the two the first alone");
}

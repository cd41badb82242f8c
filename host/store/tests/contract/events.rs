//! Events, found by their poster's id and listed, with their deliveries.

use std::time::Duration;

use whisperer_domain::event_type::EventPattern;
use whisperer_domain::id::{EventId, EventKey};
use whisperer_domain::port::{EventPage, EventQuery};
use whisperer_domain::time::Timestamp;

use crate::stage::{START, Stage, event, over_both};

over_both!(
    an_event_is_found_with_what_it_was_posted_with,
    an_event_lists_its_deliveries_replays_included,
    events_are_listed_newest_first_and_filtered,
);

fn all() -> EventQuery {
    EventQuery {
        event_type: None,
        object_id: None,
        created_from: None,
        created_to: None,
        before: None,
        limit: 100,
    }
}

fn ids(page: &EventPage) -> Vec<&str> {
    page.items.iter().map(|event| event.id.as_str()).collect()
}

async fn an_event_is_found_with_what_it_was_posted_with(stage: Stage) {
    let mut filtered = event("e1", "package.created");
    filtered.config_filter = Some("{\"region\":\"eu\"}".to_owned());
    let payload = filtered.payload.clone();
    stage.accept(filtered).await.unwrap();
    stage.post("e2").await;
    let find = async |id: &str| {
        let id = EventId::parse(id).unwrap();
        stage.ledger.find_event(id).await.unwrap()
    };
    let found = find("e1").await.unwrap();
    assert_eq!(found.event.payload, payload);
    assert_eq!(found.event.event_type.as_str(), "package.created");
    assert_eq!(found.config_filter.as_deref(), Some("{\"region\":\"eu\"}"));
    assert_eq!(find("e2").await.unwrap().config_filter, None);
    assert!(find("e3").await.is_none());
}

async fn an_event_lists_its_deliveries_replays_included(stage: Stage) {
    stage.post("before").await;
    for target in [
        "https://a.example/",
        "https://b.example/",
        "https://c.example/",
    ] {
        stage.hook("ann", target, "*").await;
    }
    // All at one moment.
    for id in ["e1", "e2", "e3"] {
        stage.post(id).await;
    }
    assert_eq!(stage.deliveries_of("before").await, [0; 0]);
    assert_eq!(stage.deliveries_of("nobody's").await, [0; 0]);
    assert_eq!(stage.deliveries_of("e2").await, [6, 5, 4]);
    stage.replay("e2").await;
    stage.post("e4").await;
    stage.replay("before").await;
    stage.replay("e2").await;
    assert_eq!(
        stage.deliveries_of("e2").await,
        [21, 20, 19, 12, 11, 10, 6, 5, 4]
    );
    assert_eq!(stage.deliveries_of("e4").await, [15, 14, 13]);
    assert_eq!(stage.deliveries_of("before").await, [18, 17, 16]);
}

async fn events_are_listed_newest_first_and_filtered(stage: Stage) {
    let minute = Duration::from_secs(60);
    stage.post("e1").await;
    stage.clock.advance(minute);
    let mut about = event("e2", "transfer.status.created");
    about.object_id = Some("42".to_owned());
    stage.accept(about).await.unwrap();
    stage.clock.advance(minute);
    stage.post("e3").await;

    let at = |minutes: u32| Some(START.after(minute * minutes));
    let pattern = |text| Some(EventPattern::parse(text).unwrap());
    #[rustfmt::skip]
    let cases: Vec<(&str, EventQuery, &[&str])> = vec![
        ("all", all(), &["e3", "e2", "e1"]),
        ("type", EventQuery { event_type: pattern("package.*"), ..all() }, &["e3", "e1"]),
        ("object", EventQuery { object_id: Some("42".to_owned()), ..all() }, &["e2"]),
        ("from", EventQuery { created_from: at(1), ..all() }, &["e3", "e2"]),
        ("to", EventQuery { created_to: at(1), ..all() }, &["e2", "e1"]),
        ("between", EventQuery { created_from: at(1), created_to: at(1), ..all() }, &["e2"]),
        ("past the end", EventQuery { created_from: at(3), ..all() }, &[]),
        ("before the start", EventQuery { created_to: Some(Timestamp(1)), ..all() }, &[]),
        ("below", EventQuery { before: Some(EventKey(3)), ..all() }, &["e2", "e1"]),
    ];
    for (name, query, expected) in cases {
        let page = stage.ledger.events(query).await.unwrap();
        assert_eq!(ids(&page), expected, "{name}");
        assert_eq!(page.next, None, "{name}");
    }
    let mut query = EventQuery { limit: 2, ..all() };
    let page = stage.ledger.events(query.clone()).await.unwrap();
    assert_eq!(ids(&page), ["e3", "e2"]);
    query.before = page.next;
    assert!(query.before.is_some());
    let page = stage.ledger.events(query).await.unwrap();
    assert_eq!((ids(&page), page.next), (vec!["e1"], None));
}

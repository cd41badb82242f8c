//! Many clients at once, over the same things: each answer is one that could have come if they had
//! called one after another.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::app::TestApp;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_changes_from_one_revision_one_is_made() {
    let app = TestApp::new().await;
    let hook = app.hook(json!({})).await;
    let path = format!("/hooks/{}/", hook["id"]);
    for round in 0..20 {
        let tag = app.root("GET", &path, &Value::Null).await;
        let tag = tag.header("etag").to_owned();
        let change = async |number: usize| {
            let body = json!({"max_in_flight": number + 1}).to_string();
            let headers = [("if-match", tag.as_str())];
            app.call_with("root", "PATCH", &path, &body, &headers).await
        };
        let all = join_all((0..16).map(change)).await;
        let mut made: Vec<_> = all.iter().filter(|answer| answer.status == 200).collect();
        let winner = made.pop().expect("one is made").json();
        assert!(made.is_empty(), "round {round}");
        let others = all.iter().filter(|answer| answer.status == 412).count();
        assert_eq!(others, 15, "round {round}");
        let now = app.root("GET", &path, &Value::Null).await.json();
        assert_eq!(now["max_in_flight"], winner["max_in_flight"]);
    }
}

/// Each client has a target of its own on hooks that all share, so that who wins can be told from
/// what is read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hooks_made_changed_and_deleted_at_once_are_never_torn() {
    let app = TestApp::new().await;
    let client = async |number: usize| {
        for turn in 0..10 {
            let target = format!("https://example.com/{number}/{turn}");
            let body = json!({"target_url": target, "event_type": "package.created"});
            let made = app.root("POST", "/hooks/", &body).await;
            assert_eq!(made.status, 201, "{}", made.text);
            let path = format!("/hooks/{}/", made.json()["id"]);
            // Two fields in one change: whoever reads sees both or none.
            let both = json!({"timeout_ms": 1_000 + number, "max_in_flight": number + 1});
            let (changed, list) = tokio::join!(
                app.root("PATCH", &path, &both),
                app.root("GET", "/hooks/?limit=1000", &Value::Null)
            );
            assert_eq!(changed.status, 200, "{}", changed.text);
            for hook in list.json().as_array().unwrap() {
                let (timeout, most) = (&hook["timeout_ms"], &hook["max_in_flight"]);
                let fresh = *timeout == 10_000 && *most == 8;
                let whole = timeout.as_u64().unwrap() == 999 + most.as_u64().unwrap();
                assert!(fresh || whole, "torn: {hook:#}");
            }
            if turn % 2 == 0 {
                assert_eq!(app.root("DELETE", &path, &Value::Null).await.status, 204);
                assert_eq!(app.root("GET", &path, &Value::Null).await.status, 404);
            }
        }
    };
    join_all((0..32).map(client)).await;
    let left = app.root("GET", "/hooks/?limit=1000", &Value::Null).await;
    assert_eq!(left.json().as_array().unwrap().len(), 32 * 5);
}

/// Pages join while others come and go: what is there all the time is seen exactly once.
#[tokio::test]
async fn pages_hold_while_the_list_changes() {
    let app = TestApp::new().await;
    let hook = async |name: String| {
        let target = format!("https://example.com/{name}");
        app.hook(json!({ "target_url": target })).await["id"]
            .as_u64()
            .unwrap()
    };
    let mut stay = BTreeSet::new();
    let mut go = Vec::new();
    for number in 0..30 {
        stay.insert(hook(format!("stay/{number}")).await);
        go.push(hook(format!("go/{number}")).await);
    }
    let mut seen = Vec::new();
    let mut next = "/hooks/?limit=7".to_owned();
    loop {
        let page = app.root("GET", &next, &Value::Null).await;
        let ids = page.json();
        let ids = ids.as_array().unwrap().iter();
        seen.extend(ids.map(|hook| hook["id"].as_u64().unwrap()));
        for _ in 0..3 {
            if let Some(gone) = go.pop() {
                let path = format!("/hooks/{gone}/");
                assert_eq!(app.root("DELETE", &path, &Value::Null).await.status, 204);
            }
        }
        hook(format!("late/{}", seen.len())).await;
        let link = page.header("link");
        let Some(link) = link.split(['<', '>']).nth(1) else {
            break;
        };
        next = link.strip_prefix("/whisperer").unwrap().to_owned();
    }
    let stayed: Vec<u64> = seen
        .iter()
        .copied()
        .filter(|id| stay.contains(id))
        .collect();
    assert_eq!(stayed.len(), stay.len(), "seen more or less than once");
    assert!(stayed.is_sorted_by(|newer, older| newer > older));
    for cursor in ["x", "00", "zzzzzzzzzzzzzzzz", "0000000000000001f"] {
        let answer = app
            .root("GET", &format!("/hooks/?cursor={cursor}"), &Value::Null)
            .await;
        assert_eq!(answer.status, 400, "{cursor}");
    }
}

//! Operational events at the API: who may listen, that nobody posts them, what is told of their
//! types, and where a replay goes.

use serde_json::{Value, json};
use whisperer_domain::delivery::DeadCause;
use whisperer_domain::news::NEWS_TYPES;
use whisperer_domain::port::{Lanes as _, Verdict};

use crate::app::TestApp;
use crate::hook_events::{attempt, settlement};

fn hook(event_type: &str) -> String {
    json!({"target_url": "https://example.com/in", "event_type": event_type}).to_string()
}

#[tokio::test]
async fn only_admins_listen() {
    let app = TestApp::new().await;
    for event_type in [
        "whisperer.*",
        "whisperer.hook.*",
        "whisperer.hook.disabled",
        "whisperer-delivery-dead",
    ] {
        let refused = app
            .call("alice", "POST", "/hooks/", &hook(event_type))
            .await;
        let (status, refused) = refused.parts();
        assert_eq!(status, 400, "{event_type}");
        let words = refused["event_type"][0].as_str().unwrap();
        assert!(words.contains("scope admin"), "{words}");
        assert_eq!(refused["errors"].as_object().unwrap().len(), 1, "{refused}");
        let made = app.call("root", "POST", "/hooks/", &hook(event_type)).await;
        assert_eq!(made.status, 201, "{}", made.text);
    }
    // Not to be had by a change, nor for somebody who is no admin.
    let made = app
        .call("alice", "POST", "/hooks/", &hook("*"))
        .await
        .json();
    let path = format!("/hooks/{}/", made["id"]);
    let wish = json!({"event_type": "whisperer.*"}).to_string();
    for (who, words) in [("alice", "scope admin"), ("root", "alice")] {
        let (status, refused) = app.call(who, "PATCH", &path, &wish).await.parts();
        assert_eq!(status, 400, "{who}");
        let said = refused["event_type"][0].as_str().unwrap();
        assert!(said.contains(words), "{said}");
    }
}

/// Else it could lead what an admin hears of to a place of its own.
#[tokio::test]
async fn a_lesser_token_of_an_admin_cannot_write_a_hook_that_listens() {
    let app = TestApp::new().await;
    let made = app
        .call("root", "POST", "/hooks/", &hook("whisperer.*"))
        .await;
    let path = format!("/hooks/{}/", made.json()["id"]);
    let lesser = json!({"owner": "root", "scopes": ["hooks:write"]});
    let lesser = app.root("POST", "/tokens/", &lesser).await.json();
    let lesser = lesser["token"].as_str().unwrap();
    let moved = json!({"target_url": "https://elsewhere.example/"}).to_string();
    let (status, refused) = app.call(lesser, "PATCH", &path, &moved).await.parts();
    assert_eq!(status, 400);
    let words = refused["event_type"][0].as_str().unwrap();
    assert!(words.contains("scope admin"), "{words}");
    let moved = app.call("root", "PATCH", &path, &moved).await;
    assert_eq!(moved.status, 200, "{}", moved.text);
    assert_eq!(app.call(lesser, "DELETE", &path, "").await.status, 204);
}

#[tokio::test]
async fn nobody_posts_them() {
    let app = TestApp::new().await;
    app.call("root", "POST", "/hooks/", &hook("whisperer.*"))
        .await;
    let words = "told by the server itself";
    for name in ["whisperer.hook.failing", "whisperer.mine", "whisperer"] {
        let ours = json!({"type": name, "payload": 1});
        let cloud = json!({"specversion": "1.0", "id": "1", "source": "/s", "type": name});
        let (json, structured) = ("application/json", "application/cloudevents+json");
        for (kind, body) in [(json, &ours), (structured, &cloud)] {
            let headers = [("content-type", kind)];
            let answer = app.post("/events/", &headers, body.to_string()).await;
            let (status, answer) = answer.parts();
            assert_eq!(status, 400, "{kind}");
            let said = answer["errors"]["type"][0].as_str().unwrap();
            assert!(said.contains(words), "{said}");
        }
        let binary = [
            ("content-type", json),
            ("ce-specversion", "1.0"),
            ("ce-id", "1"),
            ("ce-source", "/s"),
            ("ce-type", name),
        ];
        let answer = app.post("/events/", &binary, "1").await;
        assert_eq!(answer.status, 400);
        assert!(answer.text.contains(words), "{}", answer.text);
        for (kind, body) in [
            ("application/json", json!([ours])),
            ("application/x-ndjson", ours.clone()),
            ("application/cloudevents-batch+json", json!([cloud])),
        ] {
            let headers = [("content-type", kind)];
            let answer = app.post("/events/batch/", &headers, body.to_string()).await;
            let entry = &answer.json()[0];
            assert_eq!(entry["status"], 400, "{kind}: {entry}");
            let said = entry["errors"]["type"][0].as_str().unwrap();
            assert!(said.contains(words), "{said}");
        }
    }
    let events = app.root("GET", "/events/", &Value::Null).await.json();
    assert_eq!(events, json!([]));
    // A name that only looks alike is anybody's.
    let put = app
        .root("PUT", "/event-types/whisperers.meet/", &json!({}))
        .await;
    assert_eq!(put.status, 201);
    let event = json!({"type": "whisperers.meet", "payload": 1});
    assert_eq!(app.event(event).await["deliveries"], 0);
}

#[tokio::test]
async fn their_types_are_described_and_stay() {
    let app = TestApp::new().await;
    let listed = app.root("GET", "/event-types/", &Value::Null).await.json();
    for name in NEWS_TYPES {
        let path = format!("/event-types/{name}/");
        let shown = app.root("GET", &path, &Value::Null).await.json();
        assert!(shown["description"].as_str().unwrap().len() > 20, "{shown}");
        assert!(shown["example"]["hook"]["id"].is_number(), "{shown}");
        let in_list = listed.as_array().unwrap().iter();
        let in_list = in_list.clone().find(|it| it["name"] == name).unwrap();
        assert_eq!(in_list["description"], shown["description"]);
        let (status, kept) = app.root("DELETE", &path, &Value::Null).await.parts();
        assert_eq!(status, 409);
        let words = kept["detail"].as_str().unwrap();
        assert!(words.contains("the server's own"), "{words}");
        assert_eq!(app.root("GET", &path, &Value::Null).await.status, 200);
    }
}

/// What died for alice is told to the root's hook that asks for it, and to no `*`; told again, it
/// goes the same way.
#[tokio::test]
async fn a_replay_goes_to_those_who_may_listen() {
    let app = TestApp::new().await;
    let make = async |who: &str, event_type: &str| {
        let made = app.call(who, "POST", "/hooks/", &hook(event_type)).await;
        assert_eq!(made.status, 201, "{}", made.text);
        made.json()["id"].as_u64().unwrap()
    };
    make("alice", "package.created").await;
    make("alice", "*").await;
    make("root", "*").await;
    let listener = make("root", "whisperer.*").await;
    app.event(json!({"type": "package.created", "payload": 1}))
        .await;
    let dead = Verdict::Dead(DeadCause::Exhausted);
    let dead = settlement(&app, 1, attempt(500), dead).await;
    app.store.settle([dead].into()).await.unwrap();

    let path = "/hook_events/?event_type=whisperer.*";
    let told = app.root("GET", path, &Value::Null).await.json();
    assert_eq!(told.as_array().unwrap().len(), 1, "{told}");
    assert_eq!(told[0]["webhook"]["id"], json!(listener));
    let replay = format!("/events/{}/replay/", told[0]["event_id"].as_str().unwrap());
    let again = app.root("POST", &replay, &Value::Null).await.json();
    assert_eq!(again["deliveries"], 1, "{again}");
    let told = app.root("GET", path, &Value::Null).await.json();
    let hooks: Vec<&Value> = told.as_array().unwrap().iter().collect();
    assert!(
        hooks.iter().all(|it| it["webhook"]["id"] == listener),
        "{told}"
    );
    assert_eq!(hooks.len(), 2);
}

//! What tokens may do: every route with every scope, out of the document; tokens listed and
//! revoked; what is remembered of changes.

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};

use crate::app::TestApp;

const SCOPES: [&str; 8] = [
    "hooks:read",
    "hooks:write",
    "events:write",
    "deliveries:read",
    "deliveries:retry",
    "plugins:read",
    "plugins:write",
    "admin",
];

/// A token of alice's with these scopes.
async fn token(app: &TestApp, scopes: &[&str]) -> Value {
    let input = json!({"owner": "alice", "scopes": scopes});
    let made = app.root("POST", "/tokens/", &input).await;
    assert_eq!(made.status, 201, "{}", made.text);
    made.json()
}

fn includes(scope: &str, needed: &str) -> bool {
    scope == needed
        || scope == "admin"
        || [
            ("hooks:write", "hooks:read"),
            ("deliveries:retry", "deliveries:read"),
            ("plugins:write", "plugins:read"),
        ]
        .contains(&(scope, needed))
}

#[tokio::test]
async fn each_route_takes_the_scope_that_it_names_and_no_other() {
    let app = TestApp::new().await;
    let document = Request::get("/openapi.json").body(Body::empty()).unwrap();
    let document = app.send(document).await.json();
    let mut tokens = Vec::new();
    for scope in SCOPES {
        let made = token(&app, &[scope]).await;
        tokens.push((scope, made["token"].as_str().unwrap().to_owned()));
    }
    let mut refused = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let needed = operation["security"][0]["token"].as_array();
            let Some(needed) = needed.and_then(|scopes| scopes.first()) else {
                continue;
            };
            let needed = needed.as_str().unwrap();
            let path = path
                .replace("/whisperer", "")
                .replace("{id}", "999")
                .replace("{name}", "nobody");
            for (scope, token) in &tokens {
                // An empty body: whoever is let in is told what is wrong with it.
                let answer = app.call(token, &method.to_uppercase(), &path, "").await;
                let may = includes(scope, needed);
                let place = format!("{method} {path} with {scope}: {}", answer.text);
                assert_eq!(answer.status != 403, may, "{place}");
                if !may {
                    refused += 1;
                    assert!(answer.text.contains(needed), "{place}");
                }
            }
        }
    }
    assert!(refused > 50, "{refused}");
}

#[tokio::test]
async fn a_token_is_listed_without_its_text_and_revoked_at_once() {
    let app = TestApp::new().await;
    let made = token(&app, &["hooks:read"]).await;
    let (text, id) = (
        made["token"].as_str().unwrap(),
        made["id"].as_str().unwrap(),
    );
    assert_eq!(app.call(text, "GET", "/hooks/", "").await.status, 200);
    let all = app.root("GET", "/tokens/", &Value::Null).await;
    assert!(!all.text.contains(text), "{}", all.text);
    let listed = all.json();
    let listed = listed.as_array().unwrap();
    let listed = listed.iter().find(|token| token["id"] == id).unwrap();
    assert_eq!(listed["scopes"], json!(["hooks:read"]));
    assert_eq!(listed["owner"], "alice");

    let path = format!("/tokens/{id}/");
    assert_eq!(app.root("DELETE", &path, &Value::Null).await.status, 204);
    assert_eq!(app.call(text, "GET", "/hooks/", "").await.status, 401);
    assert_eq!(app.root("DELETE", &path, &Value::Null).await.status, 404);
}

#[tokio::test]
async fn the_last_way_in_is_not_closed_from_inside() {
    let app = TestApp::new().await;
    let all = app.root("GET", "/tokens/", &Value::Null).await.json();
    let own = all
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["owner"] == "root");
    let path = format!("/tokens/{}/", own.unwrap()["id"].as_str().unwrap());
    assert_eq!(app.root("DELETE", &path, &Value::Null).await.status, 409);
}

#[tokio::test]
async fn what_is_no_scope_is_named() {
    let app = TestApp::new().await;
    for (scopes, words) in [
        (json!(["hook:read"]), "hooks:read"),
        (json!([]), "at least one"),
        (json!("admin"), "list"),
        (json!([7]), "not a scope"),
    ] {
        let input = json!({"owner": "alice", "scopes": scopes});
        let answer = app.root("POST", "/tokens/", &input).await;
        assert_eq!(answer.status, 400);
        let errors = answer.json()["errors"]["scopes"].to_string();
        assert!(errors.contains(words), "{errors}");
    }
}

#[tokio::test]
async fn each_change_is_remembered_with_who_made_it_and_without_its_secrets() {
    let app = TestApp::new().await;
    let secret = "top-secret-value";
    let hook = app.hook(json!({"secret_key": secret})).await;
    let path = format!("/hooks/{}/", hook["id"]);
    let patch = json!({"timeout_ms": 500}).to_string();
    assert_eq!(app.call("root", "PATCH", &path, &patch).await.status, 200);
    assert_eq!(app.root("DELETE", &path, &Value::Null).await.status, 204);
    let audit = app.root("GET", "/audit/", &Value::Null).await;
    assert!(!audit.text.contains(secret), "{}", audit.text);
    let audit = audit.json();
    let said: Vec<_> = audit
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            (
                entry["action"].as_str().unwrap(),
                entry["object"].as_str().unwrap(),
            )
        })
        .collect();
    let object = format!("hooks/{}", hook["id"]);
    assert_eq!(
        said,
        [
            ("deleted", &*object),
            ("changed", &*object),
            ("created", &*object)
        ]
    );
    assert_eq!(audit[1]["owner"], "root");
    assert_eq!(audit[1]["before"]["timeout_ms"], 10_000);
    assert_eq!(audit[1]["after"]["timeout_ms"], 500);
    assert_eq!(audit[0]["after"], Value::Null);
    assert_eq!(audit[2]["after"]["target_url"], hook["target_url"]);
    assert!(audit[2]["after"].get("id").is_none(), "it had none yet");

    let first = app.root("GET", "/audit/?limit=2", &Value::Null).await;
    let next = first.header("link").split(['<', '>']).nth(1).unwrap();
    let next = next.strip_prefix("/whisperer").unwrap();
    let rest = app.root("GET", next, &Value::Null).await;
    assert_eq!(rest.json().as_array().unwrap().len(), 1);
    assert_eq!(rest.header("link"), "");
}

#[tokio::test]
async fn who_calls_too_often_is_told_when_to_come_again() {
    let limits = whisperer_server::api::Limits {
        token_rate: std::num::NonZeroU32::new(3),
        ..Default::default()
    };
    let app = TestApp::with(limits).await;
    let mut told = None;
    for _ in 0..100 {
        let answer = app.root("GET", "/hooks/", &Value::Null).await;
        if answer.status == 429 {
            told = Some(answer);
        }
    }
    let told = told.expect("a hundred in a moment are more than three a second");
    assert_eq!(told.header("retry-after"), "1");
    assert_eq!(app.call("alice", "GET", "/hooks/", "").await.status, 200);
}

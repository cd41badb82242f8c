//! Who may ask, and what owners see of each other.

use axum::body::Body;
use http::Request;
use serde_json::json;

use crate::app::TestApp;

#[tokio::test]
async fn a_stranger_is_told_how_to_come_in() {
    let app = TestApp::new().await;
    for (header, detail) in [
        (None, "Authentication credentials were not provided."),
        (Some("Token wrong"), "Invalid token."),
        (Some("Basic eDp5"), "Invalid token header."),
        (Some("Token"), "Invalid token header."),
    ] {
        for path in [
            "hooks/",
            "hook_events/",
            "event-types/",
            "plugins/",
            "hooks/registry/",
        ] {
            let mut request = Request::builder().uri(format!("/whisperer/{path}"));
            if let Some(header) = header {
                request = request.header("authorization", header);
            }
            let answer = app.send(request.body(Body::empty()).unwrap()).await;
            assert_eq!(answer.status, 401, "{path} {header:?}");
            assert_eq!(
                answer.header("www-authenticate"),
                "Token realm=\"whisperer\""
            );
            assert_eq!(answer.header("content-type"), "application/problem+json");
            assert_eq!(answer.json()["detail"], detail);
        }
    }
    let request = Request::builder()
        .uri("/whisperer/hooks")
        .header("authorization", "Bearer root");
    assert_eq!(
        app.send(request.body(Body::empty()).unwrap()).await.status,
        200
    );
}

#[tokio::test]
async fn owners_do_not_see_each_other() {
    let app = TestApp::new().await;
    let body = json!({"target_url": "https://example.com/a", "event_type": "*"}).to_string();
    let hook = app.call("alice", "POST", "/hooks/", &body).await.json();
    assert_eq!(hook["owner"], "alice");
    let path = format!("/hooks/{}/", hook["id"]);
    app.event(json!({"type": "package.created", "payload": 1}))
        .await;

    for method in ["GET", "PUT", "PATCH", "DELETE"] {
        let sent = if method == "GET" || method == "DELETE" {
            ""
        } else {
            &*body
        };
        let answer = app.call("bob", method, &path, sent).await;
        assert_eq!(answer.status, 404, "{method}");
    }
    assert_eq!(
        app.call("bob", "GET", "/hooks/", "").await.json(),
        json!([])
    );
    assert_eq!(
        app.call("bob", "GET", "/hook_events/", "").await.json(),
        json!([])
    );

    let list = app.call("alice", "GET", "/hook_events/", "").await.json();
    assert_eq!(list.as_array().map(Vec::len), Some(1));
    let delivery = format!("/hook_events/{}/", list[0]["id"]);
    assert_eq!(app.call("bob", "GET", &delivery, "").await.status, 404);
    for who in ["alice", "root"] {
        assert_eq!(app.call(who, "GET", &path, "").await.status, 200, "{who}");
        assert_eq!(
            app.call(who, "GET", &delivery, "").await.status,
            200,
            "{who}"
        );
    }

    // Another owner may register the very same.
    assert_eq!(app.call("bob", "POST", "/hooks/", &body).await.status, 201);
    // An admin's change leaves the hook with its owner.
    let answer = app.call("root", "PUT", &path, &body).await;
    assert_eq!(answer.json()["owner"], "alice");
}

#[tokio::test]
async fn only_an_admin_makes_tokens_types() {
    let app = TestApp::new().await;
    for (method, path, body) in [
        ("POST", "/tokens/", "{\"owner\": \"mallory\"}"),
        ("PUT", "/event-types/a.b/", "{}"),
        ("DELETE", "/event-types/package.created/", ""),
    ] {
        assert_eq!(
            app.call("alice", method, path, body).await.status,
            403,
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_made_token_works_and_is_stored_as_a_hash_only() {
    let app = TestApp::new().await;
    let answer = app
        .root("POST", "/tokens/", &json!({"owner": "carol"}))
        .await;
    assert_eq!(answer.status, 201);
    let made = answer.json();
    assert_eq!(
        (&made["owner"], &made["admin"]),
        (&json!("carol"), &json!(false))
    );
    let token = made["token"].as_str().unwrap();
    assert!(token.starts_with("whs_") && token.len() > 40);
    assert_eq!(app.call(token, "GET", "/hooks/", "").await.status, 200);

    for (body, field) in [
        (json!({}), "owner"),
        (json!({"owner": ""}), "owner"),
        (json!({"owner": "x", "admin": "perhaps"}), "admin"),
        (json!({"owner": "x", "scopes": []}), "scopes"),
    ] {
        let (status, answer) = app.root("POST", "/tokens/", &body).await.parts();
        assert_eq!(status, 400, "{body}");
        assert!(answer["errors"][field].is_array(), "{answer}");
    }
}

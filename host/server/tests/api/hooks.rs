//! Registering hooks, with the codes and words of the OMS.

use serde_json::{Value, json};

use crate::app::TestApp;

#[tokio::test]
async fn a_hook_has_every_field_and_its_defaults() {
    let app = TestApp::new().await;
    let body = json!({"target_url": "https://EXAMPLE.com/in", "event_type": "package-created"});
    let answer = app.root("POST", "/hooks/", &body).await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.header("location"), "/whisperer/hooks/1/");
    assert_eq!(
        answer.json(),
        json!({
            "id": 1,
            "owner": "root",
            "target_url": "https://example.com/in",
            "event_type": "package.created",
            "retry_countdown_config": {"choice": "schedule", "kwargs": {"seconds":
                [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400]}},
            "additional_headers": null,
            "secret_key": null,
            "is_active": true,
            "config": {},
            "created_date": "2025-11-25T10:00:00.000Z",
            "modified_date": "2025-11-25T10:00:00.000Z",
            "plugins": null,
            "on_plugin_error": "retry",
            "envelope": "whisperer",
            "signatures": ["whisperer", "standard"],
            "timeout_ms": 10000,
            "max_attempts": 10,
            "max_age": 604_800,
            "max_in_flight": 8,
            "rate_limit": null,
            "ordered": false,
            "filter": null,
            "state": {
                "status": "active", "secrets": null, "rotating_until": null, "pending": 0, "pending_at_least": false,
                "next_attempt_at": null, "last_outcome": null,
                "breaker": "closed", "breaker_until": null, "failing_since": null,
                "paced": null, "not_before": null,
            },
        })
    );
}

/// What a client reads it may send back: nothing changes but the revision.
#[tokio::test]
async fn a_hook_that_is_read_and_put_back_stays_the_same() {
    let app = TestApp::new().await;
    let made = app
        .hook(json!({
            "retry_countdown_config": {"choice": "fixed", "kwargs": {"seconds": 5}},
            "additional_headers": {"X-Tenant": "7"},
            "secret_key": "s3cret",
            "config": {"auth": {"auth_type": "basic", "username": "u", "password": "p"}, "region": "eu"},
            "plugins": [{"name": "redact", "config": {"paths": ["$.card"]}}],
            "on_plugin_error": "send",
            "envelope": "cloudevents",
            "signatures": ["github"],
            "timeout_ms": 500,
            "max_attempts": 3,
            "max_age": 60,
            "max_in_flight": 1,
            "rate_limit": 10_000,
            "ordered": "object",
            "is_active": false,
        }))
        .await;
    let path = format!("/hooks/{}/", made["id"]);
    let read = app.root("GET", &path, &Value::Null).await.json();
    assert_eq!(read, made);
    assert_eq!(read["config"]["auth"]["password"], "********");
    for method in ["PUT", "PATCH"] {
        assert_eq!(
            app.root(method, &path, &read).await.parts(),
            (200, read.clone()),
            "{method}"
        );
    }
}

#[tokio::test]
async fn put_replaces_and_patch_merges_shallowly() {
    let app = TestApp::new().await;
    let made = app
        .hook(json!({"timeout_ms": 500, "config": {"a": {"b": 1}, "c": 2}, "max_in_flight": 2}))
        .await;
    let path = format!("/hooks/{}/", made["id"]);
    let patched = app
        .root("PATCH", &path, &json!({"config": {"a": {"d": 3}}}))
        .await
        .json();
    assert_eq!(patched["config"], json!({"a": {"d": 3}}));
    assert_eq!(patched["timeout_ms"], 500);
    let patched = app
        .root("PATCH", &path, &json!({"timeout_ms": null}))
        .await
        .json();
    assert_eq!(
        (&patched["timeout_ms"], &patched["max_in_flight"]),
        (&json!(10000), &json!(2))
    );

    let body = json!({"target_url": "https://example.com/in", "event_type": "*"});
    let put = app.root("PUT", &path, &body).await.json();
    assert_eq!(
        (&put["max_in_flight"], &put["config"]),
        (&json!(8), &json!({}))
    );
    let (status, answer) = app
        .root("PUT", &path, &json!({"timeout_ms": 500}))
        .await
        .parts();
    assert_eq!(status, 400);
    for field in ["target_url", "event_type"] {
        assert_eq!(answer[field], json!(["This field is required."]));
    }
}

#[tokio::test]
async fn registering_twice_is_refused_in_the_words_of_the_oms() {
    let app = TestApp::new().await;
    let first = app.hook(json!({})).await;
    let second = app.hook(json!({"event_type": "*"})).await;
    let same = json!({"target_url": "https://example.com/in", "event_type": "package.created"});
    let path = format!("/hooks/{}/", second["id"]);
    let patch = json!({"event_type": "package.created"});
    for (method, path, body) in [
        ("POST", "/hooks/", &same),
        ("PUT", &*path, &same),
        ("PATCH", &*path, &patch),
    ] {
        let answer = app.root(method, path, body).await;
        assert_eq!(answer.status, 406, "{method}");
        assert!(
            answer
                .text
                .contains(r#""code":"webhook_100_2","en":"Webhook already registered""#),
            "{}",
            answer.text
        );
        assert_eq!(answer.json()["status"], 406);
    }
    let path = format!("/hooks/{}/", first["id"]);
    let gone = app.root("DELETE", &path, &Value::Null).await;
    assert_eq!((gone.status.as_u16(), gone.text.as_str()), (204, ""));
    assert_eq!(app.root("GET", &path, &Value::Null).await.status, 404);
    assert_eq!(app.root("DELETE", &path, &Value::Null).await.status, 404);
    let again = app.root("POST", "/hooks/", &same).await;
    assert_eq!(again.status, 201);
    assert_ne!(again.json()["id"], first["id"]);
}

fn ids(list: &Value) -> Vec<u64> {
    let hooks = list.as_array().unwrap().iter();
    hooks.map(|hook| hook["id"].as_u64().unwrap()).collect()
}

/// The ids of all pages.
async fn walked(app: &TestApp, who: &str, path: &str) -> Vec<u64> {
    let mut seen = Vec::new();
    let mut path = path.to_owned();
    loop {
        let answer = app.call(who, "GET", &path, "").await;
        seen.extend(ids(&answer.json()));
        let Some(next) = answer.header("link").strip_prefix("</whisperer") else {
            return seen;
        };
        path = next.strip_suffix(">; rel=\"next\"").unwrap().to_owned();
    }
}

#[tokio::test]
async fn lists_are_newest_first_filtered_and_paged() {
    let app = TestApp::new().await;
    for number in 1..=5 {
        let target = format!("https://example.com/{number}");
        app.hook(json!({"target_url": target, "is_active": number != 2}))
            .await;
    }
    app.hook(json!({"event_type": "shipment.created"})).await;
    for (query, expected) in [
        ("", vec![6, 5, 4, 3, 2, 1]),
        ("?event_type=SHIPMENT.Created", vec![6]),
        ("?target_url=https://EXAMPLE.com/3", vec![3]),
        ("?is_active=False", vec![2]),
        (
            "?is_active=true&event_type=package.created",
            vec![5, 4, 3, 1],
        ),
        ("?is_active=&format=json", vec![6, 5, 4, 3, 2, 1]),
    ] {
        let answer = app
            .root("GET", &format!("/hooks/{query}"), &Value::Null)
            .await;
        assert_eq!(ids(&answer.json()), expected, "{query}");
        assert_eq!(answer.header("link"), "", "{query}");
    }

    let seen = walked(&app, "root", "/hooks/?limit=2&is_active=1").await;
    assert_eq!(seen, [6, 5, 4, 3, 1]);

    for (query, field) in [
        ("?is_active=perhaps", "is_active"),
        ("?limit=0", "limit"),
        ("?limit=1001", "limit"),
        ("?cursor=zz", "cursor"),
        ("?isactive=1", "isactive"),
    ] {
        let (status, answer) = app
            .root("GET", &format!("/hooks/{query}"), &Value::Null)
            .await
            .parts();
        assert_eq!(status, 400, "{query}");
        assert!(answer[field].is_array(), "{answer}");
    }
}

#[tokio::test]
async fn each_owner_pages_through_its_own_hooks_and_an_admin_through_all() {
    let app = TestApp::new().await;
    for number in 1..=8 {
        let who = ["alice", "bob", "bob"][number % 3];
        let target = format!("https://example.com/{number}");
        let body = json!({"target_url": target, "event_type": "package.created"});
        let answer = app.call(who, "POST", "/hooks/", &body.to_string()).await;
        assert_eq!(answer.status, 201);
    }
    let path = "/hooks/?limit=2";
    assert_eq!(walked(&app, "alice", path).await, [6, 3]);
    assert_eq!(walked(&app, "bob", path).await, [8, 7, 5, 4, 2, 1]);
    assert_eq!(walked(&app, "root", path).await, [8, 7, 6, 5, 4, 3, 2, 1]);

    let gone = app.call("bob", "DELETE", "/hooks/5/", "").await;
    assert_eq!(gone.status, 204);
    assert_eq!(walked(&app, "bob", path).await, [8, 7, 4, 2, 1]);
    let one = "/hooks/?limit=1&target_url=https://example.com/3";
    assert_eq!(walked(&app, "alice", one).await, [3]);
    assert!(walked(&app, "bob", one).await.is_empty());
}

#[tokio::test]
async fn if_match_guards_a_change() {
    let app = TestApp::new().await;
    let made = app.hook(json!({})).await;
    let path = format!("/hooks/{}/", made["id"]);
    let first = app
        .root("GET", &path, &Value::Null)
        .await
        .header("etag")
        .to_owned();
    let patch = "{\"timeout_ms\": 500}";
    let second = app
        .call_with("root", "PATCH", &path, patch, &[("if-match", &first)])
        .await;
    assert_eq!(second.status, 200);
    assert_ne!(second.header("etag"), first);
    for (method, body) in [("PATCH", patch), ("DELETE", "")] {
        let stale = app
            .call_with("root", method, &path, body, &[("if-match", &first)])
            .await;
        assert_eq!(stale.status, 412, "{method}");
    }
    let any = app
        .call_with("root", "DELETE", &path, "", &[("if-match", "*")])
        .await;
    assert_eq!(any.status, 204);
}

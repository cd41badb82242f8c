//! The catalogue of event types.

use serde_json::{Value, json};
use whisperer_domain::event_type::OMS_CATALOGUE;
use whisperer_domain::news::NEWS_TYPES;

use crate::app::TestApp;

#[tokio::test]
async fn the_registry_is_the_catalogue() {
    let app = TestApp::new().await;
    let mut expected = OMS_CATALOGUE.to_vec();
    expected.sort_unstable();
    let listed = app.call("alice", "GET", "/hooks/registry/", "").await;
    assert_eq!(listed.json(), json!(expected));
    // An admin may subscribe to those, too.
    expected.extend(NEWS_TYPES);
    expected.sort_unstable();
    let listed = app.root("GET", "/hooks/registry/", &Value::Null).await;
    assert_eq!(listed.json(), json!(expected));
}

#[tokio::test]
async fn a_type_is_put_read_and_deleted() {
    let app = TestApp::new().await;
    let path = "/event-types/billing.paid/";
    assert_eq!(app.root("GET", path, &Value::Null).await.status, 404);
    let put = app
        .root("PUT", path, &json!({"description": "An invoice was paid"}))
        .await;
    let expected = json!({
        "name": "billing.paid", "description": "An invoice was paid",
        "example": null, "schema": null,
    });
    assert_eq!(put.parts(), (201, expected.clone()));
    assert_eq!(app.root("GET", path, &Value::Null).await.json(), expected);
    assert_eq!(app.root("PUT", path, &Value::Null).await.status, 200);

    let hook = app.hook(json!({"event_type": "billing-paid"})).await;
    assert_eq!(hook["event_type"], "billing.paid");
    assert_eq!(app.root("DELETE", path, &Value::Null).await.status, 409);
    let hook = format!("/hooks/{}/", hook["id"]);
    assert_eq!(app.root("DELETE", &hook, &Value::Null).await.status, 204);
    assert_eq!(app.root("DELETE", path, &Value::Null).await.status, 204);
    assert_eq!(app.root("DELETE", path, &Value::Null).await.status, 404);
}

#[tokio::test]
async fn bad_types_are_refused() {
    let app = TestApp::new().await;
    for (path, body, field) in [
        ("/event-types/a..b/", json!({}), "name"),
        ("/event-types/a.*/", json!({}), "name"),
        ("/event-types/whisperer.mine/", json!({}), "name"),
        ("/event-types/whisperer/", json!({}), "name"),
        ("/event-types/whisperer.hook.failing/", json!({}), "name"),
        ("/event-types/a/", json!({"description": 5}), "description"),
        ("/event-types/a/", json!({"schem": {}}), "schem"),
        ("/event-types/a/", json!({"schema": true}), "schema"),
        (
            "/event-types/a/",
            json!({"schema": {"type": "objekt"}}),
            "schema",
        ),
        (
            "/event-types/a/",
            json!({"schema": {"$ref": "http://127.0.0.1/x"}}),
            "schema",
        ),
        (
            "/event-types/a/",
            json!({"example": "x".repeat(70_000)}),
            "example",
        ),
    ] {
        let (status, answer) = app.root("PUT", path, &body).await.parts();
        assert_eq!(status, 400, "{path} {body}");
        assert!(answer["errors"][field].is_array(), "{answer}");
    }
}

fn invoice() -> Value {
    json!({
        "type": "object",
        "required": ["number", "lines"],
        "properties": {
            "number": {"type": "string", "pattern": "^INV-[0-9]+$"},
            "lines": {"type": "array", "items": {
                "type": "object", "properties": {"amount": {"type": "number", "minimum": 0}},
            }},
        },
    })
}

#[tokio::test]
async fn payloads_must_meet_the_schema_of_their_type() {
    let app = TestApp::new().await;
    let path = "/event-types/billing.paid/";
    let example = json!({"number": "INV-1", "lines": [{"amount": 5}]});
    let put = app
        .root(
            "PUT",
            path,
            &json!({"example": example, "schema": invoice()}),
        )
        .await;
    assert_eq!(put.status, 201, "{}", put.text);
    let shown = app.root("GET", path, &Value::Null).await.json();
    assert_eq!(
        (&shown["example"], &shown["schema"]),
        (&example, &invoice())
    );
    // What is long stays out of the list.
    let listed = app.root("GET", "/event-types/", &Value::Null).await.json();
    assert_eq!(
        listed[0],
        json!({"name": "billing.paid", "description": ""})
    );

    app.event(json!({"type": "billing.paid", "payload": example}))
        .await;
    let bad = json!({"number": "secret-7", "lines": [{"amount": 5}, {"amount": -1}]});
    let post = json!({"type": "billing.paid", "payload": bad});
    let (status, answer) = app.root("POST", "/events/", &post).await.parts();
    assert_eq!(status, 400, "{answer}");
    let errors = &answer["errors"]["payload"];
    assert!(errors["lines"]["1"]["amount"].is_array(), "{answer}");
    let number = errors["number"][0].as_str().unwrap();
    assert!(number.contains("INV-"), "{number}");
    assert!(
        !answer.to_string().contains("secret-7"),
        "the rule, never the value"
    );
    let missing = json!({"type": "billing.paid", "payload": {}});
    let answer = app.root("POST", "/events/", &missing).await.json();
    assert_eq!(
        answer["errors"]["payload"]["non_field_errors"]
            .as_array()
            .map(Vec::len),
        Some(2)
    );
    // So long that it is checked on a thread of its own.
    let long = json!({"number": "x".repeat(100_000), "lines": []});
    let post = json!({"type": "billing.paid", "payload": long});
    assert_eq!(app.root("POST", "/events/", &post).await.status, 400);

    // A PUT replaces all of it: without a schema everything is let in.
    assert_eq!(app.root("PUT", path, &json!({})).await.status, 200);
    let shown = app.root("GET", path, &Value::Null).await.json();
    assert_eq!(
        (&shown["example"], &shown["schema"]),
        (&Value::Null, &Value::Null)
    );
    app.event(post).await;
}

#[tokio::test]
async fn an_example_must_meet_its_own_schema() {
    let app = TestApp::new().await;
    let put = json!({"example": {"number": 7, "lines": []}, "schema": invoice()});
    let answer = app.root("PUT", "/event-types/billing.paid/", &put).await;
    assert_eq!(answer.status, 400);
    assert!(
        answer.json()["errors"]["example"]["number"].is_array(),
        "{}",
        answer.text
    );
}

#[tokio::test]
async fn example_and_schema_keep_their_text() {
    let app = TestApp::new().await;
    let body = "{\"example\": {\"n\" : 12345678901234567890123, \"a\": 1.0}}";
    let put = app.call("root", "PUT", "/event-types/a/", body).await;
    assert_eq!(put.status, 201);
    assert!(
        put.text
            .contains("{\"n\" : 12345678901234567890123, \"a\": 1.0}"),
        "{}",
        put.text
    );
}

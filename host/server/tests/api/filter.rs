//! A hook's content filter.

use serde_json::{Value, json};

use crate::app::TestApp;

const GERMAN: &str = "{\"path\": \"country\", \"eq\": \"DE\"}";

async fn deliveries(app: &TestApp, payload: &str) -> Value {
    let body = format!("{{\"type\": \"package.created\", \"payload\": {payload}}}");
    let answer = app.call("root", "POST", "/events/", &body).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    answer.json()["deliveries"].clone()
}

#[tokio::test]
async fn a_filter_decides_before_a_delivery_is_made() {
    let app = TestApp::new().await;
    app.hook(json!({})).await;
    app.hook(
        json!({"target_url": "https://example.com/2", "filter": {"path": "country", "eq": "DE"}}),
    )
    .await;
    app.hook(json!({
        "target_url": "https://example.com/3",
        "filter": {"all": [{"path": "country", "in": ["DE", "AT"]}, {"path": "lines[*].amount", "gte": 100}]},
    }))
    .await;
    for (payload, expected) in [
        ("{}", 1),
        ("{\"country\": \"DE\"}", 2),
        ("{\"country\": \"AT\"}", 1),
        (
            "{\"country\": \"AT\", \"lines\": [{\"amount\": 1}, {\"amount\": 1e2}]}",
            2,
        ),
        ("{\"country\": \"DE\", \"lines\": [{\"amount\": 99.99}]}", 2),
        ("{\"country\": \"FR\", \"country\": \"DE\"}", 2),
        ("\"DE\"", 1),
        ("null", 1),
    ] {
        assert_eq!(deliveries(&app, payload).await, expected, "{payload}");
    }
}

#[tokio::test]
async fn large_numbers_in_a_filter_keep_their_digits() {
    let app = TestApp::new().await;
    let filter = "{ \"path\": \"id\",  \"eq\": 123456789012345678901234567890 }";
    let body = format!(
        "{{\"target_url\": \"https://example.com/\", \"event_type\": \"*\", \"filter\": {filter}}}"
    );
    let made = app.call("root", "POST", "/hooks/", &body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert!(made.text.contains(filter), "{}", made.text);
    for (id, expected) in [
        ("123456789012345678901234567890", 1),
        ("123456789012345678901234567890.0", 1),
        ("123456789012345678901234567891", 0),
    ] {
        assert_eq!(
            deliveries(&app, &format!("{{\"id\": {id}}}")).await,
            expected,
            "{id}"
        );
    }
}

#[tokio::test]
async fn a_filter_is_kept_replaced_and_cleared() {
    let app = TestApp::new().await;
    let hook = app.hook(json!({})).await;
    assert_eq!(hook["filter"], Value::Null);
    let path = format!("/hooks/{}/", hook["id"]);
    let german: Value = serde_json::from_str(GERMAN).unwrap();
    let required = json!({"target_url": "https://example.com/in", "event_type": "package.created"});
    let steps = [
        ("PATCH", json!({"filter": german}), german.clone()),
        ("PATCH", json!({"timeout_ms": 500}), german.clone()),
        ("PATCH", json!({"filter": null}), Value::Null),
        ("PATCH", json!({"filter": german}), german.clone()),
        // What is no secret does not outlive a PUT that does not mention it.
        ("PUT", required, Value::Null),
    ];
    for (method, body, expected) in steps {
        let answer = app.root(method, &path, &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.json()["filter"], expected, "{method} {body}");
        let passes = u64::from(expected.is_null());
        assert_eq!(deliveries(&app, "{}").await, passes, "{method} {body}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_filter_is_told_where_it_is() {
    let app = TestApp::new().await;
    for (filter, pointer, words) in [
        (json!([]), "/filter/0", "Expected a condition"),
        (json!({}), "/filter/0", "A condition has"),
        (json!("x"), "/filter/0", "Expected a condition"),
        (json!({"path": "a"}), "/filter/0", "compared with nothing"),
        (
            json!({"path": "a..b", "eq": 1}),
            "/filter/path/0",
            "Not a path",
        ),
        (
            json!({"path": "a", "eqq": 1}),
            "/filter/eqq/0",
            "Unknown condition",
        ),
        (
            json!({"all": [{"path": "a", "eq": 1}, {"not": {"path": "b", "gt": "5"}}]}),
            "/filter/all/1/not/gt/0",
            "A valid number is required.",
        ),
    ] {
        let body = json!({
            "target_url": "https://example.com/", "event_type": "*", "filter": filter,
        });
        let (status, answer) = app.root("POST", "/hooks/", &body).await.parts();
        assert_eq!(status, 400, "{filter}");
        // At the top level too, as on every route of the OMS.
        for place in ["", "/errors"] {
            let told = answer.pointer(&format!("{place}{pointer}"));
            let told = told.and_then(Value::as_str).unwrap_or_default();
            assert!(told.contains(words), "{filter}: {answer}");
        }
    }
}

#[tokio::test]
async fn a_filter_can_be_tried() {
    let app = TestApp::new().await;
    let filter = json!({"all": [
        {"path": "country", "eq": "DE"},
        {"any": [{"path": "total", "gt": 100}, {"path": "vip", "eq": true}]},
    ]});
    let hook = app.hook(json!({"filter": filter})).await;
    let path = format!("/hooks/{}/filter/try/", hook["id"]);
    let ask = async |body: Value| {
        let answer = app.root("POST", &path, &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    };
    let answer = ask(json!({"payload": {"country": "DE", "total": 5, "vip": true}})).await;
    // All of them: no one of them decided alone.
    assert_eq!(
        answer,
        json!({"matches": true, "decided_by": {"at": [], "condition": filter}})
    );
    let answer = ask(json!({"payload": {"country": "FR"}})).await;
    assert_eq!(
        answer,
        json!({"matches": false, "decided_by": {
            "at": ["all", "0"], "condition": {"path": "country", "eq": "DE"},
            "found": ["\"FR\""], "found_count": 1,
        }})
    );
    let draft = json!({"path": "items[*].sku", "prefix": "P-"});
    let answer =
        ask(json!({"payload": {"items": [{"sku": "A"}, {"sku": "P-1"}]}, "filter": draft})).await;
    assert_eq!(answer["matches"], true);
    assert_eq!(answer["decided_by"]["found"], json!(["\"A\"", "\"P-1\""]));
    assert_eq!(ask(json!({"payload": null})).await["matches"], false);
    // Nothing was stored.
    let shown = app
        .root("GET", &format!("/hooks/{}/", hook["id"]), &Value::Null)
        .await
        .json();
    assert_eq!(shown["filter"], filter);

    let bare = app
        .hook(json!({"target_url": "https://example.com/2"}))
        .await;
    let bare = format!("/hooks/{}/filter/try/", bare["id"]);
    let answer = app.root("POST", &bare, &json!({"payload": 1})).await.json();
    assert_eq!(
        (&answer["matches"], &answer["decided_by"]),
        (&json!(true), &Value::Null)
    );

    for (who, path, body, status) in [
        ("root", path.as_str(), "{}", 400),
        (
            "root",
            &path,
            "{\"payload\": 1, \"filter\": {\"path\": 5, \"eq\": 1}}",
            400,
        ),
        ("root", &path, "{\"payload\": 1, \"filtr\": {}}", 400),
        ("alice", &path, "{\"payload\": 1}", 404),
        ("root", "/hooks/99/filter/try/", "{\"payload\": 1}", 404),
    ] {
        let answer = app.call(who, "POST", path, body).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text);
    }
}

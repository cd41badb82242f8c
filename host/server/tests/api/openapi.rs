//! What the document says of the API as a whole. That each answer is as it says is checked by
//! every other test, in [`crate::document`].

use std::collections::BTreeSet;

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};

use crate::app::{Answer, TestApp};

async fn open(app: &TestApp, path: &str) -> Answer {
    app.send(Request::get(path).body(Body::empty()).unwrap())
        .await
}

fn operations(document: &Value) -> Vec<(String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let all = paths.iter().flat_map(|(path, item)| {
        let item = item.as_object().unwrap().clone();
        item.into_iter()
            .map(move |(method, operation)| (format!("{method} {path}"), operation))
    });
    all.collect()
}

#[tokio::test]
async fn every_operation_says_what_it_is_and_who_may_call_it() {
    let app = TestApp::new().await;
    let document = open(&app, "/openapi.json").await.json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut ids = BTreeSet::new();
    let all = operations(&document);
    assert!(all.len() > 20, "{}", all.len());
    for (place, operation) in all {
        for member in ["summary", "operationId", "tags", "responses", "security"] {
            assert!(operation.get(member).is_some(), "{place} has no {member}");
        }
        assert!(
            ids.insert(operation["operationId"].to_string()),
            "{place}: its id is taken"
        );
        let open = operation["security"] == json!([{}]);
        let unauthorized = operation["responses"].get("401").is_some();
        assert_eq!(open, !unauthorized, "{place}");
        if !open {
            let (method, path) = place.split_once(' ').unwrap();
            let path = path.replace("{id}", "1").replace("{name}", "redact");
            let request = Request::builder().method(&*method.to_uppercase()).uri(path);
            let answer = app.send(request.body(Body::empty()).unwrap()).await;
            assert_eq!(answer.status, 401, "{place}");
            assert!(!answer.header("www-authenticate").is_empty(), "{place}");
        }
    }
}

/// The document and the code that reads must name the same fields.
#[tokio::test]
async fn what_is_described_is_what_is_read() {
    let app = TestApp::new().await;
    let document = open(&app, "/openapi.json").await.json();
    for (place, operation) in operations(&document) {
        let (method, path) = place.split_once(' ').unwrap();
        if method != "get" || operation["security"] == json!([{}]) {
            continue;
        }
        let path = path.replace("/whisperer", "").replace("{id}", "1");
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            if parameter["in"] == "query" {
                let name = parameter["name"].as_str().unwrap();
                let answer = app
                    .root("GET", &format!("{path}?{name}="), &Value::Null)
                    .await;
                assert_eq!(answer.status, 200, "{place}?{name}: {}", answer.text);
            }
        }
    }
    let inputs = [
        ("/hooks/", "HookInput", json!({"additional_headers": null})),
        ("/events/", "EventInput", json!({})),
        ("/tokens/", "TokenInput", json!({})),
    ];
    for (path, schema, _) in inputs {
        let described = &document["components"]["schemas"][schema]["properties"];
        for name in described.as_object().unwrap().keys() {
            let answer = app
                .root("POST", path, &json!({ name.as_str(): null }))
                .await;
            let unknown = answer.json()["errors"][name].to_string();
            assert!(!unknown.contains("Unknown field"), "{path}: {name}");
        }
    }
    let input = &document["components"]["schemas"]["HookInput"]["properties"];
    let shown = &document["components"]["schemas"]["Hook"]["properties"];
    for name in input.as_object().unwrap().keys() {
        assert!(shown.get(name).is_some(), "{name} is written and not shown");
    }
    let patch = &document["components"]["schemas"]["HookPatch"];
    assert_eq!(&patch["properties"], input);
    assert!(patch.get("required").is_none());
}

#[tokio::test]
async fn the_page_comes_whole_and_from_here() {
    let app = TestApp::new().await;
    assert_eq!(open(&app, "/docs").await.header("location"), "/docs/");
    let page = open(&app, "/docs/").await;
    assert_eq!(page.status, 200);
    assert!(page.header("content-type").starts_with("text/html"));
    assert!(page.header("content-security-policy").contains("'self'"));
    assert!(!page.text.contains("//unpkg") && !page.text.contains("cdn"));
    let start = open(&app, "/docs/swagger-initializer.js").await;
    assert!(start.text.contains("/openapi.json"), "{}", start.text);
    assert!(open(&app, "/docs/swagger-ui-bundle.js").await.text.len() > 100_000);
    assert_eq!(open(&app, "/docs/nothing.js").await.status, 404);
}

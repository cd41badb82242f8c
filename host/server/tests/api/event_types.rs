//! The catalogue of event types.

use serde_json::{Value, json};
use whisperer_domain::event_type::OMS_CATALOGUE;

use crate::app::TestApp;

#[tokio::test]
async fn the_registry_is_the_catalogue() {
    let app = TestApp::new().await;
    let listed = app
        .root("GET", "/hooks/registry/", &Value::Null)
        .await
        .json();
    let mut expected = OMS_CATALOGUE.to_vec();
    expected.sort_unstable();
    assert_eq!(listed, json!(expected));
}

#[tokio::test]
async fn a_type_is_put_read_and_deleted() {
    let app = TestApp::new().await;
    let path = "/event-types/billing.paid/";
    assert_eq!(app.root("GET", path, &Value::Null).await.status, 404);
    let put = app
        .root("PUT", path, &json!({"description": "An invoice was paid"}))
        .await;
    let expected = json!({"name": "billing.paid", "description": "An invoice was paid"});
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
        ("/event-types/a/", json!({"description": 5}), "description"),
        ("/event-types/a/", json!({"schema": {}}), "schema"),
    ] {
        let (status, answer) = app.root("PUT", path, &body).await.parts();
        assert_eq!(status, 400, "{path} {body}");
        assert!(answer["errors"][field].is_array(), "{answer}");
    }
}

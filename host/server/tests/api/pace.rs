//! `rate_limit` and `ordered`: written, read, defaulted, and an order that cannot be changed now.

use serde_json::{Value, json};

use crate::app::TestApp;

#[tokio::test]
async fn rate_and_order_are_written_read_and_taken_back() {
    let app = TestApp::new().await;
    let made = app.hook(json!({"rate_limit": "20", "ordered": true})).await;
    let both = |hook: &Value| (hook["rate_limit"].clone(), hook["ordered"].clone());
    assert_eq!(both(&made), (json!(20), json!(true)));
    let path = format!("/hooks/{}/", made["id"]);
    for (patch, expected) in [
        (json!({"ordered": "object"}), (json!(20), json!("object"))),
        (json!({"rate_limit": 1}), (json!(1), json!("object"))),
        (json!({"ordered": false}), (json!(1), json!(false))),
        (json!({"ordered": "true"}), (json!(1), json!(true))),
        // Null is the default, of either.
        (json!({"ordered": null}), (json!(1), json!(false))),
        (json!({"rate_limit": null}), (json!(null), json!(false))),
    ] {
        let patched = app.root("PATCH", &path, &patch).await;
        assert_eq!(patched.status, 200, "{}", patched.text);
        assert_eq!(both(&patched.json()), expected, "{patch}");
        let read = app.root("GET", &path, &Value::Null).await.json();
        assert_eq!(both(&read), expected, "{patch}");
    }
    let full = json!({"rate_limit": 5, "ordered": "object"});
    assert_eq!(app.root("PATCH", &path, &full).await.status, 200);
    let body = json!({"target_url": "https://example.com/in", "event_type": "package.created"});
    let put = app.root("PUT", &path, &body).await.json();
    assert_eq!(both(&put), (json!(null), json!(false)), "a PUT replaces");
}

/// What is pending is put into its order in the write that asks for it: so much, and no more.
#[tokio::test]
async fn the_order_of_a_long_lane_cannot_be_changed_before_it_drained() {
    let app = TestApp::new().await;
    app.hook(json!({})).await;
    let most = 10_000;
    for count in [most, 1] {
        let lines = "{\"type\": \"package.created\", \"payload\": 1}\n".repeat(count);
        let headers = [("content-type", "application/x-ndjson")];
        let posted = app.post("/events/batch/", &headers, lines).await;
        assert_eq!(posted.status, 200, "{}", posted.text);
    }
    let ordered = json!({"ordered": true});
    let (status, refused) = app.root("PATCH", "/hooks/1/", &ordered).await.parts();
    assert_eq!(status, 400, "{refused}");
    let words = refused["errors"]["ordered"][0].as_str().unwrap();
    assert!(words.contains("10000"), "{words}");
    assert!(words.contains("/whisperer/deliveries/cancel/"), "{words}");
    assert_eq!(refused["ordered"], refused["errors"]["ordered"]);
    let same = app.root("GET", "/hooks/1/", &Value::Null).await.json();
    assert_eq!(same["ordered"], false, "nothing is changed");
    // Anything else of it can be.
    let other = json!({"rate_limit": 7, "ordered": false});
    assert_eq!(app.root("PATCH", "/hooks/1/", &other).await.status, 200);

    // As the words say.
    let called_off = json!({"hook": 1});
    let answer = app.root("POST", "/deliveries/cancel/", &called_off).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let changed = app.root("PATCH", "/hooks/1/", &ordered).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    assert_eq!(changed.json()["ordered"], true);
}

//! `/plugins/{name}/try/`: nothing is sent, nothing is stored.

use serde_json::json;
use whisperer_domain::id::Digest;

use super::{SCHEMA, app_with, hook};

#[tokio::test]
async fn a_dry_run_shows_result_difference_and_cost() {
    let app = app_with(Some(Digest([7; 32])), Some(SCHEMA)).await;
    let event = json!({"type": "package.created", "payload": {"a": 1}});
    let body =
        json!({"event": event, "config": {"paths": ["a"]}, "origin": "https://shop.example/x"});
    let (status, answer) = app
        .call("alice", "POST", "/plugins/redact/try/", &body.to_string())
        .await
        .parts();
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["result"]["outcome"], "modified");
    assert_eq!(
        answer["result"]["payload"]["configs"][0],
        r#"redact={"paths":["a"]}"#
    );
    assert_eq!(
        answer["result"]["payload"]["origin"],
        "https://shop.example"
    );
    let removed = json!({"op": "remove", "path": "/a"});
    assert!(
        answer["diff"].as_array().unwrap().contains(&removed),
        "{answer}"
    );
    assert_eq!(answer["runs"][0]["memory_bytes"], 65_536);
    assert_eq!(answer["runs"][0]["log"][0], "info: hello");
}

#[tokio::test]
async fn a_dry_run_that_cannot_be_names_the_field() {
    let app = app_with(Some(Digest([7; 32])), Some(SCHEMA)).await;
    let event = json!({"type": "package.created", "payload": 1});
    let cases = [
        (json!({}), "/errors/event/0"),
        (json!({"event": event, "delivery_id": 1}), "/errors/event/0"),
        (
            json!({"event": {"type": "package.created"}}),
            "/errors/event/payload/0",
        ),
        (json!({"delivery_id": 99}), "/errors/delivery_id/0"),
        (json!({"event": event, "hook_id": 99}), "/errors/hook_id/0"),
        (
            json!({"event": event, "config": {"paths": 1}}),
            "/errors/config/paths/0",
        ),
        (
            json!({"event": event, "chain": [{"name": "none"}]}),
            "/errors/chain/0/name/0",
        ),
        (
            json!({"event": event, "config": {}, "hook_id": 1}),
            "/errors/non_field_errors/0",
        ),
        (
            json!({"event": event, "origin": "nowhere"}),
            "/errors/origin/0",
        ),
    ];
    for (body, place) in cases {
        let (status, answer) = app
            .call("alice", "POST", "/plugins/redact/try/", &body.to_string())
            .await
            .parts();
        assert_eq!(status, 400, "{body}: {answer}");
        assert!(answer.pointer(place).is_some(), "{body}: {answer}");
    }
    let missing = app.call("alice", "POST", "/plugins/none/try/", "{}").await;
    assert_eq!(missing.parts().0, 404);
}

#[tokio::test]
async fn a_dry_run_takes_a_delivery_and_a_hook_of_its_owner_only() {
    let app = app_with(Some(Digest([7; 32])), Some(SCHEMA)).await;
    let body = hook(&json!([{"name": "redact", "config": {"paths": ["x"]}}]));
    let made = app.call("alice", "POST", "/hooks/", &body).await.json();
    app.event(json!({"type": "package.created", "payload": {"a": 1}}))
        .await;
    let path = "/plugins/redact/try/";
    let both = json!({"delivery_id": 1, "hook_id": made["id"]}).to_string();
    let (status, tried) = app.call("alice", "POST", path, &both).await.parts();
    assert_eq!(status, 200, "{tried}");
    let made_of = &tried["result"]["payload"];
    assert_eq!(made_of["configs"], json!([r#"redact={"paths":["x"]}"#]));
    assert_eq!(made_of["origin"], "https://example.com");
    let removed = json!({"op": "remove", "path": "/a"});
    let diff = tried["diff"].as_array().unwrap();
    assert!(diff.contains(&removed), "the delivery's event: {tried}");

    let event = json!({"type": "package.created", "payload": {}});
    for (field, asked) in [
        ("delivery_id", json!({"delivery_id": 1})),
        ("hook_id", json!({"event": event, "hook_id": made["id"]})),
    ] {
        let (status, told) = app
            .call("bob", "POST", path, &asked.to_string())
            .await
            .parts();
        assert_eq!(status, 400, "{told}");
        let told = told["errors"][field][0].as_str().unwrap();
        assert!(told.starts_with("There is no such"), "{told}");
    }
}

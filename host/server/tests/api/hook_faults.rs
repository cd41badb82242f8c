//! What is wrong with a hook: each fault in its place, all of them at once, nothing stored.

use serde_json::{Value, json};

use crate::app::TestApp;

#[tokio::test]
async fn each_fault_is_named_where_it_is() {
    let app = TestApp::new().await;
    let long = format!("https://example.com/{}", "x".repeat(2048));
    let many: Vec<Value> = (0..17).map(|_| json!({"name": "redact"})).collect();
    for (fields, pointer, words) in [
        (
            json!({"target_url": null}),
            "/target_url/0",
            "This field may not be null.",
        ),
        (
            json!({"target_url": " "}),
            "/target_url/0",
            "This field may not be blank.",
        ),
        (
            json!({"target_url": 5}),
            "/target_url/0",
            "Not a valid string.",
        ),
        (
            json!({"target_url": long}),
            "/target_url/0",
            "Ensure this field has no more than 2048 characters.",
        ),
        (
            json!({"event_type": "nope"}),
            "/event_type/0",
            "\"nope\" is not a valid choice.",
        ),
        (
            json!({"event_type": "a b"}),
            "/event_type/0",
            "\"a b\" is not a valid choice.",
        ),
        (
            json!({"is_active": "perhaps"}),
            "/is_active/0",
            "Must be a valid boolean.",
        ),
        (
            json!({"timeout_ms": 99}),
            "/timeout_ms/0",
            "Ensure this value is greater than or equal to 100.",
        ),
        (
            json!({"timeout_ms": 60_001}),
            "/timeout_ms/0",
            "Ensure this value is less than or equal to 60000.",
        ),
        (
            json!({"max_attempts": 1.5}),
            "/max_attempts/0",
            "A valid integer is required.",
        ),
        (
            json!({"max_attempts": 101}),
            "/max_attempts/0",
            "Ensure this value is less than or equal to 100.",
        ),
        (
            json!({"max_in_flight": 257}),
            "/max_in_flight/0",
            "Ensure this value is less than or equal to 256.",
        ),
        (
            json!({"max_age": 0}),
            "/max_age/0",
            "Ensure this value is greater than or equal to 1.",
        ),
        (
            json!({"envelope": "soap"}),
            "/envelope/0",
            "\"soap\" is not a valid choice.",
        ),
        (
            json!({"signatures": ["whisperer", "ed448"]}),
            "/signatures/1/0",
            "\"ed448\" is not a valid choice.",
        ),
        (
            json!({"signatures": ["github", "github"]}),
            "/signatures/1/0",
            "Given twice.",
        ),
        (
            json!({"on_plugin_error": "skip"}),
            "/on_plugin_error/0",
            "\"skip\" is not a valid choice.",
        ),
        (
            json!({"plugins": [{"name": "redakt"}]}),
            "/plugins/0/name/0",
            "No plugin of this name is in the folder. Did you mean \"redact\"?",
        ),
        (
            json!({"plugins": [{}]}),
            "/plugins/0/name/0",
            "This field is required.",
        ),
        (
            json!({"plugins": ["redact"]}),
            "/plugins/0/non_field_errors/0",
            "Invalid data. Expected a dictionary, but got str.",
        ),
        (
            json!({"plugins": [{"name": "redact", "config": 1}]}),
            "/plugins/0/config/0",
            "Invalid data. Expected a dictionary, but got int.",
        ),
        (
            json!({"plugins": many}),
            "/plugins/0",
            "Ensure this field has no more than 16 elements.",
        ),
        (
            json!({"additional_headers": {"X-A": 1}}),
            "/additional_headers/X-A/0",
            "Not a valid string.",
        ),
        (
            json!({"additional_headers": []}),
            "/additional_headers/0",
            "Invalid data. Expected a dictionary, but got list.",
        ),
        (
            json!({"config": []}),
            "/config/0",
            "Invalid data. Expected a dictionary, but got list.",
        ),
        (
            json!({"targt_url": "x"}),
            "/targt_url/0",
            "Unknown field. Did you mean \"target_url\"?",
        ),
        (
            json!({"rate_limit": 0}),
            "/rate_limit/0",
            "Ensure this value is greater than or equal to 1.",
        ),
        (
            json!({"rate_limit": 10_001}),
            "/rate_limit/0",
            "Ensure this value is less than or equal to 10000.",
        ),
        (
            json!({"rate_limit": 0.5}),
            "/rate_limit/0",
            "A valid integer is required.",
        ),
        (
            json!({"ordered": "objects"}),
            "/ordered/0",
            "Must be false, true (each delivery waits for all before it) or \"object\" (for those \
             before it with the same object_id).",
        ),
        (
            json!({"orderd": true}),
            "/orderd/0",
            "Unknown field. Did you mean \"ordered\"?",
        ),
    ] {
        let mut body = json!({
            "target_url": "https://example.com/in", "event_type": "package.created",
        });
        body.as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        let (status, answer) = app.root("POST", "/hooks/", &body).await.parts();
        assert_eq!(status, 400, "{fields}");
        assert_eq!(answer.pointer(pointer), Some(&json!(words)), "{answer}");
        // The same stands in `errors`, and nothing else is complained about.
        assert_eq!(
            answer["errors"].pointer(pointer),
            Some(&json!(words)),
            "{answer}"
        );
        assert_eq!(
            answer["errors"].as_object().map(serde_json::Map::len),
            Some(1),
            "{answer}"
        );
    }
    assert_eq!(
        app.root("GET", "/hooks/", &Value::Null).await.json(),
        json!([])
    );
}

#[tokio::test]
async fn all_faults_are_told_at_once() {
    let app = TestApp::new().await;
    let body = json!({
        "event_type": "nope", "timeout_ms": 1, "retry_countdown_config": {"choice": "x"},
        "colour": "red", "additional_headers": {"Host": "x"}, "secret_key": "********",
        "config": {"auth": {}}, "filter": {"path": "a"}, "ordered": [],
    });
    let (_, answer) = app.root("POST", "/hooks/", &body).await.parts();
    let mut fields: Vec<&String> = answer["errors"].as_object().unwrap().keys().collect();
    fields.sort();
    assert_eq!(
        fields,
        [
            "additional_headers",
            "colour",
            "config",
            "event_type",
            "filter",
            "ordered",
            "retry_countdown_config",
            "secret_key",
            "target_url",
            "timeout_ms",
        ]
    );
}

#[tokio::test]
async fn targets_that_would_never_be_sent_are_refused_at_once() {
    let app = TestApp::new().await;
    for target in [
        "http://127.0.0.1/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://[::1]/",
        "http://169.254.169.254/latest",
        "http://localhost:9000/",
        "http://10.0.0.8/",
        "ftp://example.com/",
        "https://user:pw@example.com/",
        "example.com",
    ] {
        let body = json!({"target_url": target, "event_type": "*"});
        let (status, answer) = app.root("POST", "/hooks/", &body).await.parts();
        assert_eq!(status, 400, "{target}");
        assert!(
            answer["target_url"][0].as_str().unwrap().len() > 20,
            "{answer}"
        );
    }
}

#[tokio::test]
async fn a_header_that_is_ours_is_refused_by_name() {
    let app = TestApp::new().await;
    for name in [
        "Host",
        "WEBHOOK-ID",
        "X-Whisperer-Event",
        "content-length",
        "a:b",
    ] {
        let body = json!({
            "target_url": "https://example.com/", "event_type": "*",
            "additional_headers": {name: "x"},
        });
        let (status, answer) = app.root("POST", "/hooks/", &body).await.parts();
        assert_eq!(status, 400, "{name}");
        assert!(answer["additional_headers"][name].is_array(), "{answer}");
    }
}

#[tokio::test]
async fn an_owner_cannot_fill_the_memory_with_hooks() {
    let app = TestApp::new().await;
    let create = async |who: &str, number: u32, pad: usize| {
        let hook = json!({
            "target_url": format!("https://example.com/{number}"),
            "event_type": "package.created",
            "config": {"pad": "x".repeat(pad)},
        });
        let answer = app.call(who, "POST", "/hooks/", &hook.to_string()).await;
        answer.parts()
    };
    let pad = 250_000;
    let mut fit = 0;
    let refusal = loop {
        let (status, answer) = create("alice", fit, pad).await;
        if status != 201 {
            assert_eq!(status, 400, "{answer}");
            break answer;
        }
        fit += 1;
    };
    assert_eq!(fit, (32 << 20) / 250_000);
    let words = refusal["non_field_errors"][0].as_str().unwrap();
    assert!(words.contains("32 MiB"), "{words}");
    assert_eq!(create("bob", 0, pad).await.0, 201, "others are not held up");

    let hook = &app.call("alice", "GET", "/hooks/?limit=1", "").await.json()[0];
    let path = format!("/hooks/{}/", hook["id"]);
    let answer = app.call("alice", "PATCH", &path, "{\"config\": {}}").await;
    assert_eq!(answer.status, 200, "what shrinks is let through");
    assert_eq!(create("alice", fit, pad / 2).await.0, 201);
}

//! CloudEvents in each of the shapes in which they come.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use whisperer_domain::port::Ledger as _;

use crate::app::TestApp;

const STRUCTURED: [(&str, &str); 1] = [(
    "content-type",
    "application/cloudevents+json; charset=utf-8",
)];

fn order(extra: Value) -> Value {
    let mut event = json!({
        "specversion": "1.0", "id": "7", "source": "/shop", "type": "package.created",
    });
    event
        .as_object_mut()
        .unwrap()
        .extend(extra.as_object().unwrap().clone());
    event
}

async fn post(app: &TestApp, event: &Value) -> (u16, Value) {
    app.post("/events/", &STRUCTURED, event.to_string())
        .await
        .parts()
}

#[tokio::test]
async fn a_structured_event_is_taken_with_all_it_says() {
    let app = TestApp::new().await;
    app.hook(json!({})).await;
    let body = "{\"specversion\": \"1.0\", \"id\": \"7\", \"source\": \"/shop\", \"type\": \"package.created\", \
        \"time\": \"2025-11-25T12:00:00.123456+02:00\", \"subject\": \"order 7\", \"dataschema\": \"https://a.example/s\", \
        \"traceparent\": \"00-ab\", \"sampled\": true, \"n\": -5, \"nothing\": null, \
        \"data\": { \"n\" : 12345678901234567890123 }}";
    let answer = app.post("/events/", &STRUCTURED, body).await;
    assert_eq!(
        answer.parts(),
        (202, json!({"id": "ce:/shop 7", "deliveries": 1}))
    );
    let stored = app.stored(1).await;
    assert_eq!(stored.payload, "{ \"n\" : 12345678901234567890123 }");
    assert_eq!(stored.content_type, "application/json");
    assert_eq!(stored.object_id.as_deref(), Some("order 7"));
    assert_eq!(stored.occurred_at.0, 1_764_064_800_123);
    let cloud = format!("{{{}}}", stored.cloud.as_ref().unwrap().members());
    let expected = json!({
        "id": "7", "source": "/shop", "type": "package.created", "subject": "order 7",
        "time": "2025-11-25T12:00:00.123456+02:00", "dataschema": "https://a.example/s",
        "traceparent": "00-ab", "sampled": true, "n": -5,
    });
    assert_eq!(serde_json::from_str::<Value>(&cloud).unwrap(), expected);
}

#[tokio::test]
async fn a_binary_event_has_its_attributes_in_headers() {
    let app = TestApp::new().await;
    app.hook(json!({})).await;
    let head = [
        ("ce-specversion", "1.0"),
        ("ce-id", "7"),
        ("ce-source", "/shop"),
        ("ce-type", "package.created"),
        ("ce-subject", "Euro%20%E2%82%AC"),
        ("ce-trace", "x"),
    ];
    let json_head = [&head[..], &[("content-type", "application/json")]].concat();
    let answer = app.post("/events/", &json_head, "{\"a\" : 1}").await;
    assert_eq!(
        answer.parts(),
        (202, json!({"id": "ce:/shop 7", "deliveries": 1}))
    );
    let stored = app.stored(1).await;
    assert_eq!(stored.payload, "{\"a\" : 1}");
    assert_eq!(stored.object_id.as_deref(), Some("Euro \u{20ac}"));
    assert!(
        stored
            .cloud
            .as_ref()
            .unwrap()
            .members()
            .contains("\"trace\":\"x\"")
    );

    let mut text = [&head[..], &[("content-type", "text/plain")]].concat();
    text[1] = ("ce-id", "8");
    let bytes = vec![0xff, 0x00, b'x'];
    assert_eq!(app.post("/events/", &text, bytes.clone()).await.status, 202);
    let stored = app.stored(2).await;
    assert_eq!(
        (&stored.payload[..], stored.content_type.as_str()),
        (&bytes[..], "text/plain")
    );

    // Its version is not guessed at, and JSON has to be some.
    let without = [&json_head[1..]].concat();
    let answer = app.post("/events/", &without, "{}").await;
    assert_eq!(answer.status, 400);
    assert!(answer.json()["errors"]["specversion"].is_array());
    let mut other = json_head.clone();
    other[1] = ("ce-id", "9");
    assert_eq!(app.post("/events/", &other, "{").await.status, 400);
    assert_eq!(app.post("/events/", &other, "").await.status, 202);
    assert_eq!(app.stored(3).await.payload, "null");
}

#[tokio::test]
async fn source_and_id_together_tell_a_repetition() {
    let app = TestApp::new().await;
    app.hook(json!({})).await;
    assert_eq!(post(&app, &order(json!({"data": 1}))).await.0, 202);
    // Said otherwise, it is the same event all the same.
    let again = order(json!({"data": 2, "time": "2025-11-25T12:00:00Z"}));
    let answer = app.post("/events/", &STRUCTURED, again.to_string()).await;
    assert_eq!(
        answer.parts(),
        (202, json!({"id": "ce:/shop 7", "deliveries": 1}))
    );
    assert_eq!(answer.header("idempotent-replayed"), "true");
    let binary = [
        ("ce-specversion", "1.0"),
        ("ce-id", "7"),
        ("ce-source", "/shop"),
        ("ce-type", "package.created"),
    ];
    let answer = app.post("/events/", &binary, "3").await;
    assert_eq!(answer.header("idempotent-replayed"), "true");
    for other in [
        order(json!({"id": "8"})),
        order(json!({"source": "/shop/2"})),
    ] {
        let answer = app.post("/events/", &STRUCTURED, other.to_string()).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("idempotent-replayed")),
            (202, "")
        );
    }
    assert_eq!(app.store.status().events_accepted, 3);
    // Longer than an id may be.
    let long = order(json!({"id": "x".repeat(300)}));
    let (status, answer) = post(&app, &long).await;
    assert_eq!(status, 202);
    assert!(
        answer["id"].as_str().unwrap().starts_with("ce:sha256:"),
        "{answer}"
    );
}

/// It was taken 127 deep, and each of its deliveries was JSON that no receiver could read.
#[tokio::test]
async fn data_that_would_be_too_deep_in_its_envelope_is_refused() {
    let app = TestApp::new().await;
    let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    let binary = [
        ("ce-specversion", "1.0"),
        ("ce-id", "7"),
        ("ce-source", "/shop"),
        ("ce-type", "package.created"),
        ("content-type", "application/json"),
    ];
    let taken = app.post("/events/", &binary, nested(126)).await;
    assert_eq!(taken.status, 202);
    let refused = app.post("/events/", &binary, nested(127)).await;
    assert_eq!(refused.status, 400);
    assert!(refused.json().to_string().contains("126 levels"));
    let (status, answer) = post(
        &app,
        &order(json!({"data_base64": STANDARD.encode(nested(127))})),
    )
    .await;
    assert_eq!(status, 400);
    let words = answer["errors"]["data_base64"].to_string();
    assert!(words.contains("126 levels"), "{answer}");
}

#[tokio::test]
async fn data_comes_in_several_coats() {
    let app = TestApp::new().await;
    app.hook(json!({})).await;
    for (place, (extra, payload, kind)) in [
        (
            json!({"data": "text"}),
            &b"\"text\""[..],
            "application/json",
        ),
        (
            json!({"data": "<a/>", "datacontenttype": "application/xml"}),
            b"<a/>",
            "application/xml",
        ),
        (
            json!({"data_base64": "/wA=", "datacontenttype": "image/png"}),
            b"\xff\x00",
            "image/png",
        ),
        (json!({"data_base64": "eyB9"}), b"{ }", "application/json"),
        (json!({"data": null}), b"null", "application/json"),
        (json!({}), b"null", "application/json"),
        (json!({"datacontenttype": "text/plain"}), b"", "text/plain"),
        (
            json!({"data": [1], "datacontenttype": "application/vnd.a+json"}),
            b"[1]",
            "application/vnd.a+json",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let mut event = order(extra.clone());
        event["id"] = json!(place.to_string());
        let (status, answer) = post(&app, &event).await;
        assert_eq!(status, 202, "{extra}: {answer}");
        let stored = app.stored(place as u64 + 1).await;
        assert_eq!(
            (&stored.payload[..], stored.content_type.as_str()),
            (payload, kind),
            "{extra}"
        );
    }
}

#[tokio::test]
async fn what_is_wrong_is_named_by_its_attribute() {
    let app = TestApp::new().await;
    for (extra, field, words) in [
        (
            json!({"specversion": "0.3"}),
            "specversion",
            "Must be \"1.0\".",
        ),
        (json!({"id": ""}), "id", "blank"),
        (json!({"id": 7}), "id", "Not a valid string."),
        (json!({"id": null}), "id", "This field is required."),
        (json!({"source": "a b"}), "source", "URI"),
        (json!({"source": "x".repeat(2_049)}), "source", "2048"),
        (
            json!({"type": "package.creatd"}),
            "type",
            "not a valid choice",
        ),
        (json!({"time": "soon"}), "time", "RFC 3339"),
        (json!({"subject": 5}), "subject", "Not a valid string."),
        (
            json!({"datacontenttype": "xml"}),
            "datacontenttype",
            "media type",
        ),
        (
            json!({"datacontenttype": "a/b\r\nx: y"}),
            "datacontenttype",
            "media type",
        ),
        (json!({"Odd": "x"}), "Odd", "lower-case"),
        (json!({"deep": {}}), "deep", "Must be a string"),
        (json!({"big": 5_000_000_000_u64}), "big", "32 bits"),
        (
            json!({"data": 1, "data_base64": ""}),
            "data_base64",
            "not both",
        ),
        (json!({"data_base64": "?"}), "data_base64", "Not base64"),
        (json!({"data_base64": "ew=="}), "data_base64", "JSON"),
        (
            json!({"data": 1, "datacontenttype": "text/plain"}),
            "data",
            "string",
        ),
    ] {
        let (status, answer) = post(&app, &order(extra.clone())).await;
        assert_eq!(status, 400, "{extra}");
        let told = answer["errors"][field].to_string();
        assert!(
            told.contains(&words.replace('"', "\\\"")),
            "{extra}: {answer}"
        );
    }
    let many: serde_json::Map<String, Value> =
        (0..33).map(|n| (format!("x{n}"), json!("v"))).collect();
    assert_eq!(post(&app, &order(Value::Object(many))).await.0, 400);
    let long: serde_json::Map<String, Value> = (0..5)
        .map(|n| (format!("x{n}"), json!("v".repeat(2_000))))
        .collect();
    assert_eq!(post(&app, &order(Value::Object(long))).await.0, 400);
    let twice = "{\"specversion\": \"1.0\", \"id\": \"1\", \"id\": \"2\", \"source\": \"/\", \"type\": \"package.created\"}";
    let answer = app.post("/events/", &STRUCTURED, twice).await;
    assert_eq!(answer.json()["errors"]["id"][0], "Given twice.");
    for kind in [
        "application/cloudevents-batch+json",
        "application/cloudevents+avro",
    ] {
        assert_eq!(
            app.post("/events/", &[("content-type", kind)], "[]")
                .await
                .status,
            415
        );
    }
    assert_eq!(app.store.status().events_accepted, 0);
}

#[tokio::test]
async fn a_batch_of_them_is_taken_one_by_one() {
    let app = TestApp::new().await;
    app.hook(json!({})).await;
    let batch = json!([order(json!({"data": 1})), order(json!({"id": "8"})), {"id": "9"}, order(json!({"data": 1}))]);
    let headers = [("content-type", "application/cloudevents-batch+json")];
    let answer = app
        .post("/events/batch/", &headers, batch.to_string())
        .await;
    assert_eq!(answer.status, 200);
    let results = answer.json();
    assert_eq!(
        results[0],
        json!({"index": 0, "status": 202, "id": "ce:/shop 7", "deliveries": 1})
    );
    assert_eq!(results[1]["id"], "ce:/shop 8");
    assert_eq!(results[2]["status"], 400);
    assert_eq!(results[2]["errors"]["source"][0], "This field is required.");
    assert_eq!(results[3]["replayed"], true);
}

#[tokio::test]
async fn what_is_not_json_matches_no_filter_and_no_schema() {
    let app = TestApp::new().await;
    app.hook(json!({})).await;
    app.hook(
        json!({"target_url": "https://example.com/2", "filter": {"path": "a", "exists": false}}),
    )
    .await;
    let text = order(json!({"data": "{}", "datacontenttype": "text/plain"}));
    assert_eq!(post(&app, &text).await.1["deliveries"], 1);
    let put = json!({"schema": {"type": "object"}});
    assert_eq!(
        app.root("PUT", "/event-types/package.created/", &put)
            .await
            .status,
        200
    );
    let text = order(json!({"id": "8", "data": "{}", "datacontenttype": "text/plain"}));
    let (status, answer) = post(&app, &text).await;
    assert_eq!(status, 400, "{answer}");
    assert!(
        answer["errors"]["payload"][0]
            .as_str()
            .unwrap()
            .contains("JSON")
    );
}

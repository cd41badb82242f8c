//! Many events in one request.

use std::future::{Future as _, poll_fn};
use std::task::Poll;

use axum::body::Body;
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use whisperer_domain::port::Ledger as _;
use whisperer_server::api::Limits;

use crate::app::{Answer, TestApp};

const LINES: [(&str, &str); 1] = [("content-type", "application/x-ndjson")];
const ARRAY: [(&str, &str); 1] = [("content-type", "application/json")];

fn event(id: &str) -> String {
    json!({"type": "package.created", "payload": {"of": id}, "id": id}).to_string()
}

async fn batch(app: &TestApp, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
    app.post("/events/batch/", headers, body).await
}

/// The statuses of all entries, whose indexes must be their places.
fn statuses(results: &Value) -> Vec<u64> {
    let results = results.as_array().unwrap();
    let place = |(place, entry): (usize, &Value)| {
        assert_eq!(entry["index"], place, "{entry}");
        entry["status"].as_u64().unwrap()
    };
    results.iter().enumerate().map(place).collect()
}

#[tokio::test]
async fn each_event_has_its_result_and_a_bad_one_stops_no_other() {
    let app = TestApp::new().await;
    app.hook(json!({})).await;
    let elements = [
        event("one"),
        "{\"type\": \"package.created\", \"payload\": }".to_owned(),
        "{\"type\": \"package.creatd\", \"payload\": 1}".to_owned(),
        "[]".to_owned(),
        event("two"),
        json!({"type": "package.created", "payload": 2, "id": "one"}).to_string(),
    ];
    let lines = format!("{}\n\n", elements.join("\r\n"));
    let array = format!(" [{}]\n", elements.join(" ,\n"));
    for (headers, body) in [(LINES, lines), (ARRAY, array)] {
        let app = TestApp::new().await;
        app.hook(json!({})).await;
        let answer = batch(&app, &headers, body).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.header("content-type"), "application/json");
        let results = answer.json();
        assert_eq!(statuses(&results), [202, 400, 400, 400, 202, 409]);
        assert_eq!(
            results[0],
            json!({"index": 0, "status": 202, "id": "one", "deliveries": 1})
        );
        // By its place in the whole body.
        assert_eq!(results[1]["line"], 2, "{}", results[1]);
        assert!(results[1]["detail"].as_str().unwrap().contains("line 2"));
        assert!(
            results[2]["errors"]["type"][1]
                .as_str()
                .unwrap()
                .starts_with("Nearest")
        );
        // In the order of the batch.
        assert_eq!(app.stored(1).await.id.as_str(), "one");
        assert_eq!(app.stored(2).await.id.as_str(), "two");
    }
}

#[tokio::test]
async fn an_event_is_accepted_while_the_next_one_is_still_to_come() {
    let app = TestApp::new().await;
    let first = format!("{}\n{}", event("one"), &event("two")[..20]);
    let begun = futures_util::stream::iter([Ok::<_, std::io::Error>(first)]);
    let never = futures_util::stream::pending();
    let mut request = Box::pin(batch(&app, &LINES, Body::from_stream(begun.chain(never))));
    poll_fn(|context| {
        assert!(request.as_mut().poll(context).is_pending());
        match app.store.status().events_accepted {
            1 => Poll::Ready(()),
            _ => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
        }
    })
    .await;
    // The connection is cut: what was accepted stays so, what was not whole is not there.
    drop(request);
    assert_eq!(app.store.status().events_accepted, 1);
}

#[tokio::test]
async fn a_body_that_breaks_off_tells_what_was_taken() {
    let app = TestApp::new().await;
    let parts = [
        Ok(format!("{}\n", event("one"))),
        Err(std::io::Error::other("gone")),
    ];
    let body = Body::from_stream(futures_util::stream::iter(parts));
    let (status, answer) = batch(&app, &LINES, body).await.parts();
    assert_eq!(status, 400);
    assert_eq!(statuses(&answer["results"]), [202]);
}

#[tokio::test]
async fn an_array_that_is_broken_tells_where_and_what_was_taken() {
    let app = TestApp::new().await;
    let one = event("one");
    for (body, line, taken) in [
        (format!("[{one}\n {one}]"), 2, 1),
        (format!("[{one},"), 1, 1),
        (format!("[{one},{one}]]"), 1, 2),
        ("{}".to_owned(), 1, 0),
        (String::new(), 1, 0),
    ] {
        let (status, answer) = batch(&app, &ARRAY, body.clone()).await.parts();
        assert_eq!(status, 400, "{body}");
        assert_eq!(answer["line"], line, "{answer}");
        assert_eq!(statuses(&answer["results"]), vec![202; taken], "{body}");
    }
    for (headers, body) in [(LINES, ""), (LINES, "\n"), (ARRAY, "[]")] {
        assert_eq!(batch(&app, &headers, body).await.parts(), (200, json!([])));
    }
}

#[tokio::test]
async fn a_batch_may_be_repeated() {
    let app = TestApp::new().await;
    app.hook(json!({})).await;
    let body = "{\"type\": \"package.created\", \"payload\": 1}\n".repeat(3);
    let headers = [LINES[0], ("idempotency-key", "k")];
    let first = batch(&app, &headers, body.clone()).await.json();
    assert_eq!(statuses(&first), [202, 202, 202]);
    let again = batch(&app, &headers, body.clone()).await.json();
    for (first, again) in first
        .as_array()
        .unwrap()
        .iter()
        .zip(again.as_array().unwrap())
    {
        assert_eq!(
            (&again["id"], &again["replayed"]),
            (&first["id"], &json!(true))
        );
    }
    let other = body.replace('1', "2");
    assert_eq!(
        statuses(&batch(&app, &headers, other).await.json()),
        [409, 409, 409]
    );
    // A single event's key is another one.
    let single = [
        ("content-type", "application/json"),
        ("idempotency-key", "k"),
    ];
    let answer = app
        .post(
            "/events/",
            &single,
            "{\"type\": \"package.created\", \"payload\": 9}",
        )
        .await;
    assert_eq!(answer.status, 202);
    assert_eq!(app.store.status().events_accepted, 4);
}

#[tokio::test]
async fn too_many_and_too_long_are_told() {
    let limits = Limits {
        event_body_bytes_max: 1 << 10,
        ..Limits::default()
    };
    let app = TestApp::with(limits).await;
    let long = json!({"type": "package.created", "payload": "x".repeat(2_000)});
    let body = format!("{}\n{long}\n{}", event("one"), event("two"));
    let results = batch(&app, &LINES, body).await.json();
    assert_eq!(statuses(&results), [202, 413, 202]);

    let line = "{\"type\": \"package.created\", \"payload\": 1}\n";
    let (status, answer) = batch(&app, &LINES, line.repeat(10_001)).await.parts();
    assert_eq!(status, 413);
    assert_eq!(statuses(&answer["results"]), vec![202; 10_000]);
    assert_eq!(app.store.status().events_accepted, 10_002);

    let announced = [LINES[0], ("content-length", "67108865")];
    assert_eq!(batch(&app, &announced, Body::empty()).await.status, 413);
}

#[tokio::test]
async fn a_batch_takes_no_more_memory_than_there_is() {
    let limits = Limits {
        event_body_bytes_max: 4 << 10,
        body_memory_bytes_max: 16 << 10,
        ..Limits::default()
    };
    let app = TestApp::with(limits).await;
    let line = json!({"type": "package.created", "payload": "x".repeat(3_000)}).to_string() + "\n";
    let chunks: Vec<Result<String, std::io::Error>> = (0..200).map(|_| Ok(line.clone())).collect();
    let body = Body::from_stream(futures_util::stream::iter(chunks));
    let results = batch(&app, &LINES, body).await.json();
    assert_eq!(statuses(&results), vec![202; 200]);
    // And gives all of it back.
    app.event(json!({"type": "package.created", "payload": "x".repeat(4_000)}))
        .await;
}

#[tokio::test]
async fn a_store_that_is_down_is_said_of_each_event() {
    let app = TestApp::with_the_ledger_down().await;
    let results = batch(&app, &LINES, format!("{}\n{{", event("one")))
        .await
        .json();
    assert_eq!(statuses(&results), [503, 400]);
}

#[tokio::test]
async fn other_types_and_packed_bodies_are_refused() {
    let app = TestApp::new().await;
    for headers in [
        [("content-type", "text/csv"), ("accept", "*/*")],
        [
            ("content-type", "application/cloudevents+json"),
            ("accept", "*/*"),
        ],
        [LINES[0], ("content-encoding", "gzip")],
    ] {
        assert_eq!(
            batch(&app, &headers, event("one")).await.status,
            415,
            "{headers:?}"
        );
    }
    for kind in ["application/jsonl", "application/x-ndjson; charset=utf-8"] {
        let answer = batch(&app, &[("content-type", kind)], event("one")).await;
        assert_eq!(statuses(&answer.json()), [202], "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_does_not_come_is_given_up() {
    let app = TestApp::new().await;
    let begun = futures_util::stream::iter([Ok::<_, std::io::Error>(event("one") + "\n")]);
    let body = Body::from_stream(begun.chain(futures_util::stream::pending()));
    let (status, answer) = batch(&app, &LINES, body).await.parts();
    assert_eq!(status, 408);
    assert_eq!(statuses(&answer["results"]), [202]);
}

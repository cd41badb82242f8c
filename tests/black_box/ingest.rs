//! What a poster may send beside single events of ours: batches, CloudEvents, and what hooks want
//! of them.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::eventually;
use crate::support::receiver::Receiver;
use crate::support::server::{ADMIN, Server, Setup};

const PATIENCE: Duration = Duration::from_secs(20);
const BATCH_PATH: &str = "/whisperer/events/batch/";

async fn post(server: &Server, path: &str, kind: &str, body: String) -> (StatusCode, Value) {
    let request = server.http().post(format!("{}{path}", server.base));
    let answer = request
        .header("authorization", format!("Token {ADMIN}"))
        .header("content-type", kind)
        .body(body)
        .send()
        .await
        .unwrap();
    let status = answer.status();
    (
        status,
        serde_json::from_str(&answer.text().await.unwrap()).unwrap(),
    )
}

fn line(n: usize) -> String {
    let region = if n.is_multiple_of(2) { "eu" } else { "us" };
    json!({"type": "package.created", "payload": {"n": n, "region": region}}).to_string() + "\n"
}

#[tokio::test]
async fn a_batch_goes_to_the_hooks_whose_filter_it_meets_and_in_its_order() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::in_folder(folder.path());
    let server = Server::start(&setup).ready().await;
    let receiver = Receiver::accepting().await;
    let hook = json!({
        "target_url": receiver.url("/eu"), "event_type": "*", "max_in_flight": 1,
        "filter": {"all": [{"path": "region", "eq": "eu"}, {"path": "n", "lt": 1e3}]},
    });
    server.hook(hook).await;
    let body: String = (0..2_000).map(line).collect();
    let (status, results) = post(&server, BATCH_PATH, "application/x-ndjson", body).await;
    assert_eq!(status, 200, "{results}");
    for (n, entry) in results.as_array().unwrap().iter().enumerate() {
        assert_eq!(
            (&entry["index"], &entry["status"]),
            (&json!(n), &json!(202)),
            "{entry}"
        );
        assert_eq!(
            entry["deliveries"],
            u64::from(n < 1_000 && n % 2 == 0),
            "{entry}"
        );
    }
    let got = receiver.wait(500, PATIENCE).await;
    let numbers: Vec<Value> = got
        .iter()
        .map(|request| request.json()["payload"]["n"].clone())
        .collect();
    let expected: Vec<Value> = (0..1_000).step_by(2).map(Value::from).collect();
    assert_eq!(numbers, expected);

    // The filter outlives the process.
    server.kill();
    let server = Server::start(&setup).ready().await;
    assert_eq!(
        server
            .event("package.created", json!({"region": "us", "n": 1}))
            .await,
        0
    );
    assert_eq!(
        server
            .event("package.created", json!({"region": "eu", "n": 1}))
            .await,
        1
    );
}

/// Half a batch arrives; what was whole is delivered before the rest is there, and stays.
#[tokio::test]
async fn a_batch_that_is_cut_off_has_been_accepted_as_far_as_it_came() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&Setup::in_folder(folder.path()))
        .ready()
        .await;
    let receiver = Receiver::accepting().await;
    let hook = server
        .hook(json!({"target_url": receiver.url("/"), "event_type": "*"}))
        .await;
    let half: String = (0..100).map(line).collect();
    let mut connection = TcpStream::connect(server.base.trim_start_matches("http://")).unwrap();
    let head = format!(
        "POST {BATCH_PATH} HTTP/1.1\r\nhost: x\r\nauthorization: Token {ADMIN}\r\n\
         content-type: application/x-ndjson\r\ncontent-length: {}\r\n\r\n",
        2 * half.len()
    );
    connection.write_all(head.as_bytes()).unwrap();
    connection.write_all(half.as_bytes()).unwrap();
    receiver.wait(100, PATIENCE).await;
    drop(connection);
    let deliveries = eventually("all is settled", PATIENCE, async || {
        let deliveries = server.deliveries(hook).await;
        let settled = deliveries
            .iter()
            .all(|delivery| delivery["state"] == "delivered");
        settled.then_some(deliveries)
    })
    .await;
    assert_eq!(deliveries.len(), 100);
}

#[tokio::test]
async fn a_cloud_event_arrives_as_the_one_it_was_and_text_is_dead_where_it_does_not_fit() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&Setup::in_folder(folder.path()))
        .ready()
        .await;
    let receiver = Receiver::accepting().await;
    let ours = server
        .hook(json!({"target_url": receiver.url("/ours"), "event_type": "*"}))
        .await;
    for envelope in ["cloudevents", "none"] {
        let target = receiver.url(&format!("/{envelope}"));
        server
            .hook(json!({"target_url": target, "event_type": "*", "envelope": envelope}))
            .await;
    }
    let event = json!({
        "specversion": "1.0", "id": "7", "source": "/shop", "type": "package.created",
        "time": "2026-01-31T12:00:00.5Z", "trace": "00-a",
        "datacontenttype": "text/plain", "data": "hello",
    });
    let kind = "application/cloudevents+json";
    let (status, answer) = post(&server, "/whisperer/events/", kind, event.to_string()).await;
    assert_eq!(
        (status.as_u16(), &answer["deliveries"]),
        (202, &json!(3)),
        "{answer}"
    );
    let got = receiver.wait(2, PATIENCE).await;
    for request in got {
        if request.path == "/none" {
            assert_eq!(request.header("content-type"), "text/plain");
            assert_eq!(&request.body[..], b"hello");
            continue;
        }
        assert_eq!(request.path, "/cloudevents");
        assert_eq!(request.header("content-type"), kind);
        let mut expected = event.clone();
        expected.as_object_mut().unwrap().remove("data");
        expected["data_base64"] = json!("aGVsbG8=");
        assert_eq!(request.json(), expected);
    }
    let delivery = eventually("the third is dead", PATIENCE, async || {
        let delivery = server.deliveries(ours).await.pop()?;
        (delivery["state"] == "dead").then_some(delivery)
    })
    .await;
    assert!(
        delivery["state_reason"]
            .as_str()
            .unwrap()
            .contains("envelope"),
        "{delivery}"
    );
}

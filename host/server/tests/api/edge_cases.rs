//! What every path has in common: slashes, methods, faults, panics, readiness.

use std::future::{Future as _, poll_fn};
use std::task::Poll;

use axum::body::Body;
use futures_util::StreamExt as _;
use http::Request;
use serde_json::{Value, json};
use whisperer_server::api::Limits;

use crate::app::TestApp;

#[tokio::test]
async fn paths_work_with_and_without_their_slash() {
    let app = TestApp::new().await;
    let hook = app.hook(json!({})).await;
    for path in [
        "/hooks",
        "/hooks/registry",
        "/event-types",
        "/hook_events",
        "/plugins",
    ] {
        for path in [path.to_owned(), format!("{path}/")] {
            assert_eq!(
                app.root("GET", &path, &Value::Null).await.status,
                200,
                "{path}"
            );
        }
    }
    let path = format!("/hooks/{}", hook["id"]);
    assert_eq!(app.root("GET", &path, &Value::Null).await.status, 200);
}

#[tokio::test]
async fn no_path_and_no_method_are_problems_too() {
    let app = TestApp::new().await;
    for (method, path, status, allow) in [
        ("GET", "/nothing/", 404, ""),
        ("GET", "/hooks/x/", 404, ""),
        ("GET", "/hooks/99/", 404, ""),
        ("GET", "/hook_events/99/", 404, ""),
        ("GET", "/hook_events/-1/", 404, ""),
        ("GET", "/plugins/none/", 404, ""),
        // No UTF-8: axum refuses it before any handler.
        ("GET", "/hooks/%ff/", 400, ""),
        ("DELETE", "/hooks/", 405, "GET,HEAD,POST"),
        ("PUT", "/events/", 405, "GET,HEAD,POST"),
    ] {
        let answer = app.root(method, path, &Value::Null).await;
        assert_eq!(answer.status, status, "{method} {path}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert_eq!(answer.header("allow"), allow, "{path}");
        let problem = answer.json();
        assert_eq!(problem["status"], status);
        assert!(problem["title"].is_string() && problem["detail"].is_string());
    }
    let answer = app.root("OPTIONS", "/hooks/", &Value::Null).await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("allow")),
        (204, "GET,HEAD,POST")
    );
    let answer = app.root("HEAD", "/hooks/", &Value::Null).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, ""));
}

#[tokio::test]
async fn bad_bodies_are_refused_with_the_place() {
    let app = TestApp::new().await;
    for path in ["/hooks/", "/events/"] {
        for (body, line, column) in [("{\"a\": }", 1, 7), ("{\n  \"a\": 1,\n}", 3, 1)] {
            let (status, answer) = app.call("root", "POST", path, body).await.parts();
            assert_eq!(status, 400, "{path} {body}");
            assert_eq!(answer["line"], line, "{answer}");
            assert_eq!(answer["column"], column, "{answer}");
            let detail = answer["detail"].as_str().unwrap();
            assert!(
                detail.contains("line") && detail.contains("column"),
                "{detail}"
            );
        }
        let deep = format!("{{\"payload\": {}{}}}", "[".repeat(200), "]".repeat(200));
        for body in [
            "",
            "nonsense",
            "[]",
            "null",
            "{} x",
            "{\"a\": \"\\ud800\"}",
            &deep,
        ] {
            let answer = app.call("root", "POST", path, body).await;
            assert_eq!(answer.status, 400, "{path} {body}");
        }
    }
}

#[tokio::test]
async fn other_content_types_are_refused() {
    let app = TestApp::new().await;
    let sent = |kind: &str| {
        Request::builder()
            .method("POST")
            .uri("/whisperer/events/")
            .header("authorization", "Token root")
            .header("content-type", kind)
            .body(Body::from(
                "{\"type\": \"package.created\", \"payload\": 1}",
            ))
            .unwrap()
    };
    assert_eq!(
        app.send(sent("application/x-www-form-urlencoded"))
            .await
            .status,
        415
    );
    assert_eq!(
        app.send(sent("application/JSON; charset=utf-8"))
            .await
            .status,
        202
    );
}

#[tokio::test]
async fn long_bodies_and_too_many_at_once_are_refused() {
    let app = TestApp::with(Limits {
        event_body_bytes_max: 4 << 10,
        body_memory_bytes_max: 8 << 10,
        ..Limits::default()
    })
    .await;
    let long = format!(
        "{{\"type\": \"package.created\", \"payload\": \"{}\"}}",
        "x".repeat(5_000)
    );
    assert_eq!(
        app.call("root", "POST", "/events/", &long).await.status,
        413
    );
    // Not announced, it is found out while it comes.
    let request = Request::builder()
        .method("POST")
        .uri("/whisperer/events/")
        .header("authorization", "Token root")
        .body(Body::from(long))
        .unwrap();
    assert_eq!(app.send(request).await.status, 413);
    // A hook may be longer than all memory there is for bodies here.
    let hook = format!("{{\"target_url\": \"{}\"}}", "x".repeat(9_000));
    let answer = app.call("root", "POST", "/hooks/", &hook).await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("retry-after")),
        (503, "1")
    );
}

#[tokio::test]
async fn a_packed_body_is_not_called_broken_json() {
    let app = TestApp::new().await;
    let body = "{\"type\": \"package.created\", \"payload\": 1}";
    for (encoding, status) in [("gzip", 415), ("identity", 202)] {
        let headers = [("content-encoding", encoding)];
        let answer = app.call_with("root", "POST", "/events/", body, &headers);
        assert_eq!(answer.await.status, status, "{encoding}");
    }
}

#[tokio::test]
async fn bodies_announced_and_never_sent_keep_nobody_out() {
    let app = TestApp::with(Limits {
        event_body_bytes_max: 4 << 10,
        body_memory_bytes_max: 8 << 10,
        ..Limits::default()
    })
    .await;
    let slow = || {
        let begun = futures_util::stream::iter([Ok::<_, std::io::Error>("{")]);
        let never = futures_util::stream::pending();
        let request = Request::post("/whisperer/events/")
            .header("authorization", "Token alice")
            .header("content-length", 4 << 10)
            .body(Body::from_stream(begun.chain(never)))
            .unwrap();
        Box::pin(app.send(request))
    };
    let mut slow = [slow(), slow(), slow(), slow()];
    poll_fn(|context| {
        for request in &mut slow {
            assert!(request.as_mut().poll(context).is_pending());
        }
        Poll::Ready(())
    })
    .await;
    app.event(json!({"type": "package.created", "payload": 1}))
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_given_up() {
    let app = TestApp::new().await;
    let never = futures_util::stream::pending::<Result<&[u8], std::io::Error>>();
    let request = Request::builder()
        .method("POST")
        .uri("/whisperer/events/")
        .header("authorization", "Token root")
        .body(Body::from_stream(never))
        .unwrap();
    let answer = app.send(request).await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("connection")),
        (408, "close")
    );
}

#[tokio::test]
async fn ready_says_what_is_missing() {
    let app = TestApp::new().await;
    let ask = |path: &'static str| app.send(Request::get(path).body(Body::empty()).unwrap());
    assert_eq!(ask("/readyz").await.status, 200);
    app.readiness.start_draining();
    let answer = ask("/readyz").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json()["detail"], "The server is shutting down.");
    assert_eq!(ask("/livez").await.status, 200);
}

//! `/metrics`, asked by somebody who is not on this machine.

use axum::body::Body;
use http::Request;

use crate::app::TestApp;

#[tokio::test]
async fn from_elsewhere_metrics_take_a_token() {
    let app = TestApp::new().await;
    for (token, status) in [(None, 401), (Some("nobody"), 401), (Some("alice"), 200)] {
        let mut request = Request::get("/metrics");
        if let Some(token) = token {
            request = request.header("authorization", format!("Token {token}"));
        }
        let answer = app.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status.as_u16(), status, "{token:?}: {}", answer.text);
        let told = answer.text.contains("whisperer_plugin_info");
        assert_eq!(told, status == 200, "{token:?}: {}", answer.text);
    }
}

#[tokio::test]
async fn what_runs_is_told_by_digest() {
    let app = TestApp::new().await;
    let request = Request::get("/metrics").header("authorization", "Token alice");
    let answer = app.send(request.body(Body::empty()).unwrap()).await;
    let line = format!(
        "whisperer_plugin_info{{plugin=\"redact\",digest=\"{}\",version=\"\"}} 1",
        "07".repeat(32)
    );
    assert!(
        answer.text.contains(&line),
        "{line} is not in {}",
        answer.text
    );
    assert!(answer.header("content-type").starts_with("text/plain"));
}

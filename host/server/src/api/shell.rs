//! What every request goes through, whatever it asks for: its line in the log, the headers that
//! every answer has, and the net under a handler that panics.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt as _;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Method, StatusCode};

use super::problem::{PROBLEM_JSON, Problem};

pub(super) async fn around(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    // Without the query, which is a caller's and may hold what no log should; nor may a path that
    // leads nowhere.
    let path = match request.extensions().get::<MatchedPath>() {
        Some(_) => request.uri().path().to_owned(),
        None => "none of ours".to_owned(),
    };
    let answered = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    let mut response = answered.map_or_else(
        // The panic hook has written where and why.
        |_| Problem::internal(&"a handler panicked").into_response(),
        as_problem,
    );
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    tracing::debug!(
        %method,
        path,
        status = response.status().as_u16(),
        took_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX),
        "request answered"
    );
    response
}

/// What was refused before a handler of ours saw it, such as a path that is not UTF-8, is told in
/// plain text by axum: it becomes a problem like all others.
fn as_problem(response: Response) -> Response {
    let (status, kind) = (response.status(), response.headers().get(CONTENT_TYPE));
    let failed = status.is_client_error() || status.is_server_error();
    if !failed || kind.is_some_and(|kind| kind == PROBLEM_JSON) {
        return response;
    }
    Problem::new(status, "The request cannot be read: its path is malformed.").into_response()
}

pub(super) async fn no_such_path() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "Not found: no such path. The API lives below /whisperer/.",
    )
}

/// axum adds the `Allow` header to what this answers.
pub(super) async fn method_not_allowed(method: Method) -> Response {
    if method == Method::OPTIONS {
        return StatusCode::NO_CONTENT.into_response();
    }
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        format!("Method \"{method}\" not allowed."),
    )
    .into_response()
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::extract::Request;
    use axum::routing::get;
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    #[tokio::test]
    async fn a_panic_in_a_handler_is_a_problem_and_nothing_more() {
        async fn panics() -> &'static str {
            panic!("secret detail")
        }
        let router = Router::new()
            .route("/", get(panics))
            .layer(axum::middleware::from_fn(super::around));
        for _ in 0..2 {
            let request = Request::get("/").body(Body::empty()).unwrap();
            let response = router.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status(), 500);
            let body = response.into_body().collect().await.unwrap().to_bytes();
            let body = String::from_utf8_lossy(&body);
            assert!(body.contains("\"status\":500"), "{body}");
            assert!(!body.contains("secret"), "{body}");
        }
    }
}

//! What every request goes through, whatever it asks for: its line in the log, the headers that
//! every answer has, and the net under a handler that panics.

use std::any::Any;
use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt as _;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Method, StatusCode};

use tower::Service;

use super::problem::{PROBLEM_JSON, Problem};

type Panic = Box<dyn Any + Send>;

/// All of the API, in its shell. A service of its own rather than a middleware made of a function,
/// which costs each request half a dozen allocations.
#[derive(Clone)]
pub(super) struct Shell<S>(S);

impl<S> Shell<S> {
    pub(super) fn around(inner: S) -> Self {
        Self(inner)
    }
}

impl<S> Service<Request> for Shell<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let seen = Seen::of(&request);
        // Guards are asked in the call itself, handlers in what it gives.
        let called = catch_unwind(AssertUnwindSafe(|| self.0.call(request)));
        Box::pin(async move {
            let answered = match called {
                Ok(answering) => AssertUnwindSafe(answering).catch_unwind().await,
                Err(panic) => Err(panic),
            };
            Ok(seen.answered(answered))
        })
    }
}

/// What the log says of a request.
struct Seen {
    started: Instant,
    method: Method,
    path: Option<String>,
}

impl Seen {
    fn of(request: &Request) -> Self {
        // Without the query, which is a caller's and may hold what no log should; nor may a path
        // that leads nowhere.
        let known = request.extensions().get::<MatchedPath>();
        let known = known.filter(|_| tracing::enabled!(tracing::Level::DEBUG));
        Self {
            started: Instant::now(),
            method: request.method().clone(),
            path: known.map(|_| request.uri().path().to_owned()),
        }
    }

    fn answered(self, answered: Result<Result<Response, Infallible>, Panic>) -> Response {
        let mut response = match answered {
            Ok(Ok(response)) => as_problem(response),
            // The panic hook has written where and why.
            Err(_) => Problem::internal(&"a handler panicked").into_response(),
        };
        let headers = response.headers_mut();
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers
            .entry(CACHE_CONTROL)
            .or_insert(HeaderValue::from_static("no-store"));
        tracing::debug!(
            method = %self.method,
            path = self.path.as_deref().unwrap_or("none of ours"),
            status = response.status().as_u16(),
            took_us = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX),
            "request answered"
        );
        response
    }
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
            .layer(tower::layer::layer_fn(super::Shell::around));
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

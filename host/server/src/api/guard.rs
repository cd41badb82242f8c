//! Who may call what. Each route is put behind a guard by the table of routes, so that none can be
//! forgotten; a handler finds in [`Principal`] who was let in.
//!
//! A token that is tried in vain costs its sender: from one address only so many a second, so that
//! guessing gets nowhere. A token that is known has a rate of its own.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode};
use utoipa_axum::router::UtoipaMethodRouter;
use whisperer_domain::access::Right;

use super::Api;
use super::auth::authenticate;
use super::metrics::Peer;
use super::problem::Problem;

/// What a call takes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Access {
    /// Nothing.
    Open,
    /// Any token.
    Token,
    Right(Right),
}

/// Handlers of one path, what each says of itself, and what reading and writing take.
#[derive(Clone)]
pub(super) struct Route {
    pub(super) handlers: UtoipaMethodRouter<Arc<Api>>,
    pub(super) read: Access,
    pub(super) write: Access,
}

impl Route {
    pub(super) fn access(&self, method: &Method) -> Access {
        match *method {
            Method::GET | Method::HEAD => self.read,
            _ => self.write,
        }
    }

    /// The handlers, behind their guard.
    pub(super) fn guarded(&self, api: &Arc<Api>) -> axum::routing::MethodRouter<Arc<Api>> {
        let guard = Guard {
            api: Arc::clone(api),
            read: self.read,
            write: self.write,
        };
        let layer = middleware::from_fn_with_state(guard, check);
        self.handlers.2.clone().route_layer(layer)
    }
}

/// Open to all who reach the port.
pub(super) fn open(handlers: UtoipaMethodRouter<Arc<Api>>) -> Route {
    Route {
        handlers,
        read: Access::Open,
        write: Access::Open,
    }
}

/// Any token reads, this right writes.
pub(super) fn shared(write: Right, handlers: UtoipaMethodRouter<Arc<Api>>) -> Route {
    Route {
        handlers,
        read: Access::Token,
        write: Access::Right(write),
    }
}

/// One right to read, one to write.
pub(super) fn rights(read: Right, write: Right, handlers: UtoipaMethodRouter<Arc<Api>>) -> Route {
    Route {
        handlers,
        read: Access::Right(read),
        write: Access::Right(write),
    }
}

/// The same right for all of it.
pub(super) fn right(right: Right, handlers: UtoipaMethodRouter<Arc<Api>>) -> Route {
    rights(right, right, handlers)
}

#[derive(Clone)]
struct Guard {
    api: Arc<Api>,
    read: Access,
    write: Access,
}

async fn check(State(guard): State<Guard>, mut request: Request, next: Next) -> Response {
    let access = match *request.method() {
        Method::GET | Method::HEAD => guard.read,
        _ => guard.write,
    };
    let right = match access {
        Access::Open => return next.run(request).await,
        Access::Token => None,
        Access::Right(right) => Some(right),
    };
    let rates = &guard.api.rates;
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0.ip());
    let principal = match authenticate(request.headers(), &guard.api) {
        Ok(principal) => principal,
        Err(problem) => {
            return match peer.and_then(|peer| rates.stranger(peer)) {
                None => problem.into_response(),
                Some(wait) => {
                    slower(wait, "Too many calls without a valid token from here.").into_response()
                }
            };
        }
    };
    if let Some(wait) = rates.token(principal.token) {
        return slower(wait, "This token calls too often.").into_response();
    }
    if let Some(right) = right
        && !principal.rights.has(right)
    {
        return Problem::forbidden(right).into_response();
    }
    request.extensions_mut().insert(principal);
    next.run(request).await
}

/// RFC 6585.
fn slower(wait_secs: u16, words: &str) -> Problem {
    Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        format!("{words} Come again in {wait_secs} s."),
    )
    .retry_after(wait_secs)
}

//! Who may call what. Each route is put behind a guard by the table of routes, so that none can be
//! forgotten; a handler finds in [`Principal`] who was let in.
//!
//! A token that is tried in vain costs its sender: from one address only so many a second, so that
//! guessing gets nowhere. A token that is known has a rate of its own.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use futures_util::future::Either;
use http::{Method, StatusCode};
use tower::Service;
use tower::layer::layer_fn;
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

/// What reading and writing take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Needs {
    read: Access,
    write: Access,
}

impl Needs {
    pub(super) fn of(self, method: &Method) -> Access {
        match *method {
            Method::GET | Method::HEAD => self.read,
            _ => self.write,
        }
    }
}

/// Handlers of one path, what each says of itself, and what it takes to call them.
pub(super) struct Route {
    pub(super) handlers: UtoipaMethodRouter<Arc<Api>>,
    pub(super) needs: Needs,
}

impl Route {
    fn new(handlers: UtoipaMethodRouter<Arc<Api>>, read: Access, write: Access) -> Self {
        let needs = Needs { read, write };
        Self { handlers, needs }
    }

    /// The handlers, behind their guard.
    pub(super) fn guarded(&self, api: &Arc<Api>) -> axum::routing::MethodRouter<Arc<Api>> {
        let guard = Guard {
            api: Arc::clone(api),
            needs: self.needs,
        };
        let layer = layer_fn(move |inner| Guarded {
            guard: guard.clone(),
            inner,
        });
        self.handlers.2.clone().route_layer(layer)
    }
}

/// Open to all who reach the port.
pub(super) fn open(handlers: UtoipaMethodRouter<Arc<Api>>) -> Route {
    Route::new(handlers, Access::Open, Access::Open)
}

/// Any token reads, this right writes.
pub(super) fn shared(write: Right, handlers: UtoipaMethodRouter<Arc<Api>>) -> Route {
    Route::new(handlers, Access::Token, Access::Right(write))
}

/// One right to read, one to write.
pub(super) fn rights(read: Right, write: Right, handlers: UtoipaMethodRouter<Arc<Api>>) -> Route {
    Route::new(handlers, Access::Right(read), Access::Right(write))
}

/// The same right for all of it.
pub(super) fn right(right: Right, handlers: UtoipaMethodRouter<Arc<Api>>) -> Route {
    rights(right, right, handlers)
}

#[derive(Clone)]
struct Guard {
    api: Arc<Api>,
    needs: Needs,
}

impl Guard {
    /// The answer, if the request may not go on. If it may, it carries who sent it.
    fn refuse(&self, request: &mut Request) -> Option<Response> {
        let right = match self.needs.of(request.method()) {
            Access::Open => return None,
            Access::Token => None,
            Access::Right(right) => Some(right),
        };
        let rates = &self.api.rates;
        let principal = match authenticate(request.headers(), &self.api) {
            Ok(principal) => principal,
            Err(problem) => {
                let peer = request.extensions().get::<Peer>().map(|peer| peer.0.ip());
                return Some(match peer.and_then(|peer| rates.stranger(peer)) {
                    None => problem.into_response(),
                    Some(wait) => slower(wait, "Too many calls without a valid token from here.")
                        .into_response(),
                });
            }
        };
        if let Some(wait) = rates.token(principal.token) {
            return Some(slower(wait, "This token calls too often.").into_response());
        }
        if let Some(right) = right
            && !principal.rights.has(right)
        {
            return Some(Problem::forbidden(right).into_response());
        }
        request.extensions_mut().insert(principal);
        None
    }
}

/// Handlers behind their guard. A service of its own rather than a middleware made of a function,
/// which costs each request half a dozen allocations.
#[derive(Clone)]
struct Guarded<S> {
    guard: Guard,
    inner: S,
}

impl<S> Service<Request> for Guarded<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Either<S::Future, Ready<Result<Response, Infallible>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        match self.guard.refuse(&mut request) {
            None => Either::Left(self.inner.call(request)),
            Some(answer) => Either::Right(ready(Ok(answer))),
        }
    }
}

/// RFC 6585.
fn slower(wait_secs: u16, words: &str) -> Problem {
    Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        format!("{words} Come again in {wait_secs} s."),
    )
    .retry_after(wait_secs)
}

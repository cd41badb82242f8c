//! The REST API: what may be asked, by whom, and how it is answered.
//!
//! A file per resource. Handlers know ports only and hold nothing between requests. Whatever
//! goes wrong is a problem document, a panic too: it is caught at the edge of the request.

mod auth;
mod body;
mod event_types;
mod events;
mod field_errors;
mod health;
mod hook_events;
mod hooks;
mod list;
mod metrics;
mod moment;
mod plugins;
mod problem;
mod query;
mod shell;
mod tokens;
mod value;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware;
use axum::routing::{MethodRouter, get, post};
use tokio::sync::Semaphore;
use whisperer_domain::address::AddressPolicy;
use whisperer_domain::port::{Catalog, Clock, Ledger};

use crate::readiness::Readiness;

pub(crate) use auth::token_hash;
pub(crate) use hook_events::waiting_words;
pub(crate) use metrics::Peer;
pub use plugins::Plugins;
pub(crate) use tokens::fresh_token;

pub type MetricsText = Arc<dyn Fn() -> String + Send + Sync>;

/// What the API stands on.
pub struct Ports {
    pub catalog: Arc<dyn Catalog>,
    pub ledger: Arc<dyn Ledger>,
    pub clock: Arc<dyn Clock>,
    /// Refuses at once what would never be sent.
    pub policy: Arc<AddressPolicy>,
    pub plugins: Arc<dyn Plugins>,
    /// What `/metrics` says.
    pub metrics: MetricsText,
    pub readiness: Arc<Readiness>,
}

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub event_body_bytes_max: usize,
    /// What all request bodies hold together.
    pub body_memory_bytes_max: usize,
    pub body_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            event_body_bytes_max: 1 << 20,
            body_memory_bytes_max: 128 << 20,
            body_timeout: Duration::from_secs(30),
        }
    }
}

/// The state that handlers share.
pub struct Api {
    catalog: Arc<dyn Catalog>,
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
    policy: Arc<AddressPolicy>,
    plugins: Arc<dyn Plugins>,
    metrics: MetricsText,
    readiness: Arc<Readiness>,
    limits: Limits,
    body_memory: Arc<Semaphore>,
}

impl Api {
    #[must_use]
    pub fn new(ports: Ports, limits: Limits) -> Arc<Self> {
        let shares = (limits.body_memory_bytes_max / body::SHARE_BYTES).min(Semaphore::MAX_PERMITS);
        Arc::new(Self {
            catalog: ports.catalog,
            ledger: ports.ledger,
            clock: ports.clock,
            policy: ports.policy,
            plugins: ports.plugins,
            metrics: ports.metrics,
            readiness: ports.readiness,
            limits,
            body_memory: Arc::new(Semaphore::new(shares)),
        })
    }
}

/// Each path with and without its trailing slash.
fn routes() -> [(&'static str, MethodRouter<Arc<Api>>); 13] {
    [
        ("/whisperer/hooks", get(hooks::list).post(hooks::create)),
        ("/whisperer/hooks/registry", get(hooks::registry)),
        (
            "/whisperer/hooks/{id}",
            get(hooks::one)
                .put(hooks::replace)
                .patch(hooks::patch)
                .delete(hooks::delete),
        ),
        ("/whisperer/events", post(events::create)),
        ("/whisperer/event-types", get(event_types::list)),
        (
            "/whisperer/event-types/{name}",
            get(event_types::one)
                .put(event_types::put)
                .delete(event_types::delete),
        ),
        ("/whisperer/hook_events", get(hook_events::list)),
        ("/whisperer/hook_events/{id}", get(hook_events::one)),
        ("/whisperer/plugins", get(plugins::list)),
        (
            "/whisperer/plugins/{name}",
            get(plugins::one).put(plugins::put).delete(plugins::delete),
        ),
        ("/whisperer/plugins/{name}/try", post(plugins::try_out)),
        ("/whisperer/plugins/{name}/release", post(plugins::release)),
        ("/whisperer/tokens", post(tokens::create)),
    ]
}

/// The whole API, ready to be served.
pub fn router(api: Arc<Api>) -> Router {
    let mut router = Router::new()
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(metrics::metrics));
    for (path, methods) in routes() {
        router = router
            .route(path, methods.clone())
            .route(&format!("{path}/"), methods);
    }
    router
        .method_not_allowed_fallback(shell::method_not_allowed)
        .fallback(shell::no_such_path)
        .layer(middleware::from_fn(shell::around))
        .with_state(api)
}

//! The REST API: what may be asked, by whom, and how it is answered.
//!
//! A file per resource. Handlers know ports only and hold nothing between requests. Whatever
//! goes wrong is a problem document, a panic too: it is caught at the edge of the request.

mod audit;
mod auth;
mod body;
mod deliveries;
mod event_types;
mod events;
mod field_errors;
mod guard;
mod health;
mod hook_events;
mod hooks;
mod list;
mod metrics;
mod moment;
mod openapi;
mod plugins;
mod problem;
mod query;
mod rates;
mod shell;
mod tokens;
mod value;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::response::Redirect;
use axum::routing::get;
use tokio::sync::Semaphore;
use tower::layer::layer_fn;
use utoipa_axum::routes;
use whisperer_domain::access::Right;
use whisperer_domain::address::AddressPolicy;
use whisperer_domain::port::{AuditedCatalog, Clock, Ledger};

use crate::readiness::Readiness;

pub(crate) use auth::token_hash;
use guard::{Route, open, right, rights, shared};
pub(crate) use hook_events::waiting_words;
pub(crate) use metrics::Peer;
use openapi::Page;
pub use plugins::Plugins;
use rates::Rates;
use shell::Shell;
pub(crate) use tokens::fresh_token;

pub type MetricsText = Arc<dyn Fn() -> String + Send + Sync>;

/// What the API stands on.
pub struct Ports {
    pub catalog: Arc<dyn AuditedCatalog>,
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
    /// Calls of one token in a second; none: as many as it likes.
    pub token_rate: Option<NonZeroU32>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            event_body_bytes_max: 1 << 20,
            body_memory_bytes_max: 128 << 20,
            body_timeout: Duration::from_secs(30),
            token_rate: None,
        }
    }
}

/// The state that handlers share.
pub struct Api {
    catalog: Arc<dyn AuditedCatalog>,
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
    policy: Arc<AddressPolicy>,
    plugins: Arc<dyn Plugins>,
    metrics: MetricsText,
    readiness: Arc<Readiness>,
    limits: Limits,
    body_memory: Arc<Semaphore>,
    page: Page,
    rates: Rates,
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
            rates: Rates::new(limits.token_rate),
            page: Page::of(&openapi::document(&routes())),
        })
    }
}

/// Every route of the API: what it says of itself, and what it takes to call it.
fn routes() -> Vec<Route> {
    use Right::{
        Admin, DeliveriesRead, DeliveriesRetry, EventsWrite, HooksRead, HooksWrite, PluginsRead,
        PluginsWrite,
    };
    vec![
        rights(HooksRead, HooksWrite, routes!(hooks::list, hooks::create)),
        shared(Admin, routes!(hooks::registry)),
        rights(
            HooksRead,
            HooksWrite,
            routes!(hooks::one, hooks::replace, hooks::patch, hooks::delete),
        ),
        right(HooksWrite, routes!(hooks::pause)),
        right(HooksWrite, routes!(hooks::resume)),
        right(HooksWrite, routes!(hooks::test)),
        right(HooksWrite, routes!(hooks::rotate)),
        right(HooksRead, routes!(hooks::public_key)),
        right(HooksRead, routes!(hooks::try_filter)),
        rights(Admin, EventsWrite, routes!(events::list, events::create)),
        right(EventsWrite, routes!(events::batch)),
        right(Admin, routes!(events::one)),
        right(Admin, routes!(events::replay)),
        shared(Admin, routes!(event_types::list)),
        shared(
            Admin,
            routes!(event_types::one, event_types::put, event_types::delete),
        ),
        right(DeliveriesRead, routes!(hook_events::list)),
        right(DeliveriesRead, routes!(hook_events::one)),
        right(DeliveriesRetry, routes!(hook_events::retry)),
        right(DeliveriesRead, routes!(hook_events::queue)),
        right(DeliveriesRetry, routes!(deliveries::retry)),
        right(DeliveriesRetry, routes!(deliveries::cancel)),
        right(PluginsRead, routes!(plugins::list)),
        rights(
            PluginsRead,
            PluginsWrite,
            routes!(plugins::one, plugins::put, plugins::delete),
        ),
        right(PluginsRead, routes!(plugins::try_out)),
        right(PluginsWrite, routes!(plugins::release)),
        right(Admin, routes!(tokens::list, tokens::create)),
        right(Admin, routes!(tokens::revoke)),
        right(Admin, routes!(audit::list)),
        open(routes!(health::livez)),
        open(routes!(health::readyz)),
        open(routes!(metrics::metrics)),
    ]
}

/// The whole API, ready to be served.
pub fn router(api: Arc<Api>) -> Router {
    let mut router = Router::new()
        .route("/openapi.json", get(openapi::shown))
        .route("/docs", get(|| async { Redirect::permanent("/docs/") }))
        .route("/docs/", get(openapi::page))
        .route("/docs/{*file}", get(openapi::page));
    for route in routes() {
        let methods = route.guarded(&api);
        // One path, named by each of its operations.
        for path in route.handlers.1.paths.keys() {
            router = router.route(path, methods.clone());
            if let Some(bare) = path.strip_suffix('/') {
                router = router.route(bare, methods.clone());
            }
        }
    }
    router
        .method_not_allowed_fallback(shell::method_not_allowed)
        .fallback(shell::no_such_path)
        .layer(layer_fn(Shell::around))
        .with_state(api)
}

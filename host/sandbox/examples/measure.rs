//! What a call costs: `redact` with two fields on a payload of 1 KiB, each call in a fresh
//! instance, one after another through the port as deliveries go.
//!
//! `cargo run --release -p whisperer-sandbox --example measure -- plugins/dist`

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use whisperer_domain::catalog::{CatalogChange, CatalogSnapshot, Changed};
use whisperer_domain::event::Event;
use whisperer_domain::event_type::EventType;
use whisperer_domain::hook::{ChainLink, PluginChoice};
use whisperer_domain::id::{EventId, EventKey, HookId};
use whisperer_domain::plugin::PluginName;
use whisperer_domain::port::{BoxFuture, Catalog, CatalogError, Chained, Transform, TransformJob};
use whisperer_domain::secret::Secret;
use whisperer_domain::time::Timestamp;
use whisperer_sandbox::{Sandbox, SandboxConfig};

const CALLS: usize = 20_000;

/// A catalog that forgets.
struct NoCatalog;

impl Catalog for NoCatalog {
    fn snapshot(&self) -> Arc<CatalogSnapshot> {
        Arc::default()
    }

    fn change(&self, _: CatalogChange) -> BoxFuture<'_, Result<Changed, CatalogError>> {
        Box::pin(async { Ok(Changed::Done) })
    }
}

fn order() -> String {
    let items: Vec<_> = (0..18)
        .map(|n| format!(r#"{{"sku": "art-{n}", "price": {n}.50}}"#))
        .collect();
    let note = "x".repeat(280);
    format!(
        r#"{{"number": "P-1", "customer": {{"name": "Ada", "email": "ada@example.com", "phone": "+44 1"}}, "items": [{}], "note": "{note}"}}"#,
        items.join(", ")
    )
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("which folder?")?;
    let tasks = TaskTracker::new();
    let start = Instant::now();
    let sandbox = Sandbox::start(
        SandboxConfig::new(folder),
        Arc::new(NoCatalog),
        &tasks,
        CancellationToken::new(),
    )?;
    sandbox.reconciled().await;
    println!("folder loaded in {:?}", start.elapsed());
    let config = r#"{"paths": ["customer.email", "customer.phone"]}"#;
    let choice = PluginChoice::Chain(vec![ChainLink {
        name: PluginName::parse("redact")?,
        config: Secret::new(config.to_owned()),
    }]);
    let event = Arc::new(Event {
        key: EventKey(1),
        id: EventId::parse("evt-1")?,
        event_type: EventType::parse("package.created")?,
        occurred_at: Timestamp(0),
        accepted_at: Timestamp(0),
        object_id: None,
        content_type: "application/json".to_owned(),
        payload: order().into(),
    });
    println!("payload {} bytes", event.payload.len());
    let mut times = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let start = Instant::now();
        let run = sandbox.run(TransformJob {
            choice: choice.clone(),
            event: Arc::clone(&event),
            hook: HookId(1),
            origin: "https://example.com".to_owned(),
        });
        let transformed = run.await;
        times.push(start.elapsed());
        if !matches!(transformed.result, Chained::Made(_)) {
            return Err(format!("{:?}", transformed.result).into());
        }
    }
    times.sort_unstable();
    let at = |part: usize| {
        times
            .get(CALLS * part / 1000)
            .copied()
            .unwrap_or(Duration::ZERO)
    };
    println!(
        "median {:?}, p99 {:?}, p99.9 {:?}",
        at(500),
        at(990),
        at(999)
    );
    Ok(())
}

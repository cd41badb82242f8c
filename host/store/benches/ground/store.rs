//! What benches of the store stand on: a clock of their own, how a store is opened, and what is put
//! into it.

#![allow(dead_code, reason = "each bench uses its own part")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use whisperer_domain::attempt::{Attempt, Response, Timing};
use whisperer_domain::catalog::{CatalogChange, Changed};
use whisperer_domain::event::NewEvent;
use whisperer_domain::event_type::{EventPattern, EventType};
use whisperer_domain::hook::Hook;
use whisperer_domain::id::{AttemptId, EventId, HookId, Owner, Sequence};
use whisperer_domain::outcome::Outcome;
use whisperer_domain::port::{BoxFuture, Catalog, Clock, Fence, Lease, Settlement, Verdict};
use whisperer_domain::schedule::RetryConfig;
use whisperer_domain::sign::SignatureForm;
use whisperer_domain::target_url::TargetUrl;
use whisperer_domain::time::Timestamp;
use whisperer_store::{RedbStore, StoreConfig};

pub(crate) const START: Timestamp = Timestamp(1_764_000_000_000);

/// Goes when it is told to.
pub(crate) struct BenchClock(AtomicU64);

impl BenchClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(START.0)))
    }

    pub(crate) fn advance(&self, by: Duration) {
        let millis = u64::try_from(by.as_millis()).unwrap();
        self.0.fetch_add(millis, Ordering::Relaxed);
    }

    /// Something happens a millisecond after what was before.
    pub(crate) fn tick(&self) {
        self.advance(Duration::from_millis(1));
    }
}

impl Clock for BenchClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

pub(crate) fn config(folder: &Path) -> StoreConfig {
    StoreConfig::new(folder.join("db"), folder.join("key"))
}

pub(crate) fn open(folder: &Path) -> (Arc<RedbStore>, Arc<BenchClock>) {
    let clock = BenchClock::new();
    let store = RedbStore::open(config(folder), clock.clone()).unwrap();
    (store, clock)
}

/// A hook of this owner for everything, which retries soon.
pub(crate) fn hook(owner: &str, host: &str) -> Hook {
    Hook {
        retry: RetryConfig::Fixed { seconds: 5 },
        max_age: Duration::from_secs(3600),
        signatures: vec![SignatureForm::Whisperer],
        ..Hook::new(
            Owner::parse(owner).unwrap(),
            TargetUrl::parse(&format!("https://{host}.example/")).unwrap(),
            EventPattern::All,
        )
    }
}

pub(crate) async fn put_hook(store: &RedbStore, hook: Hook) -> HookId {
    let change = CatalogChange::CreateHook(Box::new(hook));
    match store.change(change).await.unwrap() {
        Changed::Hook(hook) => hook.id,
        Changed::Done => panic!("a created hook is shown"),
    }
}

/// With a payload of so many bytes.
pub(crate) fn event(id: &str, payload_bytes: usize) -> NewEvent {
    let text = "x".repeat(payload_bytes.saturating_sub(11));
    NewEvent {
        id: EventId::parse(id).unwrap(),
        event_type: EventType::parse("package.created").unwrap(),
        occurred_at: None,
        object_id: None,
        content_type: "application/json".to_owned(),
        payload: format!("{{\"text\":\"{text}\"}}").into(),
        fingerprint: [7; 32],
        idempotency: None,
        config_filter: None,
        cloud: None,
    }
}

/// The first attempt at a delivery, answered with this status.
pub(crate) fn attempt(delivery: Sequence, status: u16) -> Attempt {
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    Attempt {
        id: AttemptId(uuid::Uuid::from_u128(u128::from(delivery.0))),
        number: 1,
        started_at: START,
        outcome: match status {
            200..300 => Outcome::Delivered { status },
            _ => Outcome::Refused {
                status,
                retry_after_secs: None,
            },
        },
        timing: Timing::default(),
        response: Some(Response {
            status,
            headers: vec![
                header("content-type", "text/plain"),
                header("date", "Thu, 26 Nov 2026 15:00:00 GMT"),
            ],
            body: "thank you".into(),
            truncated: false,
        }),
        chain: Vec::new(),
        pinned: false,
    }
}

/// Nothing beside what it says.
pub(crate) fn settlement(
    hook: HookId,
    sequence: Sequence,
    attempt: Option<Attempt>,
    verdict: Verdict,
) -> Settlement {
    Settlement {
        lease: Lease {
            hook,
            fence: Fence(1),
        },
        sequence,
        attempt,
        verdict,
        pin: None,
        effect: None,
        health: None,
        news: None,
    }
}

/// The process's resident memory; none where Linux does not say.
pub(crate) fn rss_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    kib.and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) * 1024
}

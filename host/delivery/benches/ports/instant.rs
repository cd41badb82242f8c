//! Every port of delivering, answering at once: what is measured over them is delivering alone.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::watch;
use uuid::Uuid;
use whisperer_domain::attempt::Response;
use whisperer_domain::catalog::{CatalogChange, CatalogSnapshot, Changed};
use whisperer_domain::delivery::{Delivery, DeliveryState, Ready};
use whisperer_domain::event::Event;
use whisperer_domain::event_type::{EventPattern, EventType};
use whisperer_domain::hook::{Hook, Ordered, PluginChoice};
use whisperer_domain::id::{DeliveryUuid, EventId, EventKey, HookId, Owner, Sequence};
use whisperer_domain::port::{
    Acquired, Bell, BoxFuture, Budget, Catalog, CatalogError, Chained, Clock, Exchange, Exchanged,
    FeedItem, FeedSink, Fence, Lanes, Lease, OutboundRequest, Settled, Settlement, StoreDown,
    Taken, Transform, TransformJob, Transformed, Transport, Verdict,
};
use whisperer_domain::secret::Secret;
use whisperer_domain::target_url::TargetUrl;
use whisperer_domain::time::Timestamp;

/// When everything was posted.
const NOW: Timestamp = Timestamp(1_764_000_000_000);

pub(crate) struct InstantPorts {
    catalog: Arc<CatalogSnapshot>,
    event: Arc<Event>,
    sink: Mutex<Option<Arc<dyn FeedSink>>>,
    posted: Mutex<u64>,
    /// What is not settled: a lane may forget what it was told, and reads it here.
    pending: Mutex<BTreeMap<Sequence, Ready>>,
    settled: watch::Sender<u64>,
    start: Instant,
}

impl InstantPorts {
    pub(crate) fn with(hooks: u64) -> Arc<Self> {
        let mut catalog = CatalogSnapshot::default();
        for id in 1..=hooks {
            catalog.hooks.insert(hook(id));
        }
        let event = Event {
            key: EventKey(1),
            id: EventId::parse("e1").unwrap(),
            event_type: EventType::parse("package.created").unwrap(),
            occurred_at: NOW,
            accepted_at: NOW,
            object_id: None,
            content_type: "application/json".to_owned(),
            cloud: None,
            payload: Bytes::from(vec![b'1'; 1 << 10]),
        };
        Arc::new(Self {
            catalog: Arc::new(catalog),
            event: Arc::new(event),
            sink: Mutex::default(),
            posted: Mutex::default(),
            pending: Mutex::default(),
            settled: watch::Sender::new(0),
            start: Instant::now(),
        })
    }

    /// As if just committed: told to whoever listens.
    pub(crate) fn post(&self, hook: HookId) {
        let mut posted = self.posted.lock().unwrap();
        *posted += 1;
        let delivery = Delivery {
            sequence: Sequence(*posted),
            uuid: DeliveryUuid(Uuid::from_u128(u128::from(*posted))),
            hook,
            event: self.event.key,
            event_type: self.event.event_type.clone(),
            created_at: NOW,
            modified_at: NOW,
            attempts: 0,
            state: DeliveryState::Pending {
                due: NOW,
                waiting_for: None,
            },
            last_status: None,
            revival: None,
        };
        let ready = Ready {
            delivery,
            event: Arc::clone(&self.event),
            pin: None,
        };
        let mut pending = self.pending.lock().unwrap();
        pending.insert(ready.delivery.sequence, ready.clone());
        drop(pending);
        let lease = Lease {
            hook,
            fence: Fence(1),
        };
        let sink = self.sink.lock().unwrap();
        let sink = sink.as_ref().expect("delivery listens");
        sink.push(FeedItem::Fresh { lease, ready });
    }

    /// Waits until so many are settled, since the start.
    pub(crate) async fn settled(&self, count: u64) {
        let mut settled = self.settled.subscribe();
        let all = settled.wait_for(|settled| *settled >= count);
        let all = tokio::time::timeout(Duration::from_secs(60), all).await;
        all.expect("delivering goes on").unwrap();
    }
}

fn hook(id: u64) -> Hook {
    Hook {
        id: HookId(id),
        secret_key: Some(Secret::new("0123456789abcdef0123456789abcdef".to_owned())),
        plugins: PluginChoice::Chain(Vec::new()),
        revision: 1,
        ..Hook::new(
            Owner::parse("ann").unwrap(),
            TargetUrl::parse(&format!("https://h{id}.example/hook")).unwrap(),
            EventPattern::All,
        )
    }
}

impl Clock for InstantPorts {
    fn now(&self) -> Timestamp {
        NOW.after(self.start.elapsed())
    }

    fn sleep(&self, wait: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(wait))
    }
}

impl Catalog for InstantPorts {
    fn snapshot(&self) -> Arc<CatalogSnapshot> {
        Arc::clone(&self.catalog)
    }

    fn change(&self, _: CatalogChange) -> BoxFuture<'_, Result<Changed, CatalogError>> {
        unreachable!("delivery reads the catalog and changes nothing in it")
    }
}

impl Transform for InstantPorts {
    fn run(&self, _: TransformJob) -> BoxFuture<'_, Transformed> {
        Box::pin(async {
            Transformed {
                result: Chained::Unchanged,
                runs: Vec::new(),
                took: Duration::ZERO,
            }
        })
    }

    fn on_change(&self, _: Bell) {}
}

impl Transport for InstantPorts {
    fn send(&self, _: OutboundRequest) -> BoxFuture<'_, Exchange> {
        let response = Response {
            status: 200,
            headers: Vec::new(),
            body: Bytes::from_static(b"noted"),
            truncated: false,
        };
        Box::pin(async {
            Exchange {
                result: Exchanged::Answered {
                    response,
                    retry_after: None,
                    asks: None,
                },
                connect: Duration::ZERO,
                total: Duration::ZERO,
            }
        })
    }
}

impl Lanes for InstantPorts {
    fn feed(&self, sink: Arc<dyn FeedSink>) {
        *self.sink.lock().unwrap() = Some(sink);
    }

    fn acquire(
        &self,
        _: Option<HookId>,
        _: usize,
    ) -> BoxFuture<'_, Result<Vec<Acquired>, StoreDown>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn take(
        &self,
        lease: Lease,
        _: Timestamp,
        held: Vec<Sequence>,
        budget: Budget,
        _: Ordered,
    ) -> BoxFuture<'_, Result<Taken, StoreDown>> {
        let pending = self.pending.lock().unwrap();
        let of_lane = pending.values().filter(|ready| {
            ready.delivery.hook == lease.hook && !held.contains(&ready.delivery.sequence)
        });
        let mut ready: Vec<Ready> = of_lane.take(budget.rows + 1).cloned().collect();
        let more = ready.len() > budget.rows;
        ready.truncate(budget.rows);
        let taken = Taken {
            ready,
            more,
            ..Taken::default()
        };
        Box::pin(async move { Ok(taken) })
    }

    fn settle(
        &self,
        settlements: Arc<[Settlement]>,
    ) -> BoxFuture<'_, Result<Vec<Settled>, StoreDown>> {
        let delivered = |it: &Settlement| it.verdict == Verdict::Delivered;
        assert!(settlements.iter().all(delivered), "{settlements:?}");
        let mut pending = self.pending.lock().unwrap();
        for settlement in settlements.iter() {
            pending.remove(&settlement.sequence);
        }
        drop(pending);
        let count = settlements.len();
        Box::pin(async move {
            self.settled.send_modify(|settled| *settled += count as u64);
            Ok(vec![Settled::Applied { due: None }; count])
        })
    }
}

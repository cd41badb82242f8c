//! The world as clock, catalog, plugins and receivers.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use whisperer_domain::catalog::{CatalogChange, CatalogSnapshot, Changed};
use whisperer_domain::port::{
    Bell, BoxFuture, Catalog, CatalogError, Clock, Exchange, OutboundRequest, Transform,
    TransformJob, Transformed, Transport,
};
use whisperer_domain::time::Timestamp;

use super::{START, Seen, World};

impl Clock for World {
    fn now(&self) -> Timestamp {
        START.after(self.start.elapsed())
    }

    fn sleep(&self, wait: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(wait))
    }
}

impl Catalog for World {
    fn snapshot(&self) -> Arc<CatalogSnapshot> {
        Arc::clone(&self.catalog.lock().unwrap())
    }

    fn change(&self, _: CatalogChange) -> BoxFuture<'_, Result<Changed, CatalogError>> {
        unreachable!("delivery reads the catalog and changes nothing in it")
    }
}

impl Transform for World {
    fn run(&self, job: TransformJob) -> BoxFuture<'_, Transformed> {
        let chain = Arc::clone(&self.chain.lock().unwrap());
        Box::pin(async move {
            let result = chain(&job);
            Transformed {
                result,
                runs: Vec::new(),
                took: Duration::from_micros(70),
            }
        })
    }

    fn on_change(&self, bell: Bell) {
        self.state().bell = Some(bell);
    }
}

impl Transport for World {
    fn send(&self, request: OutboundRequest) -> BoxFuture<'_, Exchange> {
        let headers = request.headers.iter();
        let seen = Seen {
            at_ms: self.now_ms(),
            url: request.url.as_str().to_owned(),
            headers: headers
                .map(|(name, value)| (name.clone(), value.read(str::to_owned)))
                .collect(),
            body: request.body,
        };
        let receiver = Arc::clone(&self.receiver.lock().unwrap());
        Box::pin(async move {
            let answer = receiver(&seen);
            self.state().seen.push(seen);
            self.changed.send_replace(());
            let began = Instant::now();
            let result = answer.await;
            Exchange {
                result,
                connect: Duration::ZERO,
                total: began.elapsed(),
            }
        })
    }
}

//! One server in memory, and the calls to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tower::ServiceExt as _;
use whisperer_domain::access::{Right, Rights};
use whisperer_domain::address::AddressPolicy;
use whisperer_domain::catalog::{CatalogChange, Token};
use whisperer_domain::event::Event;
use whisperer_domain::event_type::{EventType, EventTypeInfo, OMS_CATALOGUE};
use whisperer_domain::id::{Digest, Owner, Sequence};
use whisperer_domain::news::NEWS_TYPES;
use whisperer_domain::plugin::{Membership, PluginName};
use whisperer_domain::port::{AuditedCatalog, BoxFuture, Catalog, Clock, Ledger, Scope};
use whisperer_domain::time::Timestamp;
use whisperer_server::Readiness;
use whisperer_server::api::{Api, Limits, Ports, router};
use whisperer_store::MemoryStore;

use crate::document::Document;
use crate::ledger_down::LedgerDown;
use crate::shelf::Shelf;

/// 2025-11-25T10:00:00Z, until a test moves it.
pub(crate) struct StoppedClock(AtomicU64);

impl StoppedClock {
    fn new() -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(1_764_064_800_000)))
    }

    pub(crate) fn advance(&self, by: Duration) {
        let millis = u64::try_from(by.as_millis()).unwrap();
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for StoppedClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }

    fn sleep(&self, wait: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(wait))
    }
}

pub(crate) struct TestApp {
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) readiness: Arc<Readiness>,
    pub(crate) clock: Arc<StoppedClock>,
    router: Router,
    /// Every answer is held against it.
    document: Option<Arc<Document>>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).expect("the answer is JSON")
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// The status, and the answer's JSON.
    pub(crate) fn parts(&self) -> (u16, Value) {
        (self.status.as_u16(), self.json())
    }
}

impl TestApp {
    /// With the OMS's event types and the operational ones, the plugins `redact` and `slack`, and tokens for the admin
    /// (`root`) and the owners `alice` and `bob`, each named as its owner.
    pub(crate) async fn new() -> Self {
        Self::with(Limits::default()).await
    }

    pub(crate) async fn with(limits: Limits) -> Self {
        let clock = StoppedClock::new();
        let store = MemoryStore::new(clock.clone());
        let ledger = Arc::clone(&store) as Arc<dyn Ledger>;
        Self::over(store, ledger, clock, limits).await
    }

    /// The catalog works; events and deliveries cannot be reached.
    pub(crate) async fn with_the_ledger_down() -> Self {
        let clock = StoppedClock::new();
        let store = MemoryStore::new(clock.clone());
        Self::over(store, Arc::new(LedgerDown), clock, Limits::default()).await
    }

    async fn over(
        store: Arc<MemoryStore>,
        ledger: Arc<dyn Ledger>,
        clock: Arc<StoppedClock>,
        limits: Limits,
    ) -> Self {
        let readiness = Arc::new(Readiness::default());
        readiness.delivers(|| true);
        let ports = Ports {
            catalog: Arc::clone(&store) as Arc<dyn AuditedCatalog>,
            ledger,
            clock: clock.clone(),
            policy: Arc::new(AddressPolicy::default()),
            plugins: Arc::new(Shelf::default()),
            metrics: Arc::new(|| "# nothing\n".to_owned()),
            readiness: Arc::clone(&readiness),
        };
        let mut app = Self {
            store,
            readiness,
            clock,
            router: router(Api::new(ports, limits)),
            document: None,
        };
        let text = app.send(Request::get("/openapi.json").body(Body::empty()).unwrap());
        app.document = Some(Document::of(&text.await.text));
        for change in setup() {
            app.store.change(change).await.unwrap();
        }
        app
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let asked = (request.method().clone(), request.uri().path().to_owned());
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let answer = Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        };
        if let Some(document) = &self.document {
            document.check(&asked.0, &asked.1, &answer);
        }
        answer
    }

    /// A call by `who`'s token; `body` is sent as it stands, if it is not empty.
    pub(crate) async fn call(&self, who: &str, method: &str, path: &str, body: &str) -> Answer {
        self.call_with(who, method, path, body, &[]).await
    }

    pub(crate) async fn call_with(
        &self,
        who: &str,
        method: &str,
        path: &str,
        body: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("/whisperer{path}"))
            .header("authorization", format!("Token {who}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !body.is_empty() {
            request = request
                .header("content-type", "application/json")
                .header("content-length", body.len());
        }
        self.send(request.body(Body::from(body.to_owned())).unwrap())
            .await
    }

    /// A post by the root with exactly these headers beside the token.
    pub(crate) async fn post(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let mut request =
            Request::post(format!("/whisperer{path}")).header("authorization", "Token root");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(body.into()).unwrap()).await
    }

    /// The event of a delivery, as it is stored.
    pub(crate) async fn stored(&self, sequence: u64) -> Arc<Event> {
        let found = self.store.find(Sequence(sequence), Scope::All).await;
        found.unwrap().unwrap().view.event
    }

    pub(crate) async fn root(&self, method: &str, path: &str, body: &Value) -> Answer {
        let text = match body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        self.call("root", method, path, &text).await
    }

    /// A hook of the root's with these fields beside the required ones.
    pub(crate) async fn hook(&self, fields: Value) -> Value {
        let mut body = json!({
            "target_url": "https://example.com/in",
            "event_type": "package.created",
        });
        body.as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        let answer = self.root("POST", "/hooks/", &body).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json()
    }

    pub(crate) async fn event(&self, body: Value) -> Value {
        let answer = self.root("POST", "/events/", &body).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        answer.json()
    }
}

fn setup() -> Vec<CatalogChange> {
    let types = OMS_CATALOGUE.iter().chain(&NEWS_TYPES).map(|name| {
        CatalogChange::PutEventType(EventType::parse(name).unwrap(), EventTypeInfo::default())
    });
    let tokens = ["root", "alice", "bob"].map(|name| {
        CatalogChange::PutToken(Token {
            hash: Sha256::digest(name.as_bytes()).into(),
            owner: Owner::parse(name).unwrap(),
            rights: match name {
                "root" => [Right::Admin].into_iter().collect(),
                _ => Rights::of_an_owner(),
            },
            created_at: Timestamp(0),
        })
    });
    let plugins = ["redact", "slack"].map(|name| {
        CatalogChange::PutPlugin(Membership {
            name: PluginName::parse(name).unwrap(),
            enabled: true,
            patterns: Vec::new(),
            digest: Some(Digest([7; 32])),
            config_schema: None,
        })
    });
    types.chain(tokens).chain(plugins).collect()
}

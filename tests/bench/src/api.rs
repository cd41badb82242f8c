//! The calls of Whisperer's API that the scenarios make.

use std::time::Duration;

use anyhow::{Context, ensure};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::receiver::{Place, Receiver};
use crate::server::TOKEN;

const TIMEOUT: Duration = Duration::from_secs(60);

pub(crate) struct Api {
    http: reqwest::Client,
    base: String,
}

/// Of one event of a batch.
#[derive(Deserialize)]
struct BatchEntry {
    status: u16,
}

/// One client for all: it keeps its connections.
pub(crate) fn http() -> anyhow::Result<reqwest::Client> {
    // The client wants to know whose TLS it would use, though here it uses none.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().timeout(TIMEOUT);
    Ok(client.build()?)
}

impl Api {
    pub(crate) fn new(http: &reqwest::Client, base: &str) -> Self {
        Self {
            http: http.clone(),
            base: base.to_owned(),
        }
    }

    pub(crate) async fn is_ready(&self) -> bool {
        let answer = self.http.get(format!("{}/readyz", self.base)).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<(StatusCode, Value)> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = self.request(method, path, "application/json", body);
        let answer = request.send().await.context("the server does not answer")?;
        let status = answer.status();
        let text = answer.text().await?;
        Ok((status, serde_json::from_str(&text).unwrap_or(text.into())))
    }

    /// A call that must come to something.
    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let (status, answer) = self.call(method, path, body).await?;
        ensure!(status.is_success(), "{path} is answered {status}: {answer}");
        Ok(answer)
    }

    pub(crate) async fn event_type(&self, name: &str) -> anyhow::Result<()> {
        let path = format!("/event-types/{name}/");
        self.ask(Method::PUT, &path, None).await.map(drop)
    }

    /// Registers an event type and a hook for it alone, so that each event makes one delivery.
    /// `extra`: members of the hook beside the usual ones.
    pub(crate) async fn hook(
        &self,
        receiver: &Receiver,
        event_type: &str,
        place: Place,
        extra: Value,
    ) -> anyhow::Result<u64> {
        self.event_type(event_type).await?;
        let body = hook(&receiver.url(place), event_type, extra);
        self.hook_as(&body).await
    }

    /// Registers a hook, written as the API wants it.
    pub(crate) async fn hook_as(&self, body: &Value) -> anyhow::Result<u64> {
        let answer = self.ask(Method::POST, "/hooks/", Some(body)).await?;
        answer["id"].as_u64().context("a hook has no id")
    }

    pub(crate) async fn pause(&self, hook: u64) -> anyhow::Result<()> {
        let path = format!("/hooks/{hook}/pause/");
        self.ask(Method::POST, &path, None).await.map(drop)
    }

    pub(crate) async fn resume(&self, hook: u64) -> anyhow::Result<()> {
        let path = format!("/hooks/{hook}/resume/");
        self.ask(Method::POST, &path, None).await.map(drop)
    }

    /// Deliveries of this hook whose fate is open.
    pub(crate) async fn pending(&self, hook: u64) -> anyhow::Result<u64> {
        let answer = self
            .ask(Method::GET, &format!("/hooks/{hook}/"), None)
            .await?;
        let pending = &answer["state"]["pending"];
        pending.as_u64().context("a hook's state has no pending")
    }

    pub(crate) async fn event(&self, body: String) -> reqwest::Result<StatusCode> {
        let request = self.request(Method::POST, "/events/", "application/json", body);
        let answer = request.send().await?;
        let status = answer.status();
        // To its end, or the connection could not be used again.
        answer.bytes().await?;
        Ok(status)
    }

    /// A batch of one event a line, all of which must be taken.
    pub(crate) async fn batch(&self, lines: String) -> anyhow::Result<()> {
        let count = lines.lines().count();
        let path = "/events/batch/";
        let request = self.request(Method::POST, path, "application/x-ndjson", lines);
        let answer = request.send().await.context("the server takes no batch")?;
        let status = answer.status();
        let text = answer.text().await?;
        ensure!(status.is_success(), "a batch is answered {status}: {text}");
        let entries: Vec<BatchEntry> = serde_json::from_str(&text)?;
        let taken = entries.iter().filter(|entry| entry.status == 202).count();
        ensure!(taken == count, "{taken} of a batch of {count} were taken");
        Ok(())
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        content_type: &str,
        body: String,
    ) -> reqwest::RequestBuilder {
        self.http
            .request(method, format!("{}/whisperer{path}", self.base))
            .header("authorization", format!("Token {TOKEN}"))
            .header("content-type", content_type)
            .body(body)
    }
}

pub(crate) fn hook(target_url: &str, event_type: &str, extra: Value) -> Value {
    let mut hook = json!({
        "target_url": target_url,
        "event_type": event_type,
        // Signed, as in earnest.
        "secret_key": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    });
    if let (Some(hook), Value::Object(extra)) = (hook.as_object_mut(), extra) {
        hook.extend(extra);
    }
    hook
}

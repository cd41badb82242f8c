//! `POST /plugins/{name}/try/`: what a plugin, or a chain, would make of an event. Nothing is
//! sent, nothing is stored, nothing is counted.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use whisperer_domain::catalog::CatalogSnapshot;
use whisperer_domain::event::Event;
use whisperer_domain::hook::PluginChoice;
use whisperer_domain::id::{EventId, EventKey, HookId, Sequence};
use whisperer_domain::plugin::PluginName;
use whisperer_domain::port::TransformJob;
use whisperer_domain::redact::Redaction;
use whisperer_domain::target_url::TargetUrl;
use whisperer_sandbox::Trial;

use crate::api::Api;
use crate::api::auth::Principal;
use crate::api::body;
use crate::api::events::Input;
use crate::api::events::schema::EventInput;
use crate::api::field_errors::FieldErrors;
use crate::api::hooks::chain::{self, Old};
use crate::api::hooks::schema::PluginLink;
use crate::api::problem::Problem;
use crate::chain_result;

/// Where nothing else is said, the plugin is told of this target.
const ORIGIN: &str = "https://example.com";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked<'a> {
    /// As `POST /events/` takes it; or the event of a delivery; or a stored event by its id.
    #[serde(borrow)]
    event: Option<&'a RawValue>,
    delivery_id: Option<u64>,
    event_id: Option<String>,
    /// Of the one plugin; or a whole chain; or that of a hook.
    config: Option<Value>,
    chain: Option<Value>,
    hook_id: Option<u64>,
    origin: Option<String>,
}

/// For the document.
#[derive(Serialize, ToSchema)]
struct TrialInput {
    /// An event to try it on.
    event: Option<EventInput>,
    /// An event that is stored; for admins.
    event_id: Option<String>,
    /// The event of this delivery.
    delivery_id: Option<u64>,
    /// Of the one plugin.
    #[schema(value_type = Option<Object>)]
    config: Option<Value>,
    /// In place of the one plugin.
    chain: Option<Vec<PluginLink>>,
    /// The chain of this hook.
    hook_id: Option<u64>,
    /// The receiver that the plugin is told of.
    origin: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Trial)]
struct TrialView {
    /// `outcome` is unchanged, modified, discard, failed or deferred.
    #[schema(value_type = Object)]
    result: Value,
    /// RFC 6902, from the payload to what would be sent.
    #[schema(value_type = Vec<Object>)]
    diff: Vec<Value>,
    runs: Vec<RunView>,
    took_us: u64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = TrialRun)]
struct RunView {
    plugin: String,
    digest: String,
    result: String,
    took_us: u64,
    memory_bytes: usize,
    log: Vec<String>,
}

/// Try a plugin, or a chain, on an event
///
/// Nothing is sent, stored or counted.
#[utoipa::path(
    post,
    path = "/whisperer/plugins/{name}/try/",
    operation_id = "plugin_try",
    tag = "Plugins",
    params(("name" = String, Path)),
    request_body = TrialInput,
    responses(
        (status = 200, body = TrialView),
        (status = 404, description = "There is no such plugin."),
    ),
)]
pub(in crate::api) async fn try_out(
    State(api): State<Arc<Api>>,
    who: Principal,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let name = PluginName::parse(&name).map_err(|_| Problem::not_found())?;
    let snapshot = api.catalog.snapshot();
    if !snapshot.plugins.contains_key(&name) {
        return Err(Problem::not_found());
    }
    let received = body::receive(&api, request, api.limits.event_body_bytes_max).await?;
    body::check(&received.bytes)?;
    let asked: Asked<'_> =
        serde_json::from_slice(&received.bytes).map_err(|error| body::syntax(&error))?;
    let event = Arc::new(event(&api, &who, &snapshot, &received.bytes, &asked).await?);
    let (choice, hook, origin) = chosen(&who, &snapshot, name, &asked)?;
    let mut trial = api
        .plugins
        .try_out(TransformJob {
            choice,
            event: Arc::clone(&event),
            hook,
            origin,
        })
        .await;
    // Who may try a hook's chain may not therefore see its secrets.
    if let Some(hook) = snapshot.hooks.get(&hook) {
        let redaction = Redaction::of(hook);
        redaction.chained(&mut trial.transformed.result);
        redaction.runs(&mut trial.transformed.runs);
    }
    Ok(Json(shown(&event, &trial)).into_response())
}

async fn event(
    api: &Api,
    who: &Principal,
    snapshot: &CatalogSnapshot,
    bytes: &Bytes,
    asked: &Asked<'_>,
) -> Result<Event, Problem> {
    match (asked.event, asked.delivery_id, &asked.event_id) {
        (Some(raw), None, None) => {
            let input = Input::read(&bytes.slice_ref(raw.get().as_bytes()), snapshot)
                .map_err(|problem| problem.within("event"))?;
            let now = api.clock.now();
            let id = input.id.map_or_else(|| EventId::parse("try"), Ok);
            Ok(Event {
                key: EventKey(0),
                id: id.map_err(|words| Problem::internal(&words))?,
                event_type: input.event_type,
                occurred_at: input.occurred_at.unwrap_or(now),
                accepted_at: now,
                object_id: input.object_id,
                content_type: input.content_type,
                cloud: input.cloud,
                payload: input.payload,
            })
        }
        (None, Some(id), None) => match api.ledger.find(Sequence(id), who.scope()).await? {
            Some(found) => Ok(Event::clone(&found.view.event)),
            None => Err(invalid("delivery_id", "There is no such delivery.")),
        },
        (None, None, Some(id)) => stored(api, who, id).await,
        (None | Some(_), None | Some(_), None | Some(_)) => Err(invalid(
            "event",
            "Give one of event, as for POST /events/, delivery_id, whose event is taken, and \
             event_id.",
        )),
    }
}

/// Events belong to the installation: who is no admin sees those of their own deliveries alone.
async fn stored(api: &Api, who: &Principal, id: &str) -> Result<Event, Problem> {
    if !who.is_admin() {
        return Err(invalid(
            "event_id",
            "Reading events takes an admin token: name one of your deliveries by delivery_id.",
        ));
    }
    let id = EventId::parse(id).map_err(|words| invalid("event_id", &words))?;
    match api.ledger.find_event(id).await? {
        Some(found) => Ok(Event::clone(&found.event)),
        None => Err(invalid("event_id", "There is no such event.")),
    }
}

fn chosen(
    who: &Principal,
    snapshot: &CatalogSnapshot,
    name: PluginName,
    asked: &Asked<'_>,
) -> Result<(PluginChoice, HookId, String), Problem> {
    let said = [
        asked.config.is_some(),
        asked.chain.is_some(),
        asked.hook_id.is_some(),
    ];
    if said.into_iter().filter(|it| *it).count() > 1 {
        let words = "Give one of config, chain and hook_id.";
        return Err(invalid("non_field_errors", words));
    }
    if let Some(id) = asked.hook_id {
        let hook = snapshot
            .hooks
            .get(&HookId(id))
            .filter(|hook| who.sees(hook));
        let hook = hook.ok_or_else(|| invalid("hook_id", "There is no such hook."))?;
        return Ok((hook.plugins.clone(), hook.id, hook.target.origin()));
    }
    let choice = match &asked.chain {
        Some(given) => {
            chain::read(given, snapshot, Old::None).map_err(|fault| faulty("chain", fault))?
        }
        None => {
            let member = snapshot.plugins.get(&name);
            let link = chain::configured(name, asked.config.as_ref(), member, Old::None)
                .map_err(|fault| faulty("config", fault))?;
            PluginChoice::Chain(vec![link])
        }
    };
    Ok((choice, HookId(0), origin(asked.origin.as_deref())?))
}

fn origin(given: Option<&str>) -> Result<String, Problem> {
    match given {
        None => Ok(ORIGIN.to_owned()),
        Some(text) => TargetUrl::parse(text)
            .map(|url| url.origin())
            .map_err(|words| invalid("origin", &words)),
    }
}

fn shown(event: &Event, trial: &Trial) -> TrialView {
    let ran = &trial.transformed;
    let runs = ran
        .runs
        .iter()
        .zip(&trial.usages)
        .map(|(run, usage)| RunView {
            plugin: run.plugin.to_string(),
            digest: run.digest.to_string(),
            result: run.result.clone(),
            took_us: run.took_us,
            memory_bytes: usage.memory_bytes,
            log: run.log.clone(),
        });
    TrialView {
        result: chain_result::show(&ran.result),
        diff: chain_result::diff(event, &ran.result),
        runs: runs.collect(),
        took_us: u64::try_from(ran.took.as_micros()).unwrap_or(u64::MAX),
    }
}

fn invalid(field: &str, words: &str) -> Problem {
    Problem::invalid(FieldErrors::of(field, words))
}

fn faulty(field: &str, fault: crate::api::field_errors::Fault) -> Problem {
    let mut errors = FieldErrors::default();
    errors.put(field, fault);
    Problem::invalid(errors)
}

//! `POST /events/batch/`: up to 10,000 events in one request, each accepted as if it had come
//! alone.
//!
//! The body is read as it comes: an event is on its way to the store while the next ones are
//! still arriving, many at once, so that one commit carries many. What is in memory is bounded by
//! what is on its way, not by the batch.
//!
//! **The answer** is one JSON array at the end, an entry for each event in order, with the status
//! it would have had alone. It is not streamed: most clients read nothing before they have sent
//! everything, and an answer of 10,000 entries would fill the buffers between us and block both.
//! 200 says that the whole batch was read, not that all of it was taken. What ends a batch early
//! (JSON that breaks off, too many events) is a problem document, whose `results` are the entries
//! so far. Whoever is cut off repeats the batch: with ids, or an `Idempotency-Key`, which holds
//! for each event together with its index, what was taken is answered as it was, and not twice.

mod source;
mod split;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesOrdered;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Map, Value};
use whisperer_domain::event::IdempotencyKey;
use whisperer_domain::port::Accepted;

use super::accept::{Haste, accept};
use super::schema::{BatchResult, CloudEventInput, EventInput};
use super::{Input, cloud_event, idempotency_key};
use crate::api::Api;
use crate::api::auth::Principal;
use crate::api::body;
use crate::api::problem::Problem;
use source::Source;
use split::{Piece, Shape};

const EVENTS_MAX: usize = 10_000;
const BODY_BYTES_MAX: usize = 64 << 20;
/// Events on their way to the store at one time: a commit carries as many.
const IN_FLIGHT_MAX: usize = 256;
const IN_FLIGHT_BYTES_MAX: usize = 4 << 20;
/// Beyond this the answer only counts: ten thousand long faults help nobody.
const RESULTS_BYTES_ENOUGH: usize = 4 << 20;

/// What the elements of a batch are.
#[derive(Clone, Copy, Debug)]
struct Form {
    shape: Shape,
    cloud_events: bool,
}

impl Form {
    fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let (shape, cloud_events) = match body::essence(headers).as_deref() {
            Some("application/x-ndjson" | "application/ndjson" | "application/jsonl") => {
                (Shape::Lines, false)
            }
            Some("application/json") | None => (Shape::Array, false),
            Some(cloud_event::BATCH) => (Shape::Array, true),
            Some(_) => {
                return Err(Problem::new(
                    StatusCode::UNSUPPORTED_MEDIA_TYPE,
                    format!(
                        "Unsupported media type: send application/x-ndjson, application/jsonl, \
                         application/json (an array) or {}.",
                        cloud_event::BATCH
                    ),
                ));
            }
        };
        Ok(Self {
            shape,
            cloud_events,
        })
    }
}

/// Post many events
///
/// Each is taken or refused as if it had come alone. What ends a batch early is a problem, whose
/// `results` are the entries so far.
#[utoipa::path(
    post,
    path = "/whisperer/events/batch/",
    operation_id = "events_batch",
    tag = "Events",
    params(("Idempotency-Key" = Option<String>, Header, max_length = 255, description = "Holds for each event together with its index.")),
    request_body(content(
        (Vec<EventInput> = "application/json"),
        (String = "application/x-ndjson"),
        (String = "application/jsonl"),
        (Vec<CloudEventInput> = "application/cloudevents-batch+json"),
    ), description = "Up to 10,000 events and 64 MiB"),
    responses(
        (status = 200, body = [BatchResult], description = "It was read to its end: an entry for each event, in order."),
    ),
)]
pub(in crate::api) async fn batch(
    State(api): State<Arc<Api>>,
    who: Principal,
    request: Request,
) -> Result<Response, Problem> {
    let key = idempotency_key(request.headers(), &who.owner)?;
    let form = Form::of(request.headers())?;
    body::check_content_encoding(request.headers())?;
    let announced = body::announced_bytes(request.headers());
    if announced.is_some_and(|bytes| bytes > BODY_BYTES_MAX) {
        body::discard(request).await;
        return Err(body::too_large(BODY_BYTES_MAX));
    }
    let mut source = Source::new(&api, request.into_body(), form.shape, BODY_BYTES_MAX);
    let mut results = Results::new();
    // Boxed: it holds what is on its way, and would be part of every request's state.
    match Box::pin(take_all(
        &api,
        form,
        key.as_ref(),
        &mut source,
        &mut results,
    ))
    .await
    {
        Ok(()) => Ok(results.answer()),
        Err(problem) => {
            source.discard().await;
            Err(problem.member("results", results.value()))
        }
    }
}

/// Reads to the end and accepts what comes; `results` has an entry for each event that was met,
/// also where the end is a fault.
async fn take_all(
    api: &Api,
    form: Form,
    key: Option<&IdempotencyKey>,
    source: &mut Source,
    results: &mut Results,
) -> Result<(), Problem> {
    let mut in_flight = FuturesOrdered::new();
    let (mut bytes_in_flight, mut met) = (0, 0);
    let mut end: Option<Result<(), Problem>> = None;
    loop {
        let room = in_flight.len() < IN_FLIGHT_MAX && bytes_in_flight < IN_FLIGHT_BYTES_MAX;
        tokio::select! {
            Some((bytes, result)) = in_flight.next(), if !in_flight.is_empty() => {
                bytes_in_flight -= bytes;
                source.release(bytes);
                results.push(result);
            }
            piece = source.next(), if room && end.is_none() => match piece {
                Some(Ok(_)) if met == EVENTS_MAX => end = Some(Err(too_many())),
                Some(Ok(piece)) => {
                    bytes_in_flight += piece.bytes.len();
                    let key = key.map(|key| of_index(key, met));
                    met += 1;
                    in_flight.push_back(take(api, form, piece, key));
                }
                Some(Err(problem)) => end = Some(Err(problem)),
                None => end = Some(Ok(())),
            },
            else => return end.unwrap_or(Ok(())),
        }
    }
}

/// What became of one event, and how many bytes it held.
async fn take(
    api: &Api,
    form: Form,
    piece: Piece,
    key: Option<IdempotencyKey>,
) -> (usize, Result<Accepted, Problem>) {
    let bytes = piece.bytes.len();
    let result = match read(api, form, &piece) {
        Ok(input) => accept(api, input, key, Haste::Patient).await,
        Err(problem) => Err(problem),
    };
    (bytes, result)
}

fn read(api: &Api, form: Form, piece: &Piece) -> Result<Input, Problem> {
    if piece.too_long {
        return Err(body::too_large(api.limits.event_body_bytes_max));
    }
    body::check_part(&piece.bytes, piece.line, piece.column)?;
    let snapshot = api.catalog.snapshot();
    match form.cloud_events {
        true => cloud_event::structured(&piece.bytes, &snapshot),
        false => Input::read(&piece.bytes, &snapshot),
    }
}

/// A key that no request has by itself: those are printable.
fn of_index(key: &IdempotencyKey, index: usize) -> IdempotencyKey {
    IdempotencyKey {
        owner: key.owner.clone(),
        key: format!("{}\u{1f}{index}", key.key),
    }
}

fn too_many() -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        format!(
            "A batch has at most {EVENTS_MAX} events: those were taken as results says, the rest \
             was not read."
        ),
    )
}

/// The entries of the answer, in order.
struct Results {
    bytes: Vec<u8>,
    count: usize,
}

impl Results {
    fn new() -> Self {
        Self {
            bytes: vec![b'['],
            count: 0,
        }
    }

    fn push(&mut self, result: Result<Accepted, Problem>) {
        let mut entry = Map::new();
        entry.insert("index".to_owned(), self.count.into());
        match result {
            Ok(accepted) => {
                entry.insert("status".to_owned(), StatusCode::ACCEPTED.as_u16().into());
                entry.insert("id".to_owned(), accepted.id.as_str().into());
                entry.insert("deliveries".to_owned(), accepted.deliveries.into());
                if accepted.replayed {
                    entry.insert("replayed".to_owned(), true.into());
                }
            }
            Err(problem) => {
                let mut told = problem.entry();
                if self.bytes.len() > RESULTS_BYTES_ENOUGH {
                    told.retain(|name, _| name == "status");
                }
                entry.extend(told);
            }
        }
        if self.count > 0 {
            self.bytes.push(b',');
        }
        self.bytes
            .extend(Value::Object(entry).to_string().into_bytes());
        self.count += 1;
    }

    fn answer(mut self) -> Response {
        self.bytes.push(b']');
        let mut response = Bytes::from(self.bytes).into_response();
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE, json);
        response
    }

    fn value(mut self) -> Value {
        self.bytes.push(b']');
        // Written a moment ago, from values.
        serde_json::from_slice(&self.bytes).unwrap_or(Value::Null)
    }
}

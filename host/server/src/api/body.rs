//! Reading what a request carries: bounded in bytes, in time, and in what all requests hold
//! together; and JSON with its faults told by line and column.

mod intake;

use std::borrow::Cow;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use http::StatusCode;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use http::{HeaderMap, HeaderValue};
use http_body_util::{BodyExt as _, Limited};
use serde_json::{Map, Value};
use whisperer_domain::json;

use super::Api;
use super::field_errors::FieldErrors;
use super::problem::Problem;
use super::value;

pub(super) use intake::{Received, SHARE_BYTES};

/// What of a body that is too long is read to be thrown away.
const DISCARD_BYTES_MAX: usize = 16 << 20;
const DISCARD_TIME_MAX: Duration = Duration::from_secs(5);

/// Reads the body of `request`, at most `bytes_max` of it.
///
/// # Errors
/// 413 when it is longer, 408 when it does not arrive in time, 415 when it says that it is no
/// JSON, 503 when other bodies hold all the memory there is for them.
pub(super) async fn receive(
    api: &Api,
    request: Request,
    bytes_max: usize,
) -> Result<Received, Problem> {
    check_content_type(request.headers())?;
    arrive(api, request, bytes_max).await
}

/// As [`receive`], for a body of any type: who calls has looked at it.
pub(super) async fn receive_any(
    api: &Api,
    request: Request,
    bytes_max: usize,
) -> Result<Received, Problem> {
    arrive(api, request, bytes_max).await
}

/// As [`receive`], for a body of one of these types, which must be named.
pub(super) async fn receive_one_of(
    api: &Api,
    request: Request,
    types: &[&'static str],
    bytes_max: usize,
) -> Result<(&'static str, Received), Problem> {
    let given = essence(request.headers());
    let known = types.iter().find(|known| given.as_deref() == Some(**known));
    let Some(known) = known else {
        let words = format!(
            "Unsupported media type: send Content-Type: {}.",
            types.join(" or ")
        );
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, words));
    };
    Ok((*known, arrive(api, request, bytes_max).await?))
}

async fn arrive(api: &Api, request: Request, bytes_max: usize) -> Result<Received, Problem> {
    check_content_encoding(request.headers())?;
    let announced = announced_bytes(request.headers());
    if announced.is_some_and(|bytes| bytes > bytes_max) {
        discard(request).await;
        return Err(too_large(bytes_max));
    }
    let whole = intake::whole(&api.body_memory, request.into_body(), announced, bytes_max);
    tokio::time::timeout(api.limits.body_timeout, whole)
        .await
        .unwrap_or_else(|_| {
            Err(Problem::new(
                StatusCode::REQUEST_TIMEOUT,
                "The body did not arrive in time.",
            )
            .header(http::header::CONNECTION, HeaderValue::from_static("close")))
        })
}

/// Reads on and throws away, within bounds: a connection that is closed while its client still
/// sends is reset, and the client never sees the answer.
pub(super) async fn discard(request: Request) {
    // Who asks first whether to send sees the answer in time.
    if !request.headers().contains_key(EXPECT) {
        discard_rest(request.into_body()).await;
    }
}

pub(super) async fn discard_rest(body: Body) {
    let mut body = Limited::new(body, DISCARD_BYTES_MAX);
    let reading = async { while let Some(Ok(_)) = body.frame().await {} };
    // Out of time is as good as read: the answer follows in any case.
    let _ = tokio::time::timeout(DISCARD_TIME_MAX, reading).await;
}

pub(super) fn announced_bytes(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

pub(super) fn too_large(bytes_max: usize) -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        format!("The body may have at most {bytes_max} bytes."),
    )
}

/// No type at all is taken for JSON; another one is a misunderstanding, better said at once.
fn check_content_type(headers: &HeaderMap) -> Result<(), Problem> {
    if !headers.contains_key(CONTENT_TYPE) {
        return Ok(());
    }
    match essence(headers).as_deref() {
        Some("application/json") => Ok(()),
        Some(_) | None => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "Unsupported media type: send Content-Type: application/json.",
        )),
    }
}

/// The content type without its parameters, in small letters.
pub(super) fn essence(headers: &HeaderMap) -> Option<Cow<'_, str>> {
    let given = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let (essence, _) = given.split_once(';').unwrap_or((given, ""));
    let essence = essence.trim();
    Some(match essence.contains(|c: char| c.is_ascii_uppercase()) {
        true => essence.to_ascii_lowercase().into(),
        false => essence.into(),
    })
}

/// Nothing is unpacked here: what is packed would only be called broken JSON.
pub(super) fn check_content_encoding(headers: &HeaderMap) -> Result<(), Problem> {
    match headers.get(CONTENT_ENCODING) {
        Some(given) if !given.as_bytes().eq_ignore_ascii_case(b"identity") => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "Unsupported content encoding: send the body as it is, without Content-Encoding.",
        )),
        Some(_) | None => Ok(()),
    }
}

/// The body as a JSON object.
pub(super) fn object(bytes: &[u8]) -> Result<Map<String, Value>, Problem> {
    check(bytes)?;
    let parsed: Value = serde_json::from_slice(bytes).map_err(|error| syntax(&error))?;
    match parsed {
        Value::Object(object) => Ok(object),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            let words = value::expected_object(&parsed);
            Err(Problem::invalid_at_top(FieldErrors::of(
                "non_field_errors",
                words,
            )))
        }
    }
}

/// Whether every later reader will take it for JSON.
pub(super) fn check(bytes: &[u8]) -> Result<(), Problem> {
    json::check(bytes).map_err(|fault| not_json(&fault, fault.line, fault.column))
}

/// As [`check`], for a body that is a payload by itself: it gets an envelope around it.
pub(super) fn check_payload(bytes: &[u8]) -> Result<(), Problem> {
    json::check_payload(bytes).map_err(|fault| not_json(&fault, fault.line, fault.column))
}

/// As [`check`], for a part of a body that begins there in it: faults are told by their place in
/// the whole.
pub(super) fn check_part(bytes: &[u8], line: usize, column: usize) -> Result<(), Problem> {
    json::check(bytes).map_err(|mut fault| {
        if fault.line == 1 {
            fault.column += column - 1;
        }
        fault.line += line - 1;
        not_json(&fault, fault.line, fault.column)
    })
}

/// JSON that breaks off or goes on where it should not.
pub(super) fn broken(line: usize, column: usize, message: &str) -> Problem {
    let fault = json::JsonFault {
        line,
        column,
        message: message.to_owned(),
    };
    not_json(&fault, line, column)
}

/// A fault of shape that only reading finds.
pub(super) fn syntax(error: &serde_json::Error) -> Problem {
    not_json(error, error.line(), error.column())
}

/// `fault` names line and column in its words, too.
fn not_json(fault: &dyn std::error::Error, line: usize, column: usize) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        format!("JSON parse error - {fault}"),
    )
    .member("line", line)
    .member("column", column)
}

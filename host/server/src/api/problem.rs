//! Errors as RFC 9457 problem documents, the one shape in which this API says no.
//!
//! On routes that integrators of the OMS know, the field errors stand at the top level too, as
//! their clients read them there; a field named like a member of the document itself stays in
//! `errors` only.

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Map, Value};
use whisperer_domain::access::Right;
use whisperer_domain::port::{CatalogError, DirectError, StoreDown};

use super::field_errors::FieldErrors;

pub(super) const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

const MEMBERS: [&str; 5] = ["type", "title", "status", "detail", "errors"];

/// Boxed: it travels in the `Err` of nearly every function of the API.
#[derive(Debug)]
pub(super) struct Problem(Box<Document>);

#[derive(Debug)]
struct Document {
    status: StatusCode,
    detail: String,
    members: Map<String, Value>,
    headers: HeaderMap,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self(Box::new(Document {
            status,
            detail: detail.into(),
            members: Map::new(),
            headers: HeaderMap::new(),
        }))
    }

    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "Not found.")
    }

    pub(super) fn unauthorized(detail: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, detail).header(
            WWW_AUTHENTICATE,
            HeaderValue::from_static("Token realm=\"whisperer\""),
        )
    }

    pub(super) fn forbidden(right: Right) -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            format!(
                "You do not have permission to perform this action: it takes a token with the \
                 scope {}.",
                right.scope()
            ),
        )
    }

    /// Field errors on a route of our own.
    pub(super) fn invalid(errors: FieldErrors) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "The input is not valid: see errors.",
        )
        .member("errors", Value::Object(errors.into_map()))
    }

    /// Field errors on a route of the OMS: at the top level as well.
    pub(super) fn invalid_at_top(errors: FieldErrors) -> Self {
        let top = errors.clone().into_map();
        let mut problem = Self::invalid(errors);
        for (field, value) in top {
            if !MEMBERS.contains(&field.as_str()) {
                problem = problem.member(&field, value);
            }
        }
        problem
    }

    /// The same errors, of what stands in this field.
    pub(super) fn within(mut self, field: &str) -> Self {
        if let Some(errors) = self.0.members.remove("errors") {
            let nested = [(field.to_owned(), errors)].into_iter().collect();
            self.0
                .members
                .insert("errors".to_owned(), Value::Object(nested));
        }
        self
    }

    pub(super) fn unavailable(retry_after_secs: u16, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(retry_after_secs)
    }

    pub(super) fn retry_after(self, secs: u16) -> Self {
        self.header(RETRY_AFTER, HeaderValue::from(secs))
    }

    /// A failure of ours; the cause is logged here, once, and not told.
    pub(super) fn internal(cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(%cause, "a request failed by our own fault");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "The server failed to answer this request; its log says why.",
        )
    }

    pub(super) fn member(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.members.insert(name.to_owned(), value.into());
        self
    }

    /// As an element of an answer that tells of many things.
    pub(super) fn entry(self) -> Map<String, Value> {
        let Document {
            status,
            detail,
            members,
            headers: _,
        } = *self.0;
        let mut entry = Map::new();
        entry.insert("status".to_owned(), status.as_u16().into());
        entry.insert("detail".to_owned(), detail.into());
        // Not the OMS's spelling of errors at the top level: these answers are ours alone.
        let ours = |name: &str| ["errors", "line", "column"].contains(&name);
        entry.extend(members.into_iter().filter(|(name, _)| ours(name)));
        entry
    }

    pub(super) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.insert(name, value);
        self
    }
}

impl From<StoreDown> for Problem {
    fn from(down: StoreDown) -> Self {
        match down {
            StoreDown::Lagging => Self::unavailable(1, "The store lags behind: come again."),
            StoreDown::Reopening(_) => Self::unavailable(
                2,
                "The store is being reopened after an I/O error: come again.",
            ),
            StoreDown::Compacting => {
                Self::unavailable(5, "The store is being compacted: come again.")
            }
            StoreDown::Unknown(_) => Self::unavailable(
                2,
                "Whether this was written is unknown: repeat it, an event with the same \
                 id or Idempotency-Key.",
            ),
            StoreDown::Full => Self::unavailable(
                30,
                "The disk is nearly full: no events are accepted until there is space. What was \
                 accepted is delivered.",
            ),
            StoreDown::Closed => Self::unavailable(5, "The server is shutting down."),
            StoreDown::Damaged(_) => Self::internal(&down),
        }
    }
}

impl From<CatalogError> for Problem {
    fn from(error: CatalogError) -> Self {
        match error {
            // W's own words, byte for byte.
            CatalogError::Duplicate => Self::new(
                StatusCode::NOT_ACCEPTABLE,
                "A hook with this target_url and event_type is registered already.",
            )
            .member("code", "webhook_100_2")
            .member("en", "Webhook already registered"),
            CatalogError::NotFound => Self::not_found(),
            CatalogError::Stale => Self::new(
                StatusCode::CONFLICT,
                "It is being changed by others at this moment: read it again and repeat.",
            ),
            CatalogError::TooManyPending { most } => Self::invalid_at_top(FieldErrors::of(
                "ordered",
                format!(
                    "More than {most} deliveries of this hook are pending, too many to put into \
                     another order at once: let them be delivered, or call them off by POST \
                     /whisperer/deliveries/cancel/ {{\"hook\": …}}, and then change it."
                ),
            )),
            CatalogError::Down(down) => down.into(),
        }
    }
}

impl From<DirectError> for Problem {
    fn from(error: DirectError) -> Self {
        let refused = |detail| Self::new(StatusCode::NOT_ACCEPTABLE, detail);
        match error {
            DirectError::NotFound => Self::not_found(),
            // W's own words, byte for byte.
            DirectError::Delivered => {
                refused("It is delivered already: say \"force\": true to send it once more.")
                    .member("code", "event_100_3")
                    .member("en", "Event already delivered")
            }
            DirectError::Pending => {
                refused("It is pending: say \"force\": true to try it now, out of its turn.")
                    .member("code", "event_100_6")
                    .member("en", "Event is still in retry process")
            }
            DirectError::HookGone => Self::new(
                StatusCode::CONFLICT,
                "Its hook was deleted: nothing can be sent for it any more.",
            ),
            DirectError::HookHeld => Self::new(
                StatusCode::CONFLICT,
                "Its hook is paused, inactive or disabled, so nothing is sent for it: resume the \
                 hook, or set \"is_active\": true, first.",
            ),
            DirectError::Stale => CatalogError::Stale.into(),
            DirectError::TooMany => Self::unavailable(
                10,
                "Too many retries and cancellations by filter are at work: come again.",
            ),
            DirectError::Down(down) => down.into(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Document {
            status,
            detail,
            members,
            headers,
        } = *self.0;
        let mut body = Map::new();
        body.insert("type".to_owned(), "about:blank".into());
        let title = status.canonical_reason().unwrap_or("Error");
        body.insert("title".to_owned(), title.into());
        body.insert("status".to_owned(), status.as_u16().into());
        body.insert("detail".to_owned(), detail.into());
        body.extend(members);
        let body = Value::Object(body).to_string();
        let mut response = (status, headers, body).into_response();
        response.headers_mut().insert(CONTENT_TYPE, PROBLEM_JSON);
        response
    }
}

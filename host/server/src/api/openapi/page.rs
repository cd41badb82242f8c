//! The document as it is served, and the page that shows it: Swagger UI, out of this binary.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::Config;

use crate::api::Api;
use crate::api::problem::Problem;

/// Nothing but what this server serves; the page styles itself in place.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:";
/// The page's files change with the binary only.
const A_DAY: &str = "max-age=86400";

/// Written once, at start.
pub(in crate::api) struct Page {
    document: Bytes,
    config: Arc<Config<'static>>,
}

impl Page {
    /// # Panics
    /// Never: the document is maps and text.
    pub(in crate::api) fn of(document: &OpenApi) -> Self {
        let text = document.to_json().expect("maps and text are JSON");
        let config = Config::from("/openapi.json").validator_url("none");
        Self {
            document: text.into(),
            config: Arc::new(config.persist_authorization(true)),
        }
    }
}

pub(in crate::api) async fn document(State(api): State<Arc<Api>>) -> Response {
    let kind = [(CONTENT_TYPE, "application/json")];
    (kind, api.page.document.clone()).into_response()
}

/// `/docs/` itself is its index.
pub(in crate::api) async fn page(
    State(api): State<Arc<Api>>,
    path: Option<Path<String>>,
) -> Result<Response, Problem> {
    let file = path.map_or_else(String::new, |Path(file)| file);
    let found = utoipa_swagger_ui::serve(&file, Arc::clone(&api.page.config))
        .map_err(|why| Problem::internal(&why))?
        .ok_or_else(Problem::not_found)?;
    let headers = [
        (CONTENT_TYPE, found.content_type.as_str()),
        (CONTENT_SECURITY_POLICY, POLICY),
        (CACHE_CONTROL, A_DAY),
    ];
    Ok((headers, found.bytes.into_owned()).into_response())
}

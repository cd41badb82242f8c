//! `GET /audit/`: who changed what, newest first. Written with the change itself, in one write.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::Uri;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use whisperer_domain::access::AuditEntry;
use whisperer_domain::catalog::CatalogChange;

use super::Api;
use super::auth::Principal;
use super::list::List;
use super::moment;
use super::problem::Problem;
use super::query::{Paging, Query};

#[derive(Serialize, ToSchema)]
#[schema(as = AuditEntry)]
struct View<'a> {
    id: u64,
    at: String,
    owner: &'a str,
    /// The id of the token that was used.
    token: &'a str,
    /// created, replaced, deleted …
    action: &'a str,
    /// What it was done to, as a path: `hooks/17`.
    object: &'a str,
    /// As the API showed it, so without secrets; null where there is nothing to show.
    #[schema(value_type = Option<Object>)]
    before: Option<&'a RawValue>,
    #[schema(value_type = Option<Object>)]
    after: Option<&'a RawValue>,
}

/// Changes, newest first
///
/// The newest 100,000 are kept.
#[utoipa::path(
    get,
    path = "/whisperer/audit/",
    operation_id = "audit",
    tag = "Operations",
    params(Paging),
    responses(
        (status = 200, body = [View], headers(("Link" = String, description = "Where the rest is, as RFC 8288 writes it."))),
        (status = 400, description = "A filter is not valid."),
    ),
)]
pub(super) async fn list(State(api): State<Arc<Api>>, uri: Uri) -> Result<Response, Problem> {
    let mut query = Query::of(&uri, &[]);
    let (limit, below) = (query.limit(), query.cursor());
    query.check()?;
    let found = api.catalog.audit(below, limit).await?;
    let mut list = List::new();
    let mut last = None;
    for entry in &found {
        if list.is_full() {
            break;
        }
        list.push(&view(entry))?;
        last = Some(entry.number);
    }
    let whole = found.len() == limit || last != found.last().map(|entry| entry.number);
    let next = last.filter(|last| whole && *last > 1);
    Ok(list.answer(next.and_then(|last| query.next_link(last))))
}

/// After it was done: what was done is the truth, and a note that is lost undoes nothing.
pub(super) async fn remember(api: &Api, who: &Principal, object: &str, action: &'static str) {
    let noted = CatalogChange::Noted(object.to_owned());
    let noted = api.catalog.change_noted(noted, who.bare_note(action));
    if let Err(error) = noted.await {
        tracing::error!(object, action, %error, "this is missing in the audit");
    }
}

fn view(entry: &AuditEntry) -> View<'_> {
    View {
        id: entry.number,
        at: moment::write(entry.at),
        owner: entry.actor.owner.as_str(),
        token: &entry.actor.token,
        action: &entry.action,
        object: &entry.object,
        before: json_of(entry.before.as_deref()),
        after: json_of(entry.after.as_deref()),
    }
}

fn json_of(text: Option<&str>) -> Option<&RawValue> {
    text.and_then(|text| serde_json::from_str(text).ok())
}

//! The filters of `/hook_events/`, as the OMS named them.

use utoipa::IntoParams;
use whisperer_domain::catalog::CatalogSnapshot;
use whisperer_domain::delivery::StateKind;
use whisperer_domain::event_type::{EventPattern, EventType};
use whisperer_domain::id::{DeliveryUuid, EventId, HookId, Sequence};
use whisperer_domain::port::{DeliveryQuery, Scope};
use whisperer_domain::time::Timestamp;

use crate::api::moment;
use crate::api::query::Query;

pub(super) const NAMES: [&str; 13] = [
    "uuid",
    "event_type",
    "delivered",
    "response_http_status",
    "webhook",
    "object_id",
    "event_id",
    "state",
    CREATED[0],
    CREATED[1],
    CREATED[2],
    CREATED[3],
    CREATED[4],
];

/// As [`created`] reads them.
pub(in crate::api) const CREATED: [&str; 5] = [
    "created_date",
    "created_date__gt",
    "created_date__gte",
    "created_date__lt",
    "created_date__lte",
];

/// [`CREATED`], for the document.
#[allow(non_snake_case, reason = "Django's spelling")]
#[allow(dead_code, reason = "read by the derive, not by code")]
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::api) struct Created {
    #[param(format = DateTime)]
    created_date: Option<String>,
    #[param(format = DateTime)]
    created_date__gt: Option<String>,
    #[param(format = DateTime)]
    created_date__gte: Option<String>,
    #[param(format = DateTime)]
    created_date__lt: Option<String>,
    #[param(format = DateTime)]
    created_date__lte: Option<String>,
}

/// The rest of [`NAMES`], for the document.
#[allow(dead_code, reason = "read by the derive, not by code")]
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Filters {
    uuid: Option<String>,
    /// A type, or a pattern.
    event_type: Option<String>,
    delivered: Option<bool>,
    response_http_status: Option<u16>,
    /// The hook's number.
    webhook: Option<u64>,
    object_id: Option<String>,
    event_id: Option<String>,
    /// pending, delivered, discarded, dead or cancelled
    state: Option<String>,
}

pub(in crate::api) const NOT_A_TIME: &str = "Enter a valid date/time: 2026-01-31T12:00:00Z.";

/// What is wrong is noted in `query`, for its `check`.
pub(super) fn read(query: &mut Query, scope: Scope, snapshot: &CatalogSnapshot) -> DeliveryQuery {
    let (created_from, created_to) = created(query);
    DeliveryQuery {
        scope,
        hook: query.read("webhook", "Enter a hook's number.", |text| {
            text.parse().ok().map(HookId)
        }),
        uuid: query.read("uuid", "Enter a valid UUID.", |text| {
            uuid::Uuid::try_parse(text).ok().map(DeliveryUuid)
        }),
        event_type: query.read("event_type", "Enter an event type or a pattern.", |text| {
            event_type(text, snapshot)
        }),
        event: query.read("event_id", "Not an event's id.", |text| {
            EventId::parse(text).ok()
        }),
        object_id: query.text("object_id").map(str::to_owned),
        delivered: query.boolean("delivered"),
        state: query.read(
            "state",
            "Must be pending, delivered, discarded, dead or cancelled.",
            StateKind::of_word,
        ),
        status: query.read("response_http_status", "Enter a status: 200.", |text| {
            text.parse().ok()
        }),
        created_from,
        created_to,
        before: query.cursor().map(Sequence),
        limit: 0,
    }
}

/// In any casing where it is a registered type.
pub(in crate::api) fn event_type(text: &str, snapshot: &CatalogSnapshot) -> Option<EventPattern> {
    let registered = snapshot
        .event_types
        .keys()
        .map(EventType::as_str)
        .find(|name| name.eq_ignore_ascii_case(text));
    EventPattern::parse(registered.unwrap_or(text)).ok()
}

pub(in crate::api) fn created(query: &mut Query) -> (Option<Timestamp>, Option<Timestamp>) {
    bounds(&mut |name| query.read(name, NOT_A_TIME, moment::read_leniently))
}

/// What the five ways of saying it come to: both ends inclusive, in milliseconds.
pub(in crate::api) fn bounds(
    time: &mut dyn FnMut(&str) -> Option<Timestamp>,
) -> (Option<Timestamp>, Option<Timestamp>) {
    let exact = time("created_date");
    let after = time("created_date__gt").map(|at| Timestamp(at.0.saturating_add(1)));
    let from = time("created_date__gte");
    // Nothing is before 1970: `lt` of that very moment is satisfied by nothing but itself.
    let before = time("created_date__lt").map(|at| Timestamp(at.0.saturating_sub(1)));
    let to = time("created_date__lte");
    (
        [exact, after, from].into_iter().flatten().max(),
        [exact, before, to].into_iter().flatten().min(),
    )
}

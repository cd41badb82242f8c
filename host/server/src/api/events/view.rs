//! An event as the API shows it.

use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use whisperer_domain::event::Event;
use whisperer_domain::port::EventFound;

use crate::api::hook_events::HookEventView;
use crate::api::moment;

#[derive(Serialize, ToSchema)]
#[schema(as = Event)]
pub(super) struct EventView<'a> {
    id: &'a str,
    r#type: &'a str,
    object_id: Option<&'a str>,
    occurred_at: String,
    /// When it was accepted.
    created_date: String,
    content_type: &'a str,
    /// Null if it is no JSON.
    #[schema(value_type = Option<Value>)]
    payload: Option<&'a RawValue>,
}

impl<'a> EventView<'a> {
    pub(super) fn of(event: &'a Event) -> Self {
        Self {
            id: event.id.as_str(),
            r#type: event.event_type.as_str(),
            object_id: event.object_id.as_deref(),
            occurred_at: moment::write(event.occurred_at),
            created_date: moment::write(event.accepted_at),
            content_type: &event.content_type,
            payload: serde_json::from_slice(&event.payload).ok(),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(super) struct EventDetail<'a> {
    #[serde(flatten)]
    summary: EventView<'a>,
    #[schema(value_type = Option<Object>)]
    config_filter: Option<&'a RawValue>,
    /// The newest; the `Link` leads to the rest.
    deliveries: Vec<HookEventView<'a>>,
}

impl<'a> EventDetail<'a> {
    pub(super) fn of(found: &'a EventFound, deliveries: Vec<HookEventView<'a>>) -> Self {
        let config_filter = found.config_filter.as_deref();
        Self {
            summary: EventView::of(&found.event),
            config_filter: config_filter.and_then(|text| serde_json::from_str(text).ok()),
            deliveries,
        }
    }
}

//! Which deliveries and events a query means: pure, so that every store answers alike. Scope,
//! cursor and, of a delivery, what its event alone knows are the store's to look at.

use whisperer_domain::delivery::{Delivery, DeliveryState};
use whisperer_domain::event::Event;
use whisperer_domain::port::{DeliveryQuery, EventQuery};

/// Pages hold no more than this, whatever was asked for.
pub(crate) const PAGE_ROWS_MAX: usize = 1000;

/// Whether the delivery's own members are what the query asks for.
pub(crate) fn admits(query: &DeliveryQuery, delivery: &Delivery) -> bool {
    let delivered = matches!(delivery.state, DeliveryState::Delivered);
    query.hook.is_none_or(|hook| hook == delivery.hook)
        && query.uuid.is_none_or(|uuid| uuid == delivery.uuid)
        && query
            .event_type
            .as_ref()
            .is_none_or(|pattern| pattern.matches(&delivery.event_type))
        && query.delivered.is_none_or(|wanted| wanted == delivered)
        && query.state.is_none_or(|kind| kind == delivery.state.kind())
        && query
            .status
            .is_none_or(|status| delivery.last_status == Some(status))
        && query
            .created_from
            .is_none_or(|from| delivery.created_at >= from)
        && query.created_to.is_none_or(|to| delivery.created_at <= to)
        && query.before.is_none_or(|before| delivery.sequence < before)
}

/// Whether the event is what the query asks for.
pub(crate) fn admits_event(query: &EventQuery, event: &Event) -> bool {
    query
        .event_type
        .as_ref()
        .is_none_or(|pattern| pattern.matches(&event.event_type))
        && query
            .object_id
            .as_ref()
            .is_none_or(|object_id| event.object_id.as_ref() == Some(object_id))
        && query
            .created_from
            .is_none_or(|from| event.accepted_at >= from)
        && query.created_to.is_none_or(|to| event.accepted_at <= to)
}

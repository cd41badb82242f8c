"""Greets the partner, and keeps internal events in the house. Make it yours."""

from whisperer import Change, Discard, Event, Target, info

ABOUT = {
    "version": "0.1.0",
    "summary": "Greets the partner",
    # Event types and patterns it runs on where a hook names no chain.
    "events": [],
    # JSON Schema (2020-12): a hook whose configuration does not fit is refused. A property with
    # "writeOnly": True is a secret, which is never shown again.
    "config_schema": {
        "type": "object",
        "required": ["greeting"],
        "additionalProperties": False,
        "properties": {"greeting": {"type": "string", "minLength": 1, "maxLength": 100}},
    },
    "config_example": {"greeting": "Good morning"},
}


def transform(event: Event, target: Target, config: dict) -> Change | Discard | None:
    """None sends the event as it is; raise Retry or Reject if it cannot be done."""
    payload = event.payload
    if payload.get("internal") is True:
        return Discard("internal", "stays in the house")
    info(f"greeting for {event.id}")
    return Change(
        payload={"greeting": config["greeting"], "what": event.type, "about": payload}
    )

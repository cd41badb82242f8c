"""What a plugin may use. Each call runs in a fresh instance."""

import json
from dataclasses import dataclass, field
from typing import Any

from wit_world.imports import log, types

Target = types.Target


def debug(message: str) -> None:
    log.write(log.Level.DEBUG, message)


def info(message: str) -> None:
    log.write(log.Level.INFO, message)


def warn(message: str) -> None:
    log.write(log.Level.WARN, message)


def error(message: str) -> None:
    log.write(log.Level.ERROR, message)


class Retry(Exception):
    """A passing trouble: the hook's schedule decides when to try again."""

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.code, self.message = code, message


class Reject(Exception):
    """A lasting one: no later try is made."""

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.code, self.message = code, message


class Event:
    """What happened, before any envelope is put around it."""

    def __init__(self, event: types.Event):
        self.id = event.id
        self.type = event.event_type
        self.occurred_at_ms = event.occurred_at_ms
        self.content_type = event.content_type
        self.bytes = bytes(event.payload)
        self.headers = event.headers
        self.attributes = dict(event.attributes)

    @property
    def payload(self) -> Any:
        try:
            return json.loads(self.bytes)
        except ValueError as why:
            raise Reject("bad-payload", f"the payload is not JSON: {why}") from why


@dataclass
class Change:
    """What is to go out. What is left out stays as it was."""

    payload: Any = None  # bytes, or anything that json.dumps takes
    content_type: str | None = None
    bare: bool = False  # without the hook's envelope
    set_headers: dict[str, str] = field(default_factory=dict)
    append_headers: dict[str, str] = field(default_factory=dict)
    remove_headers: list[str] = field(default_factory=list)


@dataclass
class Discard:
    """This hook does not want the event: the delivery ends here, visibly."""

    code: str
    message: str

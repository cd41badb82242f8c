"""Between the contract (wit/whisperer.wit) and plugin.py: bytes in, bytes out."""

import json
import traceback

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.describe import Description
from wit_world.imports import types

import plugin
from whisperer import Change, Discard, Event, Reject, Retry


def headers(named):
    return [types.Header(name, value) for name, value in named.items()]


def payload(value):
    if value is None or isinstance(value, bytes):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def answer(made):
    if made is None:
        return types.Outcome_Unchanged()
    if isinstance(made, Discard):
        return types.Outcome_Discard(types.Reason(made.code, made.message))
    if isinstance(made, Change):
        return types.Outcome_Modified(
            types.Patch(
                payload(made.payload),
                made.content_type,
                made.bare,
                headers(made.set_headers),
                headers(made.append_headers),
                made.remove_headers,
            )
        )
    raise TypeError(f"transform answered {type(made).__name__}: a Change, a Discard or None is due")


def told(why):
    """An exception in one line, with the author's own part of its way, innermost first."""
    frames = reversed(traceback.extract_tb(why.__traceback__))
    way = ((it.name, it.filename.rsplit("/", 1)[-1], it.lineno) for it in frames)
    own = [f"at {name} ({file}:{line})" for name, file, line in way if file != "component.py"]
    return ", ".join([f"{type(why).__name__}: {why}", *own])


class Transform(exports.Transform):
    def transform(self, event, target, config):
        try:
            return answer(plugin.transform(Event(event), target, json.loads(config)))
        except Retry as why:
            raise Err(types.Failure_Retry(types.Reason(why.code, why.message)))
        except Reject as why:
            raise Err(types.Failure_Reject(types.Reason(why.code, why.message)))
        except Exception as why:
            # A fault of the plugin, and told as one.
            raise Err(types.Failure_Reject(types.Reason("exception", told(why))))


def text(value):
    return None if value is None else json.dumps(value)


class Describe(exports.Describe):
    def describe(self):
        about = plugin.ABOUT
        return Description(
            about.get("version", ""),
            about.get("summary", ""),
            about.get("events", []),
            text(about.get("config_schema")),
            text(about.get("config_example")),
            [],
        )

"""Parses the JSON of A2A 1.0 responses: updates, tasks, pages of tasks.

Every function raises ValueError for other input.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
from a2a.utils.errors import A2AError
from google.protobuf import json_format
from google.protobuf.message import Error, Message

from ...protocol import lenient_json
from ...protocol.a2a_objects import StreamResponse
from ...protocol.a2a_parser import parse_list, parse_response, parse_strict, parse_task
from ...protocol.json_values import check_count
from .types import Page, Update

_any_json = msgspec.json.Decoder(msgspec.Raw)


def read_update(data: bytes) -> Update:
    """Read a StreamResponse."""
    check_count(data)
    if response := parse_strict(data):
        return Update(response, data)
    raw = _repair(data)
    return Update(parse_response(raw), raw, is_nonstandard=True)


def read_send_response(data: bytes) -> Update:
    """Read the response of SendMessage. Some agents return a bare Task."""
    try:
        return read_update(data)
    except ValueError:
        return read_task(data)


def read_task(data: bytes) -> Update:
    """Read a Task, which may be wrapped in one more object."""
    check_count(data)
    data = _repair(data)
    task = parse_task(data)
    whole = msgspec.json.decode(data)
    for body in (whole, *whole.values()):
        if isinstance(body, dict) and str(body.get("id")) == task.id:
            break
    return Update(StreamResponse(task=task), msgspec.json.encode({"task": body}))


def read_page(data: bytes) -> Page:
    """Read the response of ListTasks."""
    check_count(data)
    return Page(*parse_list(data))


def message_to_json(message: Message) -> bytes:
    """Convert one of the SDK's messages. Raises ValueError."""
    with as_value_error():
        return msgspec.json.encode(json_format.MessageToDict(message))


@contextmanager
def as_value_error() -> Iterator[None]:
    """Convert SDK errors to ValueError, so that one bad item does not end a stream."""
    try:
        yield
    except (
        json_format.Error,
        Error,  # protobuf cannot copy what is nested over 100 levels.
        A2AError,
        TypeError,
        AttributeError,
        LookupError,
        RecursionError,
    ) as error:
        raise ValueError(str(error)[:200]) from error


def _is_utf8(data: bytes) -> bool:
    try:
        return data.isascii() or data.decode() != ""
    except UnicodeDecodeError:
        return False


def _repair(data: bytes) -> bytes:
    """Return valid JSON unchanged. Encode other input again, as JSON in UTF-8."""
    try:
        _any_json.decode(data)
        if _is_utf8(data):
            return data
    except (ValueError, RecursionError):
        pass
    return msgspec.json.encode(lenient_json.decode(data))

"""Hypothesis strategies for hostile input: text, JSON, and almost valid A2A."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from tests.support.a2a_updates import (
    add_sequence,
    agent_message,
    chunk,
    snapshot,
    status,
)

Json = dict[str, Any]

ODD = [
    "",
    " ",
    "\x00",
    "\n",
    "\r\n",
    "\x1b[31m",
    "\x7f",
    "\u0085",
    "\u2028",
    "\u202e",
    "ß",
    "İ",
    "😀",
    "e\u0301",
    "'",
    '"',
    "\\",
    "<b>",
    "{{7*7}}",
    "../..",
    "null",
    "0",
    "-1",
    "1e999",
    "9" * 30,
    "0x10",
    "\u0661",
    "²",
    "true",
    "2026-13-99T25:61:00Z",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999Z",
    "1-2",
    "z" * 300,
]
text = (
    st.text(max_size=40)
    | st.sampled_from(ODD)
    | st.sampled_from(ODD).flatmap(
        lambda odd: st.text(max_size=8).map(lambda more: odd + more)
    )
)
scalars = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | text
json_values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4)
    ),
    max_leaves=12,
)
raw = st.binary(max_size=200)

UPDATES: list[Json] = [
    status("WORKING", agent_message("one", "m1", 40), at="2026-11-23T12:00:00Z"),
    status("COMPLETED", agent_message("done", "m2"), percent=100),
    chunk("a", "b", append=True, last=True),
    add_sequence(3, status("INPUT_REQUIRED", agent_message("Send?", "m3"))),
    snapshot(
        "WORKING", agent_message("two", "m4"), history=[agent_message("one", "m1")]
    ),
    {"message": agent_message("hello", "m5", 10)},
]
CARD: Json = {
    "name": "Carly",
    "description": "Keeps the calendar.",
    "version": "1",
    "url": "http://127.0.0.1:8001",
    "supportedInterfaces": [
        {"url": "http://a", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}
    ],
    "capabilities": {"streaming": True, "extensions": [{"uri": "x", "params": {}}]},
    "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X"}},
    "security": [{"key": []}],
    "defaultInputModes": ["text/plain"],
    "defaultOutputModes": ["text/plain"],
    "skills": [{"id": "s", "name": "S", "description": "", "tags": [], "examples": []}],
}


def _paths(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of each value inside a JSON value."""
    inner = dict(enumerate(value)) if isinstance(value, list) else value
    for key, each in inner.items() if isinstance(inner, dict) else ():
        yield (*at, key)
        yield from _paths(each, (*at, key))


@st.composite
def corrupted(draw: st.DrawFn, valid: list[Json]) -> Json:
    """Draw one of `valid`, with up to three of its values replaced by any JSON."""
    body = copy.deepcopy(draw(st.sampled_from(valid)))
    for _ in range(draw(st.integers(0, 3))):
        *path, last = draw(st.sampled_from(list(_paths(body)) or [("x",)]))
        parent: Any = body
        for key in path:
            parent = parent[key]
        parent[last] = draw(json_values)
    return body


def encoded(values: st.SearchStrategy[Any]) -> st.SearchStrategy[bytes]:
    """Encode values as JSON, and sometimes change some bytes."""
    whole = values.map(lambda value: json.dumps(value).encode())
    cut = st.tuples(whole, st.integers(0, 400), raw).map(
        lambda parts: parts[0][: parts[1]] + parts[2] + parts[0][parts[1] + 1 :]
    )
    return whole | cut


updates = encoded(corrupted(UPDATES))
cards = encoded(corrupted([CARD]))
any_json = encoded(json_values) | raw
DEEP = [
    b'{"a":' * 3_000 + b"1" + b"}" * 3_000,
    b"[" * 100_000,
    b'{"a":1' + b"0" * 5_000,
]

"""Tests that the fast path and the SDK's parser give the same events.

host/protocol/a2a_parser.py next to a2a-sdk, for all JSON that the SDK accepts.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from a2a.types import a2a_pb2 as pb
from a2a.utils.proto_utils import parse_lenient
from google.protobuf.json_format import MessageToJson, ParseError
from hypothesis import example, given, settings
from hypothesis import strategies as st

from host.model.event import Event
from host.protocol import lenient_json
from host.protocol.a2a_objects import RESUMABLE, StreamResponse
from host.protocol.a2a_parser import parse_response
from host.protocol.progress import URI
from host.protocol.task_record import TaskRecord
from host.protocol.translate import translate
from tests.support.a2a_updates import (
    NOW,
    add_sequence,
    agent_message,
    chunk,
    snapshot,
    status,
)

Json = dict[str, Any]


def events_of(response: StreamResponse) -> list[Event]:
    record = TaskRecord("carly", "t1")
    record.add(translate(record, KNOWN, NOW))
    return translate(record, response, NOW, "the stream broke")


KNOWN = parse_response(
    json.dumps(status("SUBMITTED", agent_message("…", "m1"))).encode()
)

# The JSON of one field: valid, unusual or invalid.
texts = st.sampled_from(["", "t1", "m1", "one", "…", "2"])
numbers = st.integers(-3, 2**53) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2)
    ),
    max_leaves=4,
)
number = st.builds(
    lambda n: {"sequence": n}, st.sampled_from([1, 2.0, 3, "3", 0, None])
)
done = st.builds(
    lambda n: {"aggregate": {"progress": n, "total": 100}}, st.integers(-1, 101)
)
metadata = st.fixed_dictionaries(
    {}, optional={RESUMABLE: number, URI: done, "x": values}
)
stamps = st.sampled_from(
    [
        "2026-11-22T12:00:00Z",
        "2026-11-22T12:00:00.123456789Z",
        "2026-11-22T12:00:00.9999999+01:30",
        "2026-11-22T12:00:00.5+00:00",
        "2026-1-2T3:4:5Z",
        "2026-11-22T12:00:00-4:5",
    ]
)


def mostly_valid(right: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Draw mostly valid values."""
    return st.integers(0, 30).flatmap(lambda n: right if n else values)


def message_of(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    """Draw some of these fields, in camel or snake case, and sometimes one more."""

    def named(drawn: tuple[Json, bool, bool]) -> Json:
        present, snake, more = drawn
        named = {name if snake else camel(name): v for name, v in present.items()}
        return named | {"mood": "calm"} if more else named

    some = st.fixed_dictionaries(
        {}, optional={n: mostly_valid(f) for n, f in fields.items()}
    )
    rarely = st.integers(0, 30).map(lambda n: n == 30)
    return st.tuples(some, rarely, rarely).map(named)


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)


def enum(kind: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from([*kind.keys(), *kind.values(), "2", "LATER", 42])


raw = st.sampled_from(["", "aGk=", "aGk", "a-_b", "QR==", "a"])
parts = st.lists(
    message_of(text=texts, metadata=metadata, filename=texts, media_type=texts)
    | message_of(raw=raw)
    | message_of(url=texts, media_type=texts)
    | message_of(data=values.filter(lambda v: v is not None)),
    max_size=3,
)
message = message_of(
    message_id=texts,
    context_id=texts,
    task_id=texts,
    role=enum(pb.Role) | st.just("ROLE_AGENT"),
    parts=parts,
    metadata=metadata,
    extensions=st.lists(texts, max_size=1),
    reference_task_ids=st.lists(texts, max_size=1),
)
task_status = message_of(state=enum(pb.TaskState), message=message, timestamp=stamps)
artifact = message_of(
    artifact_id=texts,
    name=texts,
    description=texts,
    parts=parts,
    metadata=metadata,
    extensions=st.lists(texts, max_size=1),
)
ids = {"task_id": st.just("t1"), "context_id": texts, "metadata": metadata}
kinds = {
    "status_update": message_of(**ids, status=task_status),
    "artifact_update": message_of(
        **ids, artifact=artifact, append=st.booleans(), last_chunk=st.booleans()
    ),
    "task": message_of(
        id=st.just("t1"),
        context_id=texts,
        status=task_status,
        artifacts=st.lists(artifact, max_size=2),
        history=st.lists(message, max_size=2),
        metadata=metadata,
    ).map(lambda task: {"id": "t1", **task}),
    "message": message,
}
one = st.sampled_from(["status_update", "artifact_update", "task", "task", "message"])
responses = st.tuples(one, st.booleans()).flatmap(
    lambda drawn: st.fixed_dictionaries(
        {drawn[0] if drawn[1] else camel(drawn[0]): kinds[drawn[0]]}
    )
)


@settings(derandomize=True, deadline=None, max_examples=500)
@given(responses)
@example(
    status("WORKING", agent_message("one", "m2", 20), at="2026-11-22T12:00:00.1234Z")
)
@example(add_sequence(2, chunk("one", append=True)))
@example(snapshot("COMPLETED", history=[agent_message("one", "m2")]))
def test_json_that_the_sdk_accepts_gives_the_events_of_its_parser(
    response: Json,
) -> None:
    data = json.dumps(response).encode()
    try:
        by_the_sdk = parse_lenient(json.loads(data), pb.StreamResponse())
    except ParseError:
        return
    try:
        expected = events_of(parse_response(MessageToJson(by_the_sdk).encode()))
    except ValueError as empty:
        assert "not a stream response" in str(empty)
        with pytest.raises(ValueError, match="not a stream response"):
            parse_response(data)
        return

    assert events_of(parse_response(data)) == expected


@settings(derandomize=True, deadline=None, max_examples=200)
@given(responses)
def test_json_that_the_sdk_writes_never_needs_the_slow_path(response: Json) -> None:
    try:
        written = MessageToJson(parse_lenient(response, pb.StreamResponse()))
        parsed = parse_response(written.encode())
    except (ParseError, ValueError):
        return
    if parsed.update is None or '"data": null' in written or ": 42" in written:
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr(lenient_json, "normalize")
        assert parse_response(written.encode()) == parsed

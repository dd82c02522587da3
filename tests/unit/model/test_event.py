"""Tests of host/model/event.py: an event as JSON and as an SSE frame.

tests/contract/test_events.py compares every kind of event with a file.
"""

from __future__ import annotations

import json
import re

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host.model.event import (
    AgentEvent,
    ArtifactEvent,
    Event,
    GapEvent,
    MessageEvent,
    NoticeEvent,
    TaskEvent,
    decode,
    encode,
    with_id,
)
from host.model.sse import feed_frame

texts = st.text(max_size=20)
maybe = st.none() | texts
number = st.integers(0, 2**53) | st.just(msgspec.UNSET)
parts = st.lists(
    st.dictionaries(texts, texts | st.integers(-5, 5) | st.booleans(), max_size=3),
    max_size=3,
)
events = st.one_of(
    st.builds(
        TaskEvent,
        context_id=maybe,
        progress=st.none() | st.integers(0, 100) | st.floats(0, 100),
        message=maybe,
        result=texts | st.just(msgspec.UNSET),
        sequence=number,
        stalled_since=maybe | st.just(msgspec.UNSET),
        **dict.fromkeys(("agent", "task_id", "status", "state", "received_at"), texts),
    ),
    st.builds(
        ArtifactEvent,
        parts=parts,
        append=st.booleans(),
        last_chunk=st.booleans(),
        sequence=number,
        **dict.fromkeys(("agent", "task_id", "artifact_id", "received_at"), texts),
    ),
    st.builds(MessageEvent, agent=texts, message=texts, received_at=texts),
    st.builds(
        AgentEvent,
        retry_s=st.none() | st.floats(0, 60),
        **dict.fromkeys(
            ("binding", "protocol", "interface_url", "discovery", "trouble"), maybe
        ),
        **dict.fromkeys(("agent", "url", "connection", "received_at"), texts),
    ),
    st.builds(
        GapEvent,
        agent=texts,
        task_id=texts,
        message=texts,
        missing=number,
        received_at=texts,
    ),
    st.builds(
        NoticeEvent,
        context_id=maybe,
        **dict.fromkeys(
            ("agent", "task_id", "notice", "message", "received_at"), texts
        ),
    ),
)

RUNNING = TaskEvent(
    agent="carly",
    task_id="t1",
    context_id="c1",
    status="running",
    state="TASK_STATE_WORKING",
    progress=50,
    message="Checking availability...",
    at=None,
    received_at="2026-11-23T12:00:00.000Z",
)


@settings(derandomize=True, deadline=None)
@given(events)
def test_decoded_event_equals_the_encoded_one(event: Event) -> None:
    assert decode(encode(event)) == event


@settings(derandomize=True, deadline=None)
@given(events, st.integers(1, 10**15))
def test_sse_frame_of_any_event_has_one_data_line(event: Event, event_id: int) -> None:
    text = feed_frame("k3f9", event_id, encode(event)).decode()

    # The standard ends lines at CR, LF and CRLF. WHATWG HTML 9.2.6.
    name, data, *end = re.split("\r\n|\r|\n", text)
    assert name == f"id: k3f9-{event_id}"
    assert end == ["", ""]
    body = json.loads(data.removeprefix("data: "))
    assert body.pop("id") == event_id
    assert body == json.loads(encode(event))


def test_id_is_the_first_key() -> None:
    assert with_id(7, encode(RUNNING)).startswith(b'{"id":7,"kind":"task","agent":')


def test_unset_result_is_omitted() -> None:
    done = msgspec.structs.replace(RUNNING, status="completed", result="")

    assert "result" not in json.loads(encode(RUNNING))
    assert json.loads(encode(done))["result"] == ""


def test_unknown_numbers_are_omitted() -> None:
    gap = GapEvent(
        agent="carly", task_id="t1", context_id=None, message="?", received_at=""
    )
    counted = msgspec.structs.replace(gap, missing=3)
    numbered = msgspec.structs.replace(RUNNING, sequence=7)

    assert "missing" not in json.loads(encode(gap))
    assert json.loads(encode(counted))["missing"] == 3
    assert "sequence" not in json.loads(encode(RUNNING))
    assert json.loads(encode(numbered))["sequence"] == 7


@pytest.mark.parametrize(
    "earlier",
    [
        b'{"kind":"agent","agent":"carly","url":"http://x.example","connection":"lost",'
        b'"followed":null,"received_at":""}',
        b'{"kind":"gap","agent":"carly","task_id":"t1","context_id":null,'
        b'"message":"?","received_at":""}',
    ],
)
def test_events_of_an_earlier_version_are_readable(earlier: bytes) -> None:
    assert decode(earlier).agent == "carly"


@pytest.mark.parametrize(
    ("status", "is_open"),
    [
        ("submitted", True),
        ("running", True),
        ("input-required", True),
        ("auth-required", True),
        ("unknown", True),
        ("completed", False),
        ("error", False),
        ("cancelled", False),
        ("rejected", False),
    ],
)
def test_task_is_open_until_its_terminal_status(status: str, is_open: bool) -> None:
    assert msgspec.structs.replace(RUNNING, status=status).is_open is is_open


def test_unknown_kind_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        decode(b'{"kind":"rumour","agent":"carly"}')


def test_unknown_fields_are_ignored() -> None:
    later = encode(RUNNING)[:-1] + b',"mood":"calm"}'

    assert decode(later) == RUNNING

"""The shape of an event: its JSON, its SSE frame, and back again.

host/model/event.py; the golden file of every kind is in tests/contract.
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
)

RUNNING = TaskEvent(
    agent="carly",
    task_id="t1",
    context_id="c1",
    status="running",
    state="TASK_STATE_WORKING",
    progress=50,
    message="Checking availability…",
    at=None,
    received_at="2026-11-23T12:00:00.000Z",
)


@settings(derandomize=True, deadline=None)
@given(events)
def test_every_event_comes_back_as_it_was_written(event: Event) -> None:
    assert decode(encode(event)) == event


@settings(derandomize=True, deadline=None)
@given(events, st.integers(1, 10**15))
def test_whatever_an_agent_says_a_frame_is_one_event_with_one_line_of_data(
    event: Event, event_id: int
) -> None:
    text = feed_frame("k3f9", event_id, encode(event)).decode()

    # The standard ends lines at CR, LF and CRLF. WHATWG HTML 9.2.6.
    name, data, *end = re.split("\r\n|\r|\n", text)
    assert name == f"id: k3f9-{event_id}"
    assert end == ["", ""]
    body = json.loads(data.removeprefix("data: "))
    assert body.pop("id") == event_id
    assert body == json.loads(encode(event))


def test_the_id_is_the_first_key_so_that_people_see_it() -> None:
    assert with_id(7, encode(RUNNING)).startswith(b'{"id":7,"kind":"task","agent":')


def test_result_is_left_out_until_there_is_one() -> None:
    done = msgspec.structs.replace(RUNNING, status="completed", result="")

    assert "result" not in json.loads(encode(RUNNING))
    assert json.loads(encode(done))["result"] == ""


def test_numbers_are_left_out_where_nobody_knows_them() -> None:
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
def test_what_an_earlier_version_wrote_is_read(earlier: bytes) -> None:
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
def test_a_task_is_open_until_its_terminal_status(status: str, is_open: bool) -> None:
    assert msgspec.structs.replace(RUNNING, status=status).is_open is is_open


def test_an_event_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        decode(b'{"kind":"rumour","agent":"carly"}')


def test_fields_of_a_later_version_do_not_prevent_reading() -> None:
    later = encode(RUNNING)[:-1] + b',"mood":"calm"}'

    assert decode(later) == RUNNING

"""Every feed event of a task becomes an A2A update that the SDK can parse."""

from __future__ import annotations

import json
from typing import Any, cast, get_args

import msgspec
from a2a.types import a2a_pb2 as pb
from google.protobuf.json_format import MessageToDict, ParseDict
from hypothesis import given
from hypothesis import strategies as st

from host.gateway.a2a_updates import (
    FeedEvent,
    NumberedUpdate,
    TaskBuilder,
    build_update,
    take_until_settled,
    task_from_row,
)
from host.model.event import ArtifactEvent, GapEvent, TaskEvent
from host.protocol.a2a_objects import RESUMABLE, State
from host.protocol.a2a_parser import parse_response
from host.protocol.task_record import TaskRecord
from host.protocol.task_status import STATUS_OF_STATE
from host.protocol.translate import translate

NOW = "2026-11-24T12:00:00.123Z"
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
names = words.filter(bool)
maybe = st.none() | names
ROW = TaskEvent(
    agent="carly",
    task_id="t1",
    context_id="c",
    status="running",
    state="TASK_STATE_WORKING",
    progress=50,
    message="Half way",
    message_id="m1",
    at=NOW,
    received_at=NOW,
)
times = st.sampled_from([NOW, "2026-11-24T12:00:00Z", None])
plain_json = st.recursive(
    st.booleans() | st.integers(-(2**31), 2**31) | words,
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=2)
    ),
    max_leaves=4,
)
objects = st.dictionaries(names, plain_json, max_size=2)
states = st.sampled_from(sorted(STATUS_OF_STATE))

rows = st.builds(
    TaskEvent,
    agent=st.just("carly"),
    task_id=st.just("t1"),
    context_id=maybe,
    status=states.map(STATUS_OF_STATE.__getitem__),
    state=states,
    progress=st.none() | st.integers(0, 100) | st.floats(0, 100),
    message=maybe,
    message_id=maybe,
    at=times,
    received_at=st.just(NOW),
)
parts = st.one_of(
    st.fixed_dictionaries({"text": words}),
    st.fixed_dictionaries({"data": objects}),
    st.fixed_dictionaries({"raw": st.just("YWI=")}),
    st.fixed_dictionaries({"url": names, "mediaType": names}),
)
chunks = st.builds(
    ArtifactEvent,
    agent=st.just("carly"),
    task_id=st.just("t1"),
    context_id=maybe,
    artifact_id=names,
    name=maybe,
    parts=st.lists(parts, max_size=3),
    append=st.booleans(),
    last_chunk=st.booleans(),
    received_at=st.just(NOW),
)
gaps = st.builds(
    GapEvent,
    agent=st.just("carly"),
    task_id=st.just("t1"),
    context_id=maybe,
    message=words,
    missing=st.integers(1, 99),
    received_at=st.just(NOW),
)
# Of each kind alone and of all together.
feed_events = st.one_of(rows, chunks, gaps)


def read(update: NumberedUpdate) -> pb.StreamResponse:
    """Parse an update as the SDK's clients do. It must be one line."""
    assert b"\n" not in update.json
    assert b"\r" not in update.json
    return ParseDict(json.loads(update.json), pb.StreamResponse())


def number_in(response: pb.StreamResponse) -> dict[str, Any]:
    kind = cast("str", response.WhichOneof("payload"))
    metadata = MessageToDict(getattr(response, kind).metadata)
    return cast("dict[str, Any]", metadata[RESUMABLE])


@given(feed_events, st.integers(1, 10**6), st.none() | rows)
def test_every_event_becomes_an_update_with_its_number(
    event: FeedEvent, number: int, before: TaskEvent | None
) -> None:
    response = read(build_update(event, number, None, before))

    assert number_in(response)["sequence"] == number
    if isinstance(event, ArtifactEvent):
        update = response.artifact_update
        assert update.artifact.artifact_id == event.artifact_id
        assert len(update.artifact.parts) == len(event.parts)
        assert (update.append, update.last_chunk) == (event.append, event.last_chunk)
    if isinstance(event, TaskEvent):
        status = response.status_update.status
        assert pb.TaskState.Name(status.state) == event.state
        assert [part.text for part in status.message.parts] == (
            [event.message] if event.message else []
        )


@given(st.lists(feed_events, max_size=12))
def test_any_events_build_a_task_with_the_last_number(
    events: list[FeedEvent],
) -> None:
    builder = TaskBuilder("carly", "t1")
    for number, event in enumerate(events, 1):
        builder.add(100 + number, number, event)

    response = read(builder.build(None))

    assert response.task.id == "t1"
    assert number_in(response)["sequence"] == len(events)
    last = [event for event in events if isinstance(event, TaskEvent)][-1:]
    for row in last:
        assert pb.TaskState.Name(response.task.status.state) == row.state


messages = st.fixed_dictionaries(
    {"messageId": names, "role": st.just("ROLE_AGENT")},
    optional={"parts": st.lists(parts, max_size=2), "metadata": objects},
)
statuses = st.fixed_dictionaries(
    {"state": states},
    optional={
        "message": messages,
        "timestamp": st.sampled_from(
            [NOW, "2026-11-24T12:00:00.123456Z", "2026-11-24 12:00", "never"]
        ),
    },
)
artifacts = st.fixed_dictionaries(
    {"artifactId": names, "parts": st.lists(parts, min_size=1, max_size=2)},
    optional={"name": names, "description": names, "metadata": objects},
)
agents_own_numbers = st.just({RESUMABLE: {"sequence": 7}})
metadatas = objects | agents_own_numbers
raws = st.one_of(
    st.fixed_dictionaries(
        {"taskId": st.just("t1"), "contextId": words, "status": statuses},
        optional={"metadata": metadatas},
    ).map(lambda body: {"statusUpdate": body}),
    st.fixed_dictionaries(
        {"taskId": st.just("t1"), "artifact": artifacts, "append": st.booleans()},
        optional={"metadata": metadatas},
    ).map(lambda body: {"artifactUpdate": body}),
    st.fixed_dictionaries(
        {"id": st.just("t1"), "contextId": words, "status": statuses},
        optional={
            "artifacts": st.lists(artifacts, max_size=2),
            "history": st.lists(messages, max_size=2),
            "metadata": metadatas,
        },
    ).map(lambda body: {"task": body}),
)


@given(st.lists(raws, min_size=1, max_size=6))
def test_agent_updates_pass_through_the_feed(
    bodies: list[dict[str, Any]],
) -> None:
    """From the agent's JSON to events, and back to JSON."""
    known, builder, number = TaskRecord("carly", "t1"), TaskBuilder("carly", "t1"), 0
    behind: dict[int, bytes] = {}
    for body in bodies:
        raw = msgspec.json.encode(body)
        state = known.row
        for event in translate(known, parse_response(raw), NOW):
            number += 1
            behind[number] = raw
            known.add([event])
            builder.add(number, number, cast("FeedEvent", event))
            update = build_update(cast("FeedEvent", event), number, raw, state)
            assert number_in(read(update))["sequence"] == number
            if isinstance(event, TaskEvent):
                state = event
        response = read(
            builder.build(behind[builder.row_id] if builder.row_id else None)
        )
        if known.row:
            assert pb.TaskState.Name(response.task.status.state) == known.row.state
        artifacts = {a.artifact_id: a for a in response.task.artifacts}
        assert set(artifacts) == set(known.artifacts)


def status_update(text: str, **metadata: Any) -> bytes:
    message = {
        **{"messageId": "m1", "role": "ROLE_AGENT", "extensions": ["x"]},
        "parts": [{"text": text}, {"data": {"slots": [1, 2]}}],
    }
    status = {"state": "TASK_STATE_WORKING", "message": message, "timestamp": NOW}
    body = {"taskId": "t1", "contextId": "c", "status": status, "metadata": metadata}
    return msgspec.json.encode({"statusUpdate": body})


def only(events: list[Any]) -> FeedEvent:
    (event,) = events
    return cast("FeedEvent", event)


def test_agents_update_keeps_its_content_but_gets_the_hosts_number() -> None:
    raw = status_update("Looking…", mine={"a": 1}, **{RESUMABLE: {"sequence": 1}})
    event = only(translate(TaskRecord("carly", "t1"), parse_response(raw), NOW))

    update = json.loads(build_update(event, 3, raw, None).json)["statusUpdate"]

    theirs = json.loads(raw)["statusUpdate"]
    assert update.pop("metadata") == {"mine": {"a": 1}, RESUMABLE: {"sequence": 3}}
    theirs.pop("metadata")
    assert update == theirs


def test_message_in_the_stream_of_a_task_becomes_the_message_of_its_status() -> None:
    message = {
        **{"messageId": "m2", "role": "ROLE_AGENT", "metadata": {"mood": "good"}},
        "parts": [{"text": "Found it"}, {"data": {"price": 7}}],
    }
    raw = msgspec.json.encode({"message": message})
    record = TaskRecord("carly", "t1")
    record.add(translate(record, parse_response(status_update("Looking…")), NOW))
    event = only(translate(record, parse_response(raw), NOW))

    update = json.loads(build_update(event, 3, raw, None).json)["statusUpdate"]

    ids = {"taskId": "t1", "contextId": "c"}
    assert update["status"]["state"] == "TASK_STATE_WORKING"
    assert update["status"]["message"] == {**message, **ids}


def test_gap_repeats_the_status_and_says_what_is_missing() -> None:
    gap = GapEvent(
        agent="carly",
        task_id="t1",
        context_id="c",
        message="the host was away",
        missing=3,
        received_at=NOW,
    )

    update = build_update(gap, 5, None, ROW)

    assert not update.is_settled
    body = json.loads(update.json)["statusUpdate"]
    assert body["status"]["state"] == "TASK_STATE_WORKING"
    assert body["metadata"][RESUMABLE] == {
        "sequence": 5,
        "gap": {"message": "the host was away", "missing": 3},
    }


@given(st.lists(rows, max_size=6))
def test_response_to_a_message_ends_when_the_task_ends_or_asks(
    events: list[TaskEvent],
) -> None:
    updates = [build_update(event, 1, None, None) for event in events]

    taken = take_until_settled(updates)

    assert not any(update.is_settled for update in taken[:-1])
    assert taken == updates or taken[-1].is_settled


@given(rows)
def test_row_becomes_a_task(row: TaskEvent) -> None:
    ParseDict(json.loads(msgspec.json.encode(task_from_row(row))), pb.Task())


def test_every_a2a_state_has_a_status() -> None:
    assert {*STATUS_OF_STATE, "TASK_STATE_UNSPECIFIED"} == set(get_args(State))

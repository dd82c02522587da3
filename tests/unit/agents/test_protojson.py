"""Updates are written as protobuf writes them.

agents/protojson.py.
"""

from __future__ import annotations

import json
from typing import Any

from a2a.types.a2a_pb2 import (
    Artifact,
    Message,
    Part,
    Task,
    TaskArtifactUpdateEvent,
    TaskState,
    TaskStatus,
    TaskStatusUpdateEvent,
)
from a2a.utils.proto_utils import to_stream_response
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.struct_pb2 import Struct, Value
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from agents.protojson import written


def data_of(data: Any) -> Value:
    return ParseDict(data, Value())


words = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12
)
numbers = st.floats(allow_nan=False, allow_infinity=False, width=32) | st.integers(
    0, 2**50
)
values = st.recursive(
    st.none() | st.booleans() | numbers | words,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3)
    ),
    max_leaves=8,
)
structs = st.none() | st.dictionaries(words, values, max_size=3).map(
    lambda content: ParseDict(content, Struct())
)
parts = st.one_of(
    words.map(lambda text: Part(text=text)),
    words.map(lambda text: Part(text=text, filename=text, media_type="text/plain")),
    values.map(lambda data: Part(data=data_of(data))),
    st.binary(max_size=5).map(lambda raw: Part(raw=raw, filename="f")),
)
messages = st.none() | st.builds(
    Message,
    message_id=words,
    context_id=words,
    task_id=words,
    role=st.sampled_from([0, 1, 2]),
    parts=st.lists(parts, max_size=3),
    metadata=structs,
    extensions=st.lists(words, max_size=2),
    reference_task_ids=st.lists(words, max_size=1),
)
timestamps = st.none() | st.builds(
    Timestamp, seconds=st.integers(0, 2**32), nanos=st.integers(0, 999_999_999)
)
statuses = st.none() | st.builds(
    TaskStatus,
    state=st.sampled_from(TaskState.values()),
    message=messages,
    timestamp=timestamps,
)
updates = st.builds(
    TaskStatusUpdateEvent,
    task_id=words,
    context_id=words,
    status=statuses,
    metadata=structs,
)


@given(updates)
def test_a_status_update_is_written_as_protobuf_writes_it(
    update: TaskStatusUpdateEvent,
) -> None:
    assert json.loads(written(update)) == MessageToDict(to_stream_response(update))


def test_it_is_written_as_one_line_with_spaces_as_json_dumps_does() -> None:
    update = TaskStatusUpdateEvent(task_id="a", metadata={"x": [1, "ä\n"], "y": {}})
    expected = json.dumps(MessageToDict(to_stream_response(update)), ensure_ascii=False)
    assert written(update) == expected


def test_everything_else_that_is_streamed_is_written_too() -> None:
    artifact = Artifact(artifact_id="a", parts=[Part(text="…")])
    for event, name in (
        (Task(id="a"), "task"),
        (Message(message_id="m"), "message"),
        (TaskArtifactUpdateEvent(task_id="a", artifact=artifact), "artifactUpdate"),
    ):
        told = json.loads(written(event))
        assert told == MessageToDict(to_stream_response(event))
        assert list(told) == [name]

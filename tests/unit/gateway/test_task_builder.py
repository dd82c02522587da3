"""Tasks that the gateway builds from the feed: their content, history and number."""

from __future__ import annotations

import json

import msgspec
import pytest
from msgspec.structs import replace

from host.gateway.a2a_updates import TaskBuilder, build_unnumbered, limit_history
from host.model.event import TaskEvent
from host.protocol.a2a_objects import RESUMABLE, Message, StreamResponse, Task
from host.protocol.a2a_parser import parse_response
from host.protocol.task_record import TaskRecord
from host.protocol.translate import translate

NOW = "2026-11-24T12:00:00.123Z"
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


def test_agents_first_task_keeps_its_content() -> None:
    user = {"messageId": "u", "role": "ROLE_USER", "parts": [{"text": "hi"}]}
    body = {
        **{"id": "t1", "contextId": "c", "history": [user]},
        "status": {"state": "TASK_STATE_SUBMITTED"},
    }
    raw = msgspec.json.encode({"task": body})
    builder = TaskBuilder("carly", "t1")
    [row] = translate(TaskRecord("carly", "t1"), parse_response(raw), NOW)
    assert isinstance(row, TaskEvent)
    builder.add(9, 1, row)

    task = json.loads(builder.build(raw).json)["task"]

    assert task == {**body, "metadata": {RESUMABLE: {"sequence": 1}}}


def test_earlier_messages_become_the_history() -> None:
    builder = TaskBuilder("carly", "t1")
    for number, text in enumerate(["one", "two", "three"], 1):
        row = replace(ROW, message=text, message_id=text)
        builder.add(number, number, row)

    task = json.loads(builder.build(None).json)["task"]

    assert task["status"]["message"]["messageId"] == "three"
    assert [message["messageId"] for message in task["history"]] == ["one", "two"]


def test_task_has_the_whole_message_although_its_last_row_has_the_start() -> None:
    text, later = "word " * 20_000, "word " * 100
    builder = TaskBuilder("carly", "t1")
    builder.add(1, 1, replace(ROW, message=text))
    cut = {"message": later, "shortened": {"message": len(text)}, "progress": 60}
    builder.add(2, 2, replace(ROW, **cut))

    task = json.loads(builder.build(None).json)["task"]

    assert task["status"]["message"]["parts"] == [{"text": text}]
    assert "history" not in task


@pytest.mark.parametrize(("length", "kept"), [(None, 3), (2, 2), (0, 0), (9, 3)])
def test_history_is_limited(length: int | None, kept: int) -> None:
    history = [Message(name) for name in "abc"]

    task = limit_history(Task(id="t1", history=history), length)

    assert task.history == history[3 - kept :]


def test_agents_own_task_has_no_number() -> None:
    metadata = {RESUMABLE: {"sequence": 7}, "other": 1}
    task = Task(id="t1", metadata=metadata)

    update = build_unnumbered(StreamResponse(task=task))

    assert update.number is None
    assert json.loads(update.json)["task"]["metadata"] == {"other": 1}

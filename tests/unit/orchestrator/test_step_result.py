"""Tests of host/orchestrator/step_result.py: a step gets the whole of a long result."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from host.feed.feed import Feed
from host.log.contract import Entry
from host.log.memory_log import MemoryLog
from host.model.event import ArtifactEvent, Event, TaskEvent
from host.orchestrator.agents import AttemptFailed
from host.orchestrator.step_result import MAX_RESULT_BYTES, read_result
from host.protocol.task_record import TaskRecord
from host.protocol.task_result import add_result
from tests.contract.entries import NOW

ROW = TaskEvent(
    agent="walter",
    task_id="t1",
    context_id=None,
    status="completed",
    state="TASK_STATE_COMPLETED",
    progress=None,
    message="Done.",
    at=None,
    received_at=NOW,
)


async def finish_task(*texts: str) -> tuple[Feed, TaskEvent]:
    """Return a feed with an artifact for each text, and the task's last row."""
    feed = Feed(MemoryLog())
    await feed.open()
    writing = asyncio.create_task(feed.write())
    events = [
        ArtifactEvent(
            agent="walter",
            task_id="t1",
            context_id=None,
            artifact_id=f"a{number}",
            name=None,
            parts=[{"text": text}],
            append=False,
            last_chunk=True,
            received_at=NOW,
        )
        for number, text in enumerate(texts)
    ]
    record = TaskRecord("walter", "t1")
    record.add(events)
    row = add_result(ROW, record)
    several: list[Event] = [*events, row]
    await feed.append(
        [Entry.of("walter/t1", n, event) for n, event in enumerate(several, 1)]
    )
    feed.close()
    await writing
    return feed, row


@pytest.mark.parametrize("size", [10, 300_000])
async def test_result_is_the_text_of_all_artifacts(size: int) -> None:
    feed, row = await finish_task("ü" * size, "b" * size)

    assert await read_result(feed, row) == "ü" * size + "\n\n" + "b" * size


async def test_result_without_artifacts_is_the_whole_last_message() -> None:
    feed = Feed(MemoryLog())
    await feed.open()
    writing = asyncio.create_task(feed.write())
    record, text = TaskRecord("walter", "t1"), "m" * 300_000
    told = replace(ROW, status="running", state="TASK_STATE_WORKING", message=text)
    record.add([told])
    row = add_result(replace(ROW, message=None), record)
    entries = [Entry.of("walter/t1", n, one) for n, one in enumerate([told, row], 1)]
    await feed.append(entries)
    feed.close()
    await writing

    assert len(str(row.result)) < len(text)
    assert await read_result(feed, row) == text


async def test_trimmed_artifacts_leave_the_start_of_the_result() -> None:
    feed, row = await finish_task("b" * 300_000)

    other = replace(row, task_id="t2")
    assert await read_result(feed, other) == row.result


async def test_too_long_result_fails_the_step_with_its_size() -> None:
    feed, row = await finish_task("b" * (MAX_RESULT_BYTES + 1))

    with pytest.raises(AttemptFailed, match="walter has 4,194,305 bytes"):
        await read_result(feed, row)

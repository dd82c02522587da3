"""The ticker: one row for each change of status, for any number of readers.

agents/ticker.py.
"""

from __future__ import annotations

import json
from contextlib import aclosing
from typing import Any

from a2a.types.a2a_pb2 import Artifact, Message, Part, Task, TaskState, TaskStatus

from agents import progress
from agents.ticker import KEPT_ROWS, Ticker, as_row

WORKING = TaskState.TASK_STATE_WORKING
COMPLETED = TaskState.TASK_STATE_COMPLETED


def task(
    task_id: str, state: TaskState, at: int, percent: int | None = None, text: str = ""
) -> Task:
    status = TaskStatus(state=state)
    status.timestamp.FromSeconds(at)
    if text:
        status.message.CopyFrom(Message(message_id=f"m{at}", parts=[Part(text=text)]))
    told = None if percent is None else progress.metadata("x", percent, text, "running")
    return Task(id=task_id, status=status, metadata=told)


async def rows(ticker: Ticker, count: int) -> list[Any]:
    """The next `count` rows that a new reader gets; a number for rows it missed."""
    got: list[Any] = []
    async with aclosing(ticker.follow()) as lines:
        async for line in lines:
            got.append(line if isinstance(line, int) else json.loads(line))
            if len(got) == count:
                break
    return got


def test_a_running_task_is_told_in_the_lessons_words() -> None:
    assert as_row(task("a", WORKING, 1, 50, "Querying…")) == {
        "task_id": "a",
        "status": "running",
        "progress": 50,
        "message": "Querying…",
    }


def test_a_completed_task_is_told_with_the_text_of_its_artifacts() -> None:
    done = task("a", COMPLETED, 1, 100, "Done.")
    done.artifacts.extend(Artifact(parts=[Part(text=text)]) for text in ("one", "two"))
    assert as_row(done) == {
        "task_id": "a",
        "status": "completed",
        "progress": 100,
        "result": "one\ntwo",
    }


def test_a_task_that_tells_no_progress_is_told_without_any() -> None:
    assert as_row(task("a", WORKING, 1))["progress"] is None


async def test_a_new_reader_first_gets_where_each_open_task_stands() -> None:
    ticker = Ticker()
    ticker.post(task("a", WORKING, 1, 10))
    ticker.post(task("b", WORKING, 2, 20))
    ticker.post(task("a", WORKING, 3, 30))
    ticker.post(task("b", COMPLETED, 4, 100))
    ticker.post(task("c", WORKING, 5, 50))
    told = [(row["task_id"], row["progress"]) for row in await rows(ticker, 2)]
    assert told == [("a", 30), ("c", 50)]


async def test_a_task_saved_again_in_the_same_status_is_told_once() -> None:
    ticker = Ticker()
    ticker.post(task("a", WORKING, 0, 0))
    async with aclosing(ticker.follow()) as lines:
        await anext(lines)
        for again in (1, 1, 1, 2):
            ticker.post(task("a", WORKING, again, again))
        ticker.close()
        told = [json.loads(str(line))["progress"] async for line in lines]
    assert told == [1, 2]


async def test_a_reader_gets_every_row_in_order_and_ends_when_the_ticker_does() -> None:
    ticker = Ticker()
    ticker.post(task("a", WORKING, 0, 0))
    async with aclosing(ticker.follow()) as lines:
        await anext(lines)
        for percent in (1, 2, 3):
            ticker.post(task("a", WORKING, percent, percent))
        ticker.post(task("a", COMPLETED, 9, 100))
        ticker.close()
        told = [json.loads(str(line))["progress"] async for line in lines]
    assert told == [1, 2, 3, 100]


async def test_a_reader_that_was_too_slow_is_told_how_much_it_missed() -> None:
    ticker = Ticker()
    ticker.post(task("a", WORKING, 0, 0))
    async with aclosing(ticker.follow()) as lines:
        await anext(lines)
        for at in range(1, KEPT_ROWS + 8):
            ticker.post(task("a", WORKING, at, at % 100))
        ticker.close()
        told = [line async for line in lines]
    assert told[0] == 7
    assert len(told) == 1 + KEPT_ROWS

"""Streams of the stubs: subscriptions to one task, and /tasks/stream.

Every test talks HTTP to a real `python -m agents`.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import pytest
from httpx_sse import ServerSentEvent, aconnect_sse

from tests.support.a2a_client import (
    CANCELED,
    COMPLETED,
    INPUT_REQUIRED,
    RESUMABLE,
    SUBMITTED,
    WORKING,
    Agent,
    agent_at,
    frames_of,
    states,
)
from tests.support.stack import Stack
from tests.support.waiting import wait_until

VENUE = "Riverside Courts, court 3, is free tomorrow at 18:30."


@pytest.fixture(scope="module")
def stubs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run all stubs. A task takes less than a second."""
    with Stack(tmp_path_factory.mktemp("stubs"), with_host=False) as stack:
        yield stack


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run Carly, so slow that her tasks stay at their first step."""
    folder = tmp_path_factory.mktemp("slow")
    with Stack(folder, ["carly"], with_host=False, step_s=60) as stack:
        yield stack


@pytest.fixture
async def slow_carly(slow: Stack) -> AsyncIterator[Agent]:
    async with agent_at(slow.agent_url("carly")) as carly:
        yield carly


@pytest.fixture
async def nancy(stubs: Stack) -> AsyncIterator[Agent]:
    async with agent_at(stubs.agent_url("nancy")) as agent:
        yield agent


async def test_subscriber_gets_the_task_and_then_its_updates(
    slow_carly: Agent,
) -> None:
    task_id = await slow_carly.start("Find a slot")
    streamed: list[list[dict[str, Any]]] = []

    async def subscribe(method: str) -> None:
        path = f"/tasks/{task_id}:subscribe"
        events = []
        async with slow_carly.http.stream(method, path) as answer:
            async for line in answer.aiter_lines():
                if line.startswith("data: "):
                    events.append(json.loads(line.removeprefix("data: ")))
                    first_seen.set()
        streamed.append(events)

    for method in ("GET", "POST"):
        first_seen = anyio.Event()
        if method == "POST":
            task_id = await slow_carly.start("Find a slot")
        with anyio.fail_after(30):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(subscribe, method)
                await first_seen.wait()
                await slow_carly.cancel(task_id)
    for events in streamed:
        assert list(events[0]) == ["task"]
        assert states(events)[0] in (SUBMITTED, WORKING)
        assert states(events)[-1] == CANCELED


async def test_subscriber_of_a_waiting_task_sees_the_work_after_a_reply(
    nancy: Agent,
) -> None:
    task = (await nancy.send("Invite everyone")).json()["task"]
    streamed: list[dict[str, Any]] = []
    subscribed = anyio.Event()

    async def subscribe() -> None:
        path = f"/tasks/{task['id']}:subscribe"
        async with nancy.http.stream("GET", path) as answer:
            async for line in answer.aiter_lines():
                if line.startswith("data: "):
                    streamed.append(json.loads(line.removeprefix("data: ")))
                    subscribed.set()

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(subscribe)
            await subscribed.wait()
            await nancy.send("Send", taskId=task["id"])
    assert states(streamed) == [INPUT_REQUIRED, WORKING, COMPLETED]


async def test_tasks_stream_has_the_format_of_the_lesson(stubs: Stack) -> None:
    seen: list[ServerSentEvent] = []
    async with (
        agent_at(stubs.agent_url("logan")) as logan,
        aconnect_sse(logan.http, "GET", "/tasks/stream") as source,
    ):
        task_id = await logan.start("Find a court")
        async for event in source.aiter_sse():
            if not event.data:  # only `retry:`
                continue
            seen.append(event)
            if event.json()["status"] == "completed":
                break
    rows = [event.json() for event in seen]
    assert {event.event for event in seen} == {"message"}
    assert len({event.id for event in seen}) == len(seen)
    assert {row["task_id"] for row in rows} == {task_id}
    steps = [(row["status"], row["progress"]) for row in rows]
    assert ("running", 90) in steps
    assert steps[-1] == ("completed", 100)
    assert rows[-1]["result"] == VENUE
    assert list(rows[-1]) == ["task_id", "status", "progress", "result"]
    assert all(
        list(row) == ["task_id", "status", "progress", "message"] for row in rows[:-1]
    )


async def test_tasks_stream_begins_with_the_row_of_each_open_task(
    slow_carly: Agent,
) -> None:
    ids = [await slow_carly.start("Find a slot") for _ in range(3)]

    async def all_working() -> bool:
        working = {task["id"] for task in await slow_carly.tasks(status=WORKING)}
        return working >= set(ids)

    await wait_until(all_working, "three tasks at work", 30)
    seen: list[str] = []
    async with slow_carly.http.stream("GET", "/tasks/stream") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                seen.append(line)
            if len(seen) == 3:
                break
    rows = [json.loads(line.removeprefix("data: ")) for line in seen]
    assert rows == [
        {
            "task_id": task_id,
            "status": "running",
            "progress": 0,
            "message": "Starting calendar search...",
        }
        for task_id in ids
    ]
    for task_id in ids:
        await slow_carly.cancel(task_id)


async def test_resumed_stream_responds_before_the_next_update(
    slow_carly: Agent,
) -> None:
    """Otherwise the stream of a quiet task would time out at the client."""
    task_id = await slow_carly.start("Find a slot")

    async def is_working() -> bool:
        state: str = (await slow_carly.get(task_id))["status"]["state"]
        return state == WORKING

    await wait_until(is_working, "the task to work", 30)
    task = await slow_carly.get(task_id)
    last = int(task["metadata"][RESUMABLE]["sequence"])
    path, headers = f"/tasks/{task_id}:subscribe", {"Last-Event-ID": str(last)}
    async with slow_carly.http.stream("POST", path, headers=headers) as answer:
        # The next update is half a minute away.
        assert answer.status_code == 200
        await slow_carly.cancel(task_id)
        frames = frames_of((await answer.aread()).decode())
    assert [int(frame.id) for frame in frames] == [last + 1]

"""A task without news is stalled, and its next update ends that.

A real host follows agents on plain sockets, which are silent as long as a test wants.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import httpx

from tests.support.gateway import Subscriber, is_over, update_in
from tests.support.harness import free_port
from tests.support.host_client import HostClient, host_at, watch_feed
from tests.support.one_task_agent import OneTaskAgent
from tests.support.raw_agent import Exchange, Json, serve
from tests.support.stack import Stack
from tests.support.waiting import wait_until


class SilentAgent(OneTaskAgent):
    """Sends an update of its task only when the test calls `push`."""

    def __init__(self) -> None:
        super().__init__()
        self.streams = 0
        self._readers: list[Exchange] = []

    async def stream(self, exchange: Exchange) -> None:
        self.streams += 1
        self._readers.append(exchange)
        try:
            await exchange.until_gone()
        finally:
            self._readers.remove(exchange)

    async def push(self, text: str, *, over: bool = False) -> None:
        self.over = over
        update = self.update(text)
        for reader in list(self._readers):
            await reader.send(reader.event(update))


@asynccontextmanager
async def serve_agents(**agents: SilentAgent) -> AsyncIterator[str]:
    """Serve each agent under its name as path, and yield the URL before the names."""
    port = free_port()

    async def handle(exchange: Exchange) -> None:
        await agents[exchange.name].handle(exchange)

    async with anyio.create_task_group() as group:
        group.start_soon(serve, port, handle)
        yield f"http://127.0.0.1:{port}"
        group.cancel_scope.cancel()


def describe(event: Json) -> str:
    if event["kind"] == "notice":
        return str(event["notice"])
    return f"{event.get('message')}{' stalled' * bool(event.get('stalled_since'))}"


async def read_metric(url: str, agent: str) -> float:
    async with httpx.AsyncClient() as http:
        text = (await http.get(f"{url}/metrics")).text
    start = f'courtside_stalled_tasks{{agent="{agent}"}} '
    (line,) = [line for line in text.splitlines() if line.startswith(start)]
    return float(line.removeprefix(start))


async def test_silent_task_is_stalled_until_its_next_update(tmp_path: Path) -> None:
    silent, patient = SilentAgent(), SilentAgent()
    async with serve_agents(silent=silent, patient=patient) as base:
        toml = f"""
            [agents.silent]
            url = "{base}/silent"
            stalled_after_s = 1
            [agents.patient]
            url = "{base}/patient"
            stalled_after_s = 0
        """
        stack = Stack(tmp_path, (), toml=toml)
        await asyncio.to_thread(stack.__enter__)
        try:
            async with host_at(stack.url) as host:
                await _stall_and_resume(stack, host, silent, patient)
        finally:
            assert await asyncio.to_thread(stack.stop) == []


async def _stall_and_resume(
    stack: Stack, host: HostClient, silent: SilentAgent, patient: SilentAgent
) -> None:
    stalled = ["update 1", "stalled", "update 1 stalled"]
    whole = Subscriber(stack.url, "silent", "t1", "HTTP+JSON")
    whole.last = "0"
    async with watch_feed(f"{stack.url}/feed?after=0&task=t1&agent=silent") as feed:
        await feed.until(lambda: len(feed.events) == 3, "the stalled task")
        assert [describe(event) for event in feed.events] == stalled
        first, notice, row = feed.events
        assert row["stalled_since"] == first["received_at"]
        assert await host.history(kind="notice") == [notice]
        assert await read_metric(stack.url, "silent") == 1
        async with watch_feed(f"{stack.url}/feed?agent=silent") as later:
            await later.until(lambda: bool(later.seen), "the snapshot")
        tasks = later.seen[0].data["tasks"]
        assert [{"id": row["id"], **task} for task in tasks if _is_silent(task)] == [
            row
        ]

        # The host does not write the notice again after a restart.
        before = silent.streams
        await asyncio.to_thread(stack.host.kill)
        await asyncio.to_thread(stack.host.restart)
        await wait_until(lambda: silent.streams > before, "the stream", 30)
        async with anyio.create_task_group() as group:
            group.start_soon(_read_to_end, whole)
            await silent.push("update 2")
            await feed.until(lambda: _has(feed.events, "update 2"), "the next update")
            assert await read_metric(stack.url, "silent") == 0
            await silent.push("done", over=True)

    events = [event for event in feed.events if event["kind"] != "gap"]
    lines = [describe(event) for event in events]
    assert lines[:5] == [*stalled, "resumed", "update 2"]
    assert lines[-1] == "done" and "stalled_since" not in events[-1]
    assert whole.numbers == [*range(1, len(whole.numbers) + 1)]
    texts = [
        update_in(f)["status"]["message"]["parts"][0]["text"] for f in whole.frames
    ]
    assert list(dict.fromkeys(texts)) == ["update 1", "update 2", "done"]
    assert len(whole.frames) == len([e for e in feed.events if _is_update(e)])

    assert [e["kind"] for e in await host.history(agent="patient", task="t1")] == [
        "task"
    ]


def _has(events: list[Json], line: str) -> bool:
    return line in [describe(event) for event in events]


def _is_silent(task: Json) -> bool:
    return bool(task["agent"] == "silent")


def _is_update(event: Json) -> bool:
    return event["kind"] != "notice" and "stalled_since" not in event


async def _read_to_end(reader: Subscriber) -> None:
    while not is_over(reader):
        with anyio.move_on_after(60):
            await reader.read()

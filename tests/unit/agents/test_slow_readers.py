"""Tests readers that stop reading for a while.

They get all stored updates, and an error for evicted ones. The SDK would end their
streams silently. Covers agents/resumable_stream.py.
"""

from __future__ import annotations

import json
from typing import Any

import anyio

from agents.limits import Limits
from agents.steps import AgentSpec
from tests.support.a2a_client import (
    COMPLETED,
    Frame,
    Json,
    frames_of,
    request,
    sequence_of,
    states,
)
from tests.support.in_process_agent import InProcessAgent, run_agent
from tests.support.scenario_agent import create_ticking_agent


class PausingClient:
    """An ASGI client that reads one chunk and then pauses until `resume` is set."""

    def __init__(self) -> None:
        self.body = b""
        self.paused = anyio.Event()
        self.resume = anyio.Event()

    async def read(self, agent: InProcessAgent, body: Json) -> list[Frame]:
        content = json.dumps(body).encode()
        is_sent = False

        async def receive() -> dict[str, Any]:
            nonlocal is_sent
            if is_sent:
                await anyio.sleep_forever()
            is_sent = True
            return {"type": "http.request", "body": content, "more_body": False}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.body":
                self.body += message["body"]
                self.paused.set()
                await self.resume.wait()

        headers = {"content-type": "application/json", "a2a-version": "1.0"}
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/message:stream",
            "raw_path": b"/message:stream",
            "query_string": b"",
            "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
        }
        await agent.app(scope, receive, send)
        return frames_of(self.body.decode())


async def read_late(spec: AgentSpec, limits: Limits) -> list[Frame]:
    """Return the frames of a reader that pauses until the task is completed."""
    client, frames = PausingClient(), list[Frame]()
    async with run_agent(spec, limits=limits) as agent:

        async def read() -> None:
            frames.extend(await client.read(agent, request(contextId="c")))

        with anyio.fail_after(60):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(read)
                await client.paused.wait()
                while not await agent.tasks(contextId="c", status=COMPLETED):
                    await anyio.sleep(0.01)
                client.resume.set()
    return frames


async def test_reader_over_1024_updates_behind_gets_all_updates() -> None:
    frames = await read_late(create_ticking_agent(1500), Limits())
    assert sequence_of(frames) == [*range(1, 1504)]
    assert states([frame.data for frame in frames])[-1] == COMPLETED


async def test_reader_gets_an_error_when_its_next_updates_are_evicted() -> None:
    frames = await read_late(create_ticking_agent(1500), Limits(replay_updates=100))
    assert frames[-1].event == "error"
    assert frames[-1].data["error"]["details"][0]["reason"] == "UPDATES_GONE"
    assert len(frames) < 1500

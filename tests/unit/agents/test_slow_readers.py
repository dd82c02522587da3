"""Readers that stop reading: they lose nothing that is kept, and are told of the rest.

agents/replay.py; the SDK would end their streams without a word.
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
from tests.support.in_process_agent import OnStage, on_stage
from tests.support.tessa import ticking


class Slow:
    """A client of a raw ASGI app that reads one chunk and then stops for a while."""

    def __init__(self) -> None:
        self.body = b""
        self.stuck = anyio.Event()
        self.go_on = anyio.Event()

    async def read(self, agent: OnStage, body: Json) -> list[Frame]:
        content = json.dumps(body).encode()
        given = False

        async def receive() -> dict[str, Any]:
            nonlocal given
            if given:
                await anyio.sleep_forever()
            given = True
            return {"type": "http.request", "body": content, "more_body": False}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.body":
                self.body += message["body"]
                self.stuck.set()
                await self.go_on.wait()

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


async def read_late(character: AgentSpec, limits: Limits) -> list[Frame]:
    """What a reader gets that stops after the first update until the task is over."""
    slow, frames = Slow(), list[Frame]()
    async with on_stage(character, limits=limits) as agent:

        async def read() -> None:
            frames.extend(await slow.read(agent, request(contextId="c")))

        with anyio.fail_after(60):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(read)
                await slow.stuck.wait()
                while not await agent.tasks(contextId="c", status=COMPLETED):
                    await anyio.sleep(0.01)
                slow.go_on.set()
    return frames


async def test_a_reader_far_more_than_1024_updates_behind_still_gets_them_all() -> None:
    frames = await read_late(ticking(1500), Limits())
    assert sequence_of(frames) == [*range(1, 1504)]
    assert states([frame.data for frame in frames])[-1] == COMPLETED


async def test_a_reader_too_slow_for_what_is_kept_is_told_so() -> None:
    frames = await read_late(ticking(1500), Limits(replay_updates=100))
    assert frames[-1].event == "error"
    assert frames[-1].data["error"]["details"][0]["reason"] == "UPDATES_GONE"
    assert len(frames) < 1500

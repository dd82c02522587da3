"""Agents with many open tasks, each of which is large for the host's memory."""

from __future__ import annotations

import json

import anyio

from tests.support.a2a_updates import progress
from tests.support.one_task_agent import PING_S, OneTaskAgent
from tests.support.raw_agent import Exchange, Json, card, status

MB = 1_000_000
TASKS = 20


class LargeTasks(OneTaskAgent):
    """Has `TASKS` open tasks. The subclasses make them large."""

    is_streaming = True

    async def card(self, exchange: Exchange) -> None:
        body = card(exchange.name, exchange.url, streaming=self.is_streaming)
        await exchange.answer(json.dumps(body).encode())

    async def call(self, exchange: Exchange) -> None:
        if exchange.method != "ListTasks":
            return await super().call(exchange)
        tasks = [{**self.task(), "id": f"t{n}"} for n in range(TASKS)]
        await exchange.result({"tasks": tasks, "nextPageToken": ""})


class HalfEvents(LargeTasks):
    """All streams send half of an event, and the rest only when they are all open."""

    def __init__(self) -> None:
        super().__init__()
        self.all_open = anyio.Event()
        self._open = 0

    async def stream(self, exchange: Exchange) -> None:
        self._open += 1
        if self._open == TASKS:
            self.all_open.set()
        await exchange.send(b"data: no JSON" + b"x" * MB)
        await self.all_open.wait()
        await exchange.send(b"x" * MB + b"\n\n")
        await exchange.until_gone(PING_S)


class LongMessages(LargeTasks):
    """Each task has a long message, then progress whose row repeats it, and a chunk."""

    async def stream(self, exchange: Exchange) -> None:
        ids = {"taskId": exchange.params["id"], "contextId": "c1"}
        artifact = {"artifactId": "a1", "parts": [{"text": "done"}]}
        working = {"state": "TASK_STATE_WORKING"}
        for update in (
            {"statusUpdate": ids | {"status": status("ä" + "x" * 3 * MB, 2)}},
            {"statusUpdate": ids | {"status": working, "metadata": progress(50)}},
            {"artifactUpdate": ids | {"artifact": artifact}},
        ):
            await exchange.send(exchange.event(json.dumps(update).encode()))
        await exchange.until_gone(PING_S)


class LargeBodies(LargeTasks):
    """The response of each GetTask is nearly as large as it may be."""

    is_streaming = False

    def __init__(self) -> None:
        super().__init__()
        self.read: set[str] = set()

    async def call(self, exchange: Exchange) -> None:
        if exchange.method != "GetTask":
            return await super().call(exchange)
        artifact = {"artifactId": "a", "parts": [{"text": "x" * 8 * MB}]}
        task: Json = self.task() | {"id": exchange.params["id"]}
        await exchange.result(task | {"artifacts": [artifact]})
        self.read.add(exchange.params["id"])

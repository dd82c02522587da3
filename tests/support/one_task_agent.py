"""A good agent on plain sockets. The bad agents of the tests override a part of it."""

from __future__ import annotations

import json

from tests.support.raw_agent import Exchange, Json, card, status

PING_S = 10.0


class OneTaskAgent:
    """A good agent with one open task. The bad agents override one part of it."""

    def __init__(self) -> None:
        self.number = 1  # The number of the task's last update.
        self.over = False
        self.status = status("update 1", 1)

    async def handle(self, exchange: Exchange) -> None:
        if not exchange.method:
            await self.card(exchange)
        elif exchange.method == "SubscribeToTask":
            await self.subscribe(exchange)
        else:
            await self.call(exchange)

    async def card(self, exchange: Exchange) -> None:
        await exchange.answer(json.dumps(card(exchange.name, exchange.url)).encode())

    async def call(self, exchange: Exchange) -> None:
        if exchange.method == "ListTasks":
            await exchange.result({"tasks": [self.task()], "nextPageToken": ""})
        elif exchange.method == "GetTask":
            await exchange.result(self.task() | {"id": exchange.params.get("id", "t1")})
        else:
            await exchange.refuse(-32601, "no such method")

    async def subscribe(self, exchange: Exchange) -> None:
        """Send the task, then the updates of `stream`."""
        task = self.task() | {"id": exchange.params.get("id", "t1")}
        await exchange.head()
        await exchange.send(exchange.event(json.dumps({"task": task}).encode()))
        await self.stream(exchange)

    async def stream(self, exchange: Exchange) -> None:
        await exchange.until_gone(PING_S)

    def task(self) -> Json:
        return {"id": "t1", "contextId": "c1", "status": self.status}

    def update(self, text: str) -> bytes:
        """Return the next status update as JSON. `over` makes it the last one."""
        self.number += 1
        state = "TASK_STATE_COMPLETED" if self.over else "TASK_STATE_WORKING"
        self.status = status(text, self.number, state)
        update = {"taskId": "t1", "contextId": "c1", "status": self.status}
        return json.dumps({"statusUpdate": update}).encode()

"""Owns the agent of the transports benchmark: it tells the same updates four ways.

`python -m bench.four_ways PORT UPDATES SECONDS`; bench/transports.py reads them.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import httpx
import uvicorn
from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from bench.wire_bytes import WireBytes

PROGRESS = "https://a2a-protocol.org/extensions/task-progress/v1"


class Task:
    """One task: `updates` of them, `every_s` apart, give or take half of that."""

    def __init__(self, task_id: str, updates: int, every_s: float) -> None:
        self.id = task_id
        self.now = 0
        self.sent: list[int] = []
        self._updates = updates
        self._every_s = every_s
        # The same task has the same pauses, whichever way it is told.
        self._random = random.Random(task_id)

    @property
    def over(self) -> bool:
        return self.now == self._updates

    async def told(self) -> AsyncIterator[str]:
        while not self.over:
            await anyio.sleep(self._random.uniform(0.5, 1.5) * self._every_s)
            self.now += 1
            self.sent.append(time.monotonic_ns())
            yield json.dumps({"statusUpdate": self.as_update()})

    def as_update(self) -> dict[str, object]:
        """As A2A has it. GetTask says the same, but for the name of the id."""
        state = "TASK_STATE_COMPLETED" if self.over else "TASK_STATE_WORKING"
        message = {
            "messageId": f"{self.id}-{self.now}",
            "role": "ROLE_AGENT",
            "parts": [{"text": f"Comparing calendar {self.now}…"}],
        }
        return {
            "taskId": self.id,
            "contextId": f"context-{self.id}",
            "status": {"state": state, "message": message},
            "metadata": {PROGRESS: {"progress": 100 * self.now // self._updates}},
        }


class FourWays:
    """Serves them; each task begins with the first request for it."""

    def __init__(self, updates: int, every_s: float) -> None:
        self._updates = updates
        self._every_s = every_s
        self._tasks: dict[str, Task] = {}
        self._wire = WireBytes()

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/cost", self._cost),
                Route("/sent/{task}", self._sent),
                Route("/sse/{task}", self._sse, methods=["POST"]),
                WebSocketRoute("/ws/{task}", self._websocket),
                Route("/task/{task}", self._start, methods=["POST"]),
                Route("/task/{task}", self._get),
                Route("/push/{task}", self._push, methods=["POST"]),
            ],
            lifespan=self._lifespan,
        )

    @asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(limits=limits, trust_env=False) as http:
            self._http = http
            yield

    async def _sse(self, request: Request) -> EventSourceResponse:
        return EventSourceResponse(self._begin(request).told())

    async def _websocket(self, socket: WebSocket) -> None:
        await socket.accept()
        async for update in self._begin(socket).told():
            await socket.send_text(update)
        await socket.close()

    async def _start(self, request: Request) -> JSONResponse:
        task = self._begin(request)

        async def work() -> None:
            async for _ in task.told():
                pass

        return JSONResponse(task.as_update(), background=BackgroundTask(work))

    async def _get(self, request: Request) -> JSONResponse:
        return JSONResponse(self._tasks[request.path_params["task"]].as_update())

    async def _push(self, request: Request) -> JSONResponse:
        task = self._begin(request)
        url = (await request.json())["url"]

        async def work() -> None:
            headers = {"Content-Type": "application/json"}
            async for update in task.told():
                answer = await self._http.post(url, content=update, headers=headers)
                answer.raise_for_status()
                self._wire.count(answer)

        return JSONResponse(task.as_update(), background=BackgroundTask(work))

    async def _sent(self, request: Request) -> JSONResponse:
        """When each update of a task was told, by time.monotonic_ns."""
        return JSONResponse(self._tasks[request.path_params["task"]].sent)

    async def _cost(self, request: Request) -> JSONResponse:
        """Of this process and what it sent by itself, since it began."""
        return JSONResponse(
            {"cpu_s": time.process_time(), "wire_bytes": self._wire.total}
        )

    def _begin(self, asked: HTTPConnection) -> Task:
        task = Task(asked.path_params["task"], self._updates, self._every_s)
        self._tasks[task.id] = task
        return task


if __name__ == "__main__":
    port, updates, every_s = sys.argv[1:]
    uvicorn.run(
        FourWays(int(updates), float(every_s)).app(),
        port=int(port),
        access_log=False,
        log_level="error",
        ws="websockets-sansio",
        # Nothing is compressed: it takes CPU, and short updates gain little.
        ws_per_message_deflate=False,
    )

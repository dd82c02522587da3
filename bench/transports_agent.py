"""The agent of the transports benchmark: it sends the same updates in four ways.

bench/transports.py runs it as `python -m bench.transports_agent PORT UPDATES SECONDS`.
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
    """A task with `updates` updates, every `every_s` seconds ± 50 %."""

    def __init__(self, task_id: str, updates: int, every_s: float) -> None:
        self.id = task_id
        self.now = 0
        self.sent: list[int] = []
        self._updates = updates
        self._every_s = every_s
        # The same task has the same pauses in all four ways.
        self._random = random.Random(task_id)

    @property
    def over(self) -> bool:
        return self.now == self._updates

    async def send_updates(self) -> AsyncIterator[str]:
        while not self.over:
            await anyio.sleep(self._random.uniform(0.5, 1.5) * self._every_s)
            self.now += 1
            self.sent.append(time.monotonic_ns())
            yield json.dumps({"statusUpdate": self.as_update()})

    def as_update(self) -> dict[str, object]:
        """Return the current update. GetTask returns it too, with another id field."""
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


class TransportsAgent:
    """Serves the tasks. The first request for a task starts it."""

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
        return EventSourceResponse(self._begin(request).send_updates())

    async def _websocket(self, socket: WebSocket) -> None:
        await socket.accept()
        async for update in self._begin(socket).send_updates():
            await socket.send_text(update)
        await socket.close()

    async def _start(self, request: Request) -> JSONResponse:
        task = self._begin(request)

        async def work() -> None:
            async for _ in task.send_updates():
                pass

        return JSONResponse(task.as_update(), background=BackgroundTask(work))

    async def _get(self, request: Request) -> JSONResponse:
        return JSONResponse(self._tasks[request.path_params["task"]].as_update())

    async def _push(self, request: Request) -> JSONResponse:
        task = self._begin(request)
        url = (await request.json())["url"]

        async def work() -> None:
            headers = {"Content-Type": "application/json"}
            async for update in task.send_updates():
                response = await self._http.post(url, content=update, headers=headers)
                response.raise_for_status()
                self._wire.count(response)

        return JSONResponse(task.as_update(), background=BackgroundTask(work))

    async def _sent(self, request: Request) -> JSONResponse:
        """Return the send times of a task's updates, in ns of time.monotonic_ns."""
        return JSONResponse(self._tasks[request.path_params["task"]].sent)

    async def _cost(self, request: Request) -> JSONResponse:
        """Return the CPU time of this process, and the bytes of its own requests."""
        return JSONResponse(
            {"cpu_s": time.process_time(), "wire_bytes": self._wire.total}
        )

    def _begin(self, connection: HTTPConnection) -> Task:
        task = Task(connection.path_params["task"], self._updates, self._every_s)
        self._tasks[task.id] = task
        return task


if __name__ == "__main__":
    port, updates, every_s = sys.argv[1:]
    uvicorn.run(
        TransportsAgent(int(updates), float(every_s)).app(),
        port=int(port),
        access_log=False,
        log_level="error",
        ws="websockets-sansio",
        # No compression: it needs CPU, and short updates gain little.
        ws_per_message_deflate=False,
    )

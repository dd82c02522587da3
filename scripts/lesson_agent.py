"""Talks to the learner's agent as its page does: A2A requests and /tasks/stream."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import anyio
import httpx
from httpx_sse import EventSource

TASK_S = 30.0
HEADERS = {"A2A-Version": "1.0"}
ENDS = ("completed", "cancelled", "error")


class Missing(Exception):
    """A criterion is not met. The message says what to do next."""


class Event(NamedTuple):
    """One event of /tasks/stream."""

    id: str
    row: dict[str, Any]


class LearnerAgent:
    """All methods raise Missing, or httpx.TransportError."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def follow_task(self, text: str, *, cancel: bool = False) -> list[Event]:
        """Start a task, and return its events until it ends.

        With `cancel`, cancel it at the first progress above 0.
        """
        events: list[Event] = []
        with anyio.move_on_after(TASK_S):
            async with self.open_stream() as stream:
                task_id = await self.start_task(text)
                is_cancelled = False
                async for event in stream:
                    if event.row.get("task_id") != task_id:
                        continue
                    events.append(event)
                    if event.row.get("status") in ENDS:
                        return events
                    if cancel and not is_cancelled and event.row.get("progress"):
                        is_cancelled = True
                        await self._post(f"/tasks/{task_id}:cancel", {}, "step 4")
        seen = ", ".join(str(event.row.get("status")) for event in events) or "no rows"
        raise Missing(
            f'The task "{text}" did not end within {TASK_S:.0f} s. GET /tasks/stream '
            f"had: {seen}. Compare your agent with steps 1 and 2."
        )

    @asynccontextmanager
    async def open_stream(
        self, last_id: str = ""
    ) -> AsyncIterator[AsyncIterator[Event]]:
        headers = {"Last-Event-ID": last_id} if last_id else {}
        stream = self._client.stream("GET", "/tasks/stream", headers=headers)
        async with stream as response:
            kind = response.headers.get("content-type", "")
            if response.status_code != 200 or "text/event-stream" not in kind:
                raise Missing(
                    f"GET /tasks/stream answers {response.status_code} with "
                    f"{kind or 'no content type'}, not with text/event-stream. "
                    "Write the SSE endpoint: step 2."
                )
            yield _read_events(EventSource(response))

    async def start_task(self, text: str) -> str:
        message = {
            "messageId": uuid.uuid4().hex,
            "role": "ROLE_USER",
            "parts": [{"text": text}],
        }
        configuration = {"returnImmediately": True}
        body = {"message": message, "configuration": configuration}
        answer = await self._post("/message:send", body, "step 1")
        if "task" not in answer:
            raise Missing("The agent answers with a message, not with a task: step 1.")
        return str(answer["task"]["id"])

    async def get_page(self) -> str:
        return (await self._client.get("/")).text

    async def _post(self, path: str, body: dict[str, Any], step: str) -> dict[str, Any]:
        response = await self._client.post(path, json=body, headers=HEADERS)
        if response.status_code != 200:
            raise Missing(
                f"POST {path} answers {response.status_code}: look at the agent's "
                f"output, and at {step}."
            )
        answer: dict[str, Any] = response.json()
        return answer


async def _read_events(source: EventSource) -> AsyncIterator[Event]:
    async for event in source.aiter_sse():
        try:
            row = json.loads(event.data)
        except ValueError:
            row = None
        if not isinstance(row, dict):
            raise Missing(
                f"The data of an event is not a JSON object: {event.data[:60]!r}. "
                "Compare `read` with step 2."
            )
        yield Event(event.id, row)

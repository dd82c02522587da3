"""An A2A 1.0 client for tests. It sends and returns plain dicts.

The agent is a process (harness.py) or an app in the test's process
(in_process_agent.py).
"""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import httpx

from tests.support.harness import NO_TLS
from tests.support.http_requests import start_request

Json = dict[str, Any]

RESUMABLE = "https://courtside.dev/extensions/resumable-stream/v1"

SUBMITTED, WORKING = "TASK_STATE_SUBMITTED", "TASK_STATE_WORKING"
INPUT_REQUIRED = "TASK_STATE_INPUT_REQUIRED"
AUTH_REQUIRED = "TASK_STATE_AUTH_REQUIRED"
COMPLETED, FAILED = "TASK_STATE_COMPLETED", "TASK_STATE_FAILED"
CANCELED, REJECTED = "TASK_STATE_CANCELED", "TASK_STATE_REJECTED"
TERMINAL = {COMPLETED, FAILED, CANCELED, REJECTED}


class Frame(NamedTuple):
    """One server-sent event. `id` and `event` are "" if it has none."""

    id: str
    event: str
    data: Json


class Agent:
    """A client of one agent. It uses HTTP+JSON, except in the `rpc` methods."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def start(self, text: str = "", **message: Any) -> str:
        """Start a task without waiting for its end. Return its id."""
        answer = await self.send(text, wait=False, **message)
        assert answer.status_code == 200, answer.text
        task_id: str = answer.json()["task"]["id"]
        return task_id

    async def send(
        self, text: str = "", *, wait: bool = True, **message: Any
    ) -> httpx.Response:
        body = request(text, **message)
        body["configuration"] = {"returnImmediately": not wait}
        return await self.http.post("/message:send", json=body)

    async def stream(self, text: str = "", **message: Any) -> list[Json]:
        """Send a message and return all events of its stream."""
        return await self._read("/message:stream", json=request(text, **message))

    async def subscribe(self, task_id: str) -> list[Json]:
        """Subscribe to a task and return all events until its end."""
        return await self._read(f"/tasks/{task_id}:subscribe")

    async def resume(self, task_id: str, last: str | int) -> list[Frame]:
        """Return all events after the event with the id `last`, to the task's end."""
        path, headers = f"/tasks/{task_id}:subscribe", {"Last-Event-ID": str(last)}
        return await self.frames(path, headers=headers)

    async def cancel(self, task_id: str) -> httpx.Response:
        return await self.http.post(f"/tasks/{task_id}:cancel")

    async def get(self, task_id: str) -> Json:
        answer = await self.http.get(f"/tasks/{task_id}")
        assert answer.status_code == 200, answer.text
        task: Json = answer.json()
        return task

    async def tasks(self, **query: Any) -> list[Json]:
        answer = await self.http.get("/tasks", params=query)
        assert answer.status_code == 200, answer.text
        tasks: list[Json] = answer.json()["tasks"]
        return tasks

    async def rpc(self, method: str, params: Json) -> Json:
        """Return the response to one JSON-RPC call, with `result` or `error`."""
        call = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        answer: Json = (await self.http.post("/", json=call)).json()
        return answer

    async def rpc_stream(self, method: str, params: Json) -> list[Json]:
        """Return the results of a JSON-RPC stream until its end."""
        call = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return [event["result"] for event in await self._read("/", json=call)]

    async def frames(self, path: str, **request: Any) -> list[Frame]:
        """Send a POST request and return all server-sent events of the response."""
        async with self.http.stream("POST", path, **request) as answer:
            text = (await answer.aread()).decode()
            assert answer.status_code == 200, text
            assert answer.headers["content-type"].startswith("text/event-stream"), text
        return frames_of(text)

    async def _read(self, path: str, **request: Any) -> list[Json]:
        return [frame.data for frame in await self.frames(path, **request)]


def sequence_of(frames: list[Frame]) -> list[int]:
    """Return the ids of a task's events. The metadata must have the same numbers."""
    for frame in frames:
        (update,) = frame.data.get("result", frame.data).values()
        assert update["metadata"][RESUMABLE] == {"sequence": int(frame.id)}
    return [int(frame.id) for frame in frames]


def frames_of(text: str) -> list[Frame]:
    """Return the server-sent events in `text`, without comments."""
    blocks = text.replace("\r\n", "\n").split("\n\n")
    return [_frame_of(block) for block in blocks if "data:" in block]


def _frame_of(block: str) -> Frame:
    fields = dict(line.split(": ", 1) for line in block.splitlines())
    data: Json = json.loads(fields["data"])
    return Frame(fields.get("id", ""), fields.get("event", ""), data)


@asynccontextmanager
async def agent_at(
    url: str, transport: httpx.AsyncBaseTransport | None = None
) -> AsyncIterator[Agent]:
    """Create a client for the agent at `url`. It sends the headers that A2A wants."""
    async with httpx.AsyncClient(
        base_url=url,
        headers={"A2A-Version": "1.0"},
        transport=transport,
        trust_env=False,
        timeout=20.0,
        verify=NO_TLS,
    ) as http:
        yield Agent(http)


async def start_over_jsonrpc(
    url: str, text: str = "please", http: httpx.AsyncClient | None = None
) -> str:
    """Start a task directly at the agent at `url`, not through the host.

    Returns the id of the task. `http` is a client to reuse.
    """
    if http is None:
        async with agent_at(url) as agent:
            return await start_over_jsonrpc(url, text, agent.http)
    call = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "SendMessage",
        "params": start_request(text),
    }
    answer = await http.post(f"{url}/", json=call, headers={"A2A-Version": "1.0"})
    task_id: str = answer.json()["result"]["task"]["id"]
    return task_id


def request(text: str = "", skill: str | None = None, **message: Any) -> Json:
    """Build a SendMessageRequest of a user. `message` adds fields such as taskId."""
    if skill is not None:
        message["metadata"] = {"skillId": skill}
    parts = [{"text": text or "please"}]
    ids = {"messageId": str(uuid.uuid4()), "role": "ROLE_USER"}
    return {"message": {**ids, "parts": parts, **message}}


def states(events: list[Json]) -> list[str]:
    """Return the state in each task and status update, in order."""
    updates = (event.get("task") or event.get("statusUpdate") for event in events)
    return [update["status"]["state"] for update in updates if update]


def texts(events: list[Json]) -> list[str]:
    """Return the text of each status update, in order."""
    updates = (event["statusUpdate"] for event in events if "statusUpdate" in event)
    return [text_of(update["status"]) for update in updates]


def text_of(status: Json) -> str:
    """Return the text of a status's message, or "" if it has none."""
    parts = status.get("message", {}).get("parts", [])
    return "\n".join(part["text"] for part in parts if "text" in part)

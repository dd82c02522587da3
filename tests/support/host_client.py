"""A client of the host for tests: commands, history and the live feed."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx
from httpx_sse import SSEError, aconnect_sse

from tests.support.a2a_client import agent_at
from tests.support.http_requests import Received, read_events, start_request
from tests.support.waiting import wait_until

Json = dict[str, Any]
TERMINAL_STATUSES = ("completed", "error", "cancelled", "rejected")
QUIET_POLLS = 5
RETRY_S = 0.05


class HostClient:
    """Requests to one host. Use `http` for requests without a method here."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def start(self, agent: str, text: str = "please", **ids: str) -> str:
        """Start a task through the host, or reply to one. Return its id."""
        answer = await self.send(agent, text, **ids)
        assert answer.status_code == 200, answer.text
        task_id: str = answer.json()["task"]["id"]
        return task_id

    async def send(self, agent: str, text: str, **ids: str) -> httpx.Response:
        body = start_request(text, **ids)
        return await self.http.post(f"/a2a/{agent}/message:send", json=body)

    async def cancel(self, agent: str, task_id: str) -> httpx.Response:
        return await self.http.post(f"/a2a/{agent}/tasks/{task_id}:cancel")

    async def get(self, path: str) -> Json:
        answer = await self.http.get(path)
        assert answer.status_code == 200, answer.text
        body: Json = answer.json()
        return body

    async def agent(self, name: str) -> Json:
        """Return the agent's row."""
        rows: list[Json] = (await self.get("/agents"))["agents"]
        return next(row for row in rows if row["agent"] == name)

    async def history(self, **query: Any) -> list[Json]:
        answer = await self.http.get("/feed.ndjson", params=query)
        assert answer.status_code == 200, answer.text
        return [json.loads(line) for line in answer.text.split("\n") if line]

    async def rows(self, task_id: str) -> list[Json]:
        """Return the rows of a task in the log, oldest first."""
        return await self.history(after=0, task=task_id, kind="task")

    async def row_with(self, task_id: str, status: str, deadline_s: float = 60) -> Json:
        """Wait for the first row of a task with this status. Return the row."""

        async def found() -> Json | None:
            rows = await self.rows(task_id)
            return next((row for row in rows if row["status"] == status), None)

        row = await wait_until(found, f"{task_id} to be {status}", deadline_s)
        assert row
        return row

    async def head(self) -> int:
        head: int = (await self.get("/healthz"))["head"]
        return head


def client(url: str = "", timeout_s: float = 10) -> httpx.AsyncClient:
    """Create a client for plain HTTP. Loading certificates would take 20 ms."""
    no_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return httpx.AsyncClient(
        base_url=url, timeout=timeout_s, verify=no_tls, trust_env=False
    )


@asynccontextmanager
async def host_at(url: str) -> AsyncIterator[HostClient]:
    async with client(url) as http:
        yield HostClient(http)


class Watcher:
    """A reader of the feed that reconnects with its last id, as an EventSource does.

    `seen` has all events so far.
    """

    def __init__(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        self.seen: list[Received] = []
        self.connections = 0
        self.clean_ends = 0
        self.cuts = 0
        self._url = url
        self._headers = dict(headers or {})

    @property
    def events(self) -> list[Json]:
        """All events except snapshots."""
        return [got.data for got in self.seen if got.event == "message"]

    @property
    def ids(self) -> list[int]:
        return [event["id"] for event in self.events]

    def of_task(self, task_id: str) -> list[Json]:
        return [event for event in self.events if event.get("task_id") == task_id]

    def is_over(self, *task_ids: str) -> bool:
        """Return whether all these tasks have ended."""
        ended = {
            event["task_id"]
            for event in self.events
            if event.get("status") in TERMINAL_STATUSES
        }
        return ended.issuperset(task_ids)

    async def until(
        self, predicate: Callable[[], bool], what: str, deadline_s: float = 60
    ) -> None:
        await wait_until(predicate, what, deadline_s)

    async def until_over(self, *task_ids: str) -> None:
        await self.until(lambda: self.is_over(*task_ids), f"the end of {task_ids}")

    async def run(self) -> None:
        async with client(timeout_s=30) as http:
            while True:
                before = self.connections
                try:
                    await self._read(http)
                    self.clean_ends += 1
                except (httpx.TransportError, SSEError):
                    # The host is down, or it ended during the response.
                    self.cuts += self.connections - before
                await anyio.sleep(RETRY_S)

    async def _read(self, http: httpx.AsyncClient) -> None:
        async with aconnect_sse(http, "GET", self._url, headers=self._headers) as sse:
            self.connections += 1
            async for got in sse.aiter_sse():
                if got.data:
                    self.seen.append(Received(got.id, got.event, got.json()))
                    self._headers["Last-Event-ID"] = got.id


@asynccontextmanager
async def watch_feed(
    url: str, headers: Mapping[str, str] | None = None
) -> AsyncIterator[Watcher]:
    """Create a connected Watcher, which reads while the block runs."""
    watcher = Watcher(url, headers)
    async with anyio.create_task_group() as group:
        group.start_soon(watcher.run)
        await watcher.until(lambda: watcher.connections > 0, f"{url} to answer")
        yield watcher
        group.cancel_scope.cancel()


async def message_ids_at_agent(url: str, task_id: str) -> list[str]:
    """Return the ids of the agent's messages in a task, in the agent's order."""
    async with agent_at(url) as agent:
        task = await agent.get(task_id)
    messages = [m for m in task.get("history", []) if m["role"] == "ROLE_AGENT"]
    last = task["status"].get("message")
    return [message["messageId"] for message in [*messages, *([last] if last else [])]]


def message_ids_in_feed(events: list[Json], task_id: str) -> list[str]:
    """Return the message ids in the feed: one for each change of the message."""
    ids = [
        event["message_id"]
        for event in events
        if event["kind"] == "task" and event["task_id"] == task_id
    ]
    changes = zip([None, *ids], ids, strict=False)
    return [now for before, now in changes if now and now != before]


async def wait_until_quiet(host: HostClient) -> int:
    """Wait until no new events arrive. Return the head."""
    heads: list[int] = []

    async def quiet() -> bool:
        [snapshot] = await read_events(f"{host.http.base_url}/feed", until=bool)
        agents = {row["connection"] for row in snapshot.data["agents"]}
        over = all(
            task["status"] in TERMINAL_STATUSES for task in snapshot.data["tasks"]
        )
        heads.append(snapshot.data["id"] if agents == {"connected"} and over else -1)
        return heads[-1] != -1 and heads[-QUIET_POLLS:] == heads[-1:] * QUIET_POLLS

    await wait_until(quiet, "all agents to be connected and all tasks to be over", 30)
    return heads[-1]

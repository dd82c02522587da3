"""Clients of the host's gateway for tests: the SDK's client, and plain HTTP."""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
from a2a.client.client import Client, ClientConfig
from a2a.client.client_factory import ClientFactory
from a2a.types import a2a_pb2 as pb

from tests.support.a2a_client import RESUMABLE, Frame, Json, frames_of
from tests.support.harness import NO_TLS, Server, free_port
from tests.support.host_client import client

BINDINGS = ("JSONRPC", "HTTP+JSON")
AGENT_CARD = "/.well-known/agent-card.json"


@asynccontextmanager
async def sdk_client(url: str, binding: str) -> AsyncIterator[Client]:
    """Create the SDK's client for the card at `url`, as its examples do."""
    async with httpx.AsyncClient(timeout=20, trust_env=False, verify=NO_TLS) as http:
        config = ClientConfig(
            httpx_client=http, supported_protocol_bindings=[binding], streaming=True
        )
        factory = ClientFactory(config)
        yield await factory.create_from_url(url)


def user_request(text: str, **ids: str) -> pb.SendMessageRequest:
    """Build a user message. `ids` are task_id and context_id."""
    ids = {"message_id": str(uuid.uuid4()), **ids}
    message = pb.Message(role=pb.ROLE_USER, parts=[pb.Part(text=text)], **ids)  # type: ignore[arg-type]
    return pb.SendMessageRequest(message=message)


def state_of(update: pb.StreamResponse) -> str:
    """Return the state in an update, "" for an artifact update."""
    kind = update.WhichOneof("payload")
    if kind not in ("task", "status_update"):
        return ""
    status = getattr(update, kind).status
    return pb.TaskState.Name(status.state)


class Subscriber:
    """Reads one task over plain HTTP, and keeps each update's number.

    It reconnects with the last number that it received, as an EventSource does.
    """

    def __init__(self, url: str, agent: str, task_id: str, binding: str) -> None:
        self.frames: list[Frame] = []
        self.last: str | None = None
        self._url, self._binding = f"{url}/a2a/{agent}", binding
        self._task_id = task_id

    @property
    def numbers(self) -> list[int]:
        return [number_of(frame) for frame in self.frames]

    async def read(self, at_most: int | None = None) -> None:
        """Read to the end of the stream, or disconnect after `at_most` updates."""
        count = 0
        async with client(timeout_s=20) as http, aclosing(self._lines(http)) as frames:
            async for frame in frames:
                self.frames.append(frame)
                self.last = frame.id
                count += 1
                if count == at_most:
                    return

    async def refused(self) -> httpx.Response:
        async with client() as http:
            return await http.send(self._request(http))

    async def _lines(self, http: httpx.AsyncClient) -> AsyncGenerator[Frame]:
        answer = await http.send(self._request(http), stream=True)
        try:
            assert answer.status_code == 200, await answer.aread()
            assert answer.headers["content-type"].startswith("text/event-stream")
            rest = ""
            async for text in answer.aiter_text():
                *whole, rest = (rest + text).replace("\r\n", "\n").split("\n\n")
                for block in whole:
                    for frame in frames_of(block + "\n\n"):
                        yield frame
        finally:
            await answer.aclose()

    def _request(self, http: httpx.AsyncClient) -> httpx.Request:
        headers = {"a2a-version": "1.0"}
        if self.last is not None:
            headers["last-event-id"] = self.last
        if self._binding == "HTTP+JSON":
            url = f"{self._url}/tasks/{self._task_id}:subscribe"
            return http.build_request("GET", url, headers=headers)
        call = {
            **{"jsonrpc": "2.0", "id": 1, "method": "SubscribeToTask"},
            "params": {"id": self._task_id},
        }
        return http.build_request("POST", self._url, headers=headers, json=call)


def update_in(frame: Frame) -> Json:
    """Return the update of an event, without the JSON-RPC response around it."""
    (update,) = frame.data.get("result", frame.data).values()
    return dict(update)


def number_of(frame: Frame) -> int:
    """Return the event's id. The metadata must have the same number."""
    number = update_in(frame)["metadata"][RESUMABLE]["sequence"]
    assert int(frame.id) == number
    return int(number)


def without_number(frame: Frame) -> Json:
    update = update_in(frame)
    metadata = {k: v for k, v in update["metadata"].items() if k != RESUMABLE}
    return {**update, "metadata": metadata}


async def call(url: str, agent: str, method: str, params: Any) -> Json:
    """Return the response to one JSON-RPC call."""
    body = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}
    async with client(url) as http:
        answer = await http.post(f"/a2a/{agent}", json=body)
    parsed: Json = json.loads(answer.content)
    assert (parsed["jsonrpc"], parsed["id"]) == ("2.0", 7)
    return parsed


@contextmanager
def run_numbered_agents(folder: Path, kinds: Sequence[str]) -> Iterator[dict[str, str]]:
    """Start agents of numbered_agents.py over JSON-RPC, named by their kinds."""
    urls: dict[str, str] = {}
    servers: list[Server] = []
    try:
        for kind in kinds:
            url = f"http://127.0.0.1:{(port := free_port())}"
            argv = [
                sys.executable,
                "-m",
                "tests.support.numbered_agents",
                kind,
                "JSONRPC",
            ]
            server = Server(
                kind,
                [*argv, str(port), url],
                folder=folder,
                url=url,
                ready_path=AGENT_CARD,
            )
            server.start()
            servers.append(server)
            urls[kind] = url
        for server in servers:
            server.wait_ready(server.ready_url)
        yield urls
    finally:
        for server in servers:
            if server.alive:
                server.kill()


def is_over(reader: Subscriber) -> bool:
    """Return whether the reader has the last update of its task."""
    if not reader.frames:
        return False
    status = update_in(reader.frames[-1]).get("status", {})
    return status.get("state") in ("TASK_STATE_COMPLETED", "TASK_STATE_CANCELED")


async def read_whole_task(url: str, agent: str, task_id: str) -> Subscriber:
    """Return a subscriber that has read the whole task, from its first update."""
    whole = Subscriber(url, agent, task_id, "HTTP+JSON")
    whole.last = "0"
    await whole.read()
    return whole

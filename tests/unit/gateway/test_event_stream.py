"""Tests that an event stream gets pings, ends cleanly, and says why it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import anyio
import pytest
from starlette.requests import Request
from starlette.types import Message

from host.clients.bindings.json_errors import UpdatesGone
from host.feed.feed import Feed
from host.gateway import event_stream
from host.gateway.a2a_updates import NumberedUpdate
from host.gateway.backend import Backend
from host.gateway.event_stream import Encoding
from host.gateway.gateway import Gateway
from host.gateway.operations import Operation
from host.log.memory_log import MemoryLog
from tests.support.waiting import wait_until

ENCODING = Encoding(
    result=lambda update: update, error=lambda error: str(error).encode()
)


class Client:
    """An ASGI client that can disconnect or stop reading."""

    def __init__(self) -> None:
        self.got: list[Message] = []
        self.stalls = False
        self.hung_up = asyncio.Event()
        self.gateway = Gateway(Feed(MemoryLog()), find_none)

    @property
    def text(self) -> str:
        bodies = [message.get("body", b"") for message in self.got]
        return b"".join(bodies).decode()

    @property
    def ended(self) -> bool:
        last = self.got[-1]
        return last["type"] == "http.response.body" and not last.get("more_body")

    async def receive(self) -> Message:
        await self.hung_up.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.got.append(message)
        if self.stalls and message["type"] == "http.response.body":
            await anyio.sleep_forever()

    async def reads(self, updates: AsyncGenerator[list[NumberedUpdate]]) -> None:
        scope = {"type": "http", "headers": [], "path_params": {"agent": "carly"}}
        operation = Operation(lambda *_: updates, streams=True)
        request = Request(scope, self.receive)
        response = await self.gateway.respond(request, operation, None, ENCODING)
        await response(scope, self.receive, self.send)


def find_none(name: str) -> Backend:
    raise AssertionError(name)


async def two_then_quiet() -> AsyncGenerator[list[NumberedUpdate]]:
    yield [NumberedUpdate(1, b"one"), NumberedUpdate(2, b"two")]
    await anyio.sleep_forever()


async def refused(at_once: bool) -> AsyncGenerator[list[NumberedUpdate]]:
    if not at_once:
        yield [NumberedUpdate(None, b"one")]
    raise UpdatesGone("not kept")


async def test_updates_of_one_batch_are_sent_together_with_their_numbers() -> None:
    async def updates() -> AsyncGenerator[list[NumberedUpdate]]:
        yield [NumberedUpdate(1, b"one"), NumberedUpdate(2, b"two")]
        yield [NumberedUpdate(None, b"three")]

    client = Client()
    await client.reads(updates())

    assert [message.get("body") for message in client.got[1:]] == [
        b"id: 1\ndata: one\n\nid: 2\ndata: two\n\n",
        b"data: three\n\n",
        b"",
    ]
    assert client.ended


async def test_quiet_stream_is_pinged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "PING_S", 0.01)
    client = Client()

    async def pinged() -> bool:
        return client.text.count(": ping\n\n") >= 3

    async with anyio.create_task_group() as group:
        group.start_soon(client.reads, two_then_quiet())
        await wait_until(pinged, "pings", 5)
        client.hung_up.set()


async def test_stream_ends_cleanly_when_the_host_stops() -> None:
    client = Client()
    async with anyio.create_task_group() as group:
        group.start_soon(client.reads, two_then_quiet())
        await anyio.wait_all_tasks_blocked()
        assert not client.ended
        client.gateway.stop()
    assert client.ended


async def test_client_that_stops_reading_does_not_delay_the_host() -> None:
    client = Client()
    client.stalls = True
    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            group.start_soon(client.reads, two_then_quiet())
            await anyio.wait_all_tasks_blocked()
            client.gateway.stop()


async def test_error_before_the_first_update_is_raised() -> None:
    client = Client()
    with pytest.raises(UpdatesGone):
        await client.reads(refused(at_once=True))
    assert not client.got


async def test_later_error_is_the_last_event() -> None:
    client = Client()
    await client.reads(refused(at_once=False))

    assert client.text == "data: one\n\nevent: error\ndata: not kept\n\n"
    assert client.ended

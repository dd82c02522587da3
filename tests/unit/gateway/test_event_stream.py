"""A stream on its way to one client: kept awake, ended cleanly, told why it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import anyio
import pytest
from starlette.requests import Request
from starlette.types import Message

from host.clients.bindings.a2a_errors import UpdatesGone
from host.gateway import event_stream
from host.gateway.event_stream import Words, opened
from host.gateway.task_updates import Numbered
from tests.support.harness import until

WORDS = Words(update=lambda update: update, error=lambda error: str(error).encode())


class Client:
    """Takes what it is sent, until it hangs up or takes nothing any more."""

    def __init__(self) -> None:
        self.got: list[Message] = []
        self.stalls = False
        self.hung_up = asyncio.Event()
        self.ending = asyncio.Event()

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

    async def reads(self, updates: AsyncGenerator[list[Numbered]]) -> None:
        request = Request({"type": "http", "headers": []}, self.receive)
        response = await opened(request, self.ending, updates, WORDS, {})
        await response(request.scope, self.receive, self.send)


async def two_then_quiet() -> AsyncGenerator[list[Numbered]]:
    yield [Numbered(1, b"one"), Numbered(2, b"two")]
    await anyio.sleep_forever()


async def refused(at_once: bool) -> AsyncGenerator[list[Numbered]]:
    if not at_once:
        yield [Numbered(None, b"one")]
    raise UpdatesGone("not kept")


async def test_what_came_together_is_sent_together_under_its_numbers() -> None:
    async def told() -> AsyncGenerator[list[Numbered]]:
        yield [Numbered(1, b"one"), Numbered(2, b"two")]
        yield [Numbered(None, b"three")]

    client = Client()
    await client.reads(told())

    assert [message.get("body") for message in client.got[1:]] == [
        b"id: 1\ndata: one\n\nid: 2\ndata: two\n\n",
        b"data: three\n\n",
        b"",
    ]
    assert client.ended


async def test_a_quiet_stream_is_kept_awake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "PING_S", 0.01)
    client = Client()

    async def pinged() -> bool:
        return client.text.count(": ping\n\n") >= 3

    async with anyio.create_task_group() as group:
        group.start_soon(client.reads, two_then_quiet())
        await until(pinged, 5, "pings")
        client.hung_up.set()


async def test_the_end_of_the_host_is_a_clean_end() -> None:
    client = Client()
    async with anyio.create_task_group() as group:
        group.start_soon(client.reads, two_then_quiet())
        await anyio.wait_all_tasks_blocked()
        assert not client.ended
        client.ending.set()
    assert client.ended


async def test_a_client_that_takes_nothing_does_not_keep_the_host() -> None:
    client = Client()
    client.stalls = True
    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            group.start_soon(client.reads, two_then_quiet())
            await anyio.wait_all_tasks_blocked()
            client.ending.set()


async def test_what_is_refused_at_once_may_still_be_an_http_status() -> None:
    client = Client()
    with pytest.raises(UpdatesGone):
        await client.reads(refused(at_once=True))
    assert not client.got


async def test_what_is_refused_later_is_the_last_event() -> None:
    client = Client()
    await client.reads(refused(at_once=False))

    assert client.text == "data: one\n\nevent: error\ndata: not kept\n\n"
    assert client.ended

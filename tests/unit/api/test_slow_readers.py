"""Tests that clients without a token must read their responses.

Covers host/api/connections.py on a real socket, with a short deadline.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
import anyio.lowlevel
import pytest
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.types import Receive, Scope, Send

from host.api.connections import Connection
from host.api.sessions import OPERATOR, ROLE
from tests.support.in_process_host import serve_app
from tests.support.raw_requests import END_ERRORS
from tests.support.waiting import wait_until

READ_S = 0.3
DEADLINE_S = 30.0
PIECE = b"x" * 100_000
LONG = 32 * 1024 * 1024
"""More than the kernel keeps of a response that nobody reads."""


class EndlessApp:
    """Streams without end. /known is for clients with a token."""

    def __init__(self) -> None:
        self.sent, self.ended = 0, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/known":
            scope[ROLE] = OPERATOR
        try:
            await StreamingResponse(self._pieces())(scope, receive, send)
        finally:
            self.ended += 1

    async def _pieces(self) -> AsyncIterator[bytes]:
        while True:
            yield PIECE
            self.sent += 1
            await anyio.lowlevel.checkpoint()


@pytest.fixture(autouse=True)
def use_short_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("host.api.connections.READ_S", READ_S)


async def ask(stream: anyio.abc.ByteStream, path: bytes) -> None:
    await stream.send(b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % path)
    await stream.receive()


async def test_unknown_client_that_does_not_read_is_disconnected() -> None:
    app = EndlessApp()
    async with (
        serve_app(app) as port,
        await anyio.connect_tcp("127.0.0.1", port) as stream,
    ):
        await ask(stream, b"/")
        await wait_until(lambda: app.ended == 1, "the end", DEADLINE_S)


async def test_unknown_client_that_reads_slowly_is_not_disconnected() -> None:
    app = EndlessApp()
    async with (
        serve_app(app) as port,
        await anyio.connect_tcp("127.0.0.1", port) as stream,
    ):
        await ask(stream, b"/")
        with anyio.move_on_after(5 * READ_S):
            while True:
                await stream.receive(1_000_000)
                await anyio.sleep(0.001)
        assert app.ended == 0


async def test_client_with_a_token_may_pause() -> None:
    app = EndlessApp()
    async with (
        serve_app(app) as port,
        await anyio.connect_tcp("127.0.0.1", port) as known,
        await anyio.connect_tcp("127.0.0.1", port) as unknown,
    ):
        await ask(known, b"/known")
        await ask(unknown, b"/")
        # Both are paused, the first one for longer.
        await wait_until(lambda: app.ended == 1, "the end of one", DEADLINE_S)
        with anyio.fail_after(DEADLINE_S):
            received = 0
            while received < 20_000_000:
                received += len(await known.receive())


async def test_end_of_a_response_that_nobody_reads_is_dropped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The host has closed the connection, but the kernel cannot send the rest."""
    monkeypatch.setattr("host.api.connections.CLOSE_S", READ_S)
    lost = anyio.Event()
    lose = Connection.connection_lost

    def note_loss(connection: Connection, error: Exception | None) -> None:
        lost.set()
        lose(connection, error)

    monkeypatch.setattr(Connection, "connection_lost", note_loss)
    async with (
        serve_app(PlainTextResponse("x" * LONG)) as port,
        await anyio.connect_tcp("127.0.0.1", port) as stream,
    ):
        await stream.send(b"GET / HTTP/1.0\r\n\r\n")
        with anyio.fail_after(DEADLINE_S):
            await lost.wait()

        size = 0
        with pytest.raises(END_ERRORS):
            while True:
                size += len(await stream.receive())
    assert size < LONG

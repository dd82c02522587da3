"""Tests that connections start in turns, so that one client cannot delay the others.

Covers host/api/listener.py on a real socket.
"""

from __future__ import annotations

import errno
import select
import socket
from contextlib import ExitStack
from math import ceil
from typing import Any

import anyio
import anyio.to_thread
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from host.api.listener import MAX_ACCEPTED, MAX_CLOSED, Listener
from host.api.places import SHARE, Places
from host.api.refusals import Warnings
from tests.support.in_process_host import serve_app

DEADLINE_S = 30.0
GET = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
CHUNKED = (
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3\r\nabc\r\n0\r\n\r\n"
)


@pytest.fixture(params=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """The host uses uvloop, which has its own event loop and sockets."""
    return "asyncio", {"use_uvloop": request.param == "uvloop"}


class App:
    """Remembers the clients of its requests, in their order."""

    def __init__(self) -> None:
        self.clients: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.clients.append(scope["client"][0])
        await PlainTextResponse("hello")(scope, receive, send)


def request(port: int, address: str, data: bytes = GET) -> socket.socket:
    """Connect and send without waiting for the host, which has no turn meanwhile."""
    client = socket.create_connection(("127.0.0.1", port), DEADLINE_S, (address, 0))
    client.sendall(data)
    return client


def read_all(client: socket.socket) -> bytes:
    with client.makefile("rb") as file:
        return file.read()


async def read_each(clients: list[socket.socket]) -> list[bytes]:
    with anyio.fail_after(DEADLINE_S):
        return [await anyio.to_thread.run_sync(read_all, one) for one in clients]


async def test_client_does_not_wait_for_the_crowd_of_another_address() -> None:
    app = App()
    async with serve_app(app) as port:
        with ExitStack() as stack:
            crowd = [
                stack.enter_context(request(port, "127.0.0.1"))
                for _ in range(MAX_ACCEPTED - 1)
            ]
            late = stack.enter_context(request(port, "127.0.0.2"))
            answers = await read_each([late, *crowd])

    assert all(answer.startswith(b"HTTP/1.1 200 ") for answer in answers)
    assert len(app.clients) == MAX_ACCEPTED
    assert app.clients.index("127.0.0.2") <= 4


async def test_each_of_many_waiting_connections_is_answered() -> None:
    app, count = App(), 3 * MAX_ACCEPTED + 1
    async with serve_app(app) as port:
        with ExitStack() as stack:
            crowd = [
                stack.enter_context(request(port, "127.0.0.1")) for _ in range(count)
            ]
            answers = await read_each(crowd)

    assert all(answer.endswith(b"hello") for answer in answers)
    assert len(app.clients) == count


@pytest.mark.skipif(not hasattr(select, "POLLRDHUP"), reason="Linux tells who left")
async def test_clients_that_left_while_they_waited_cost_no_work() -> None:
    app, count = App(), MAX_CLOSED + 10
    most = ceil(count / SHARE)  # So that the address gets just enough places.
    async with serve_app(app, most=most) as port:
        for _ in range(count):
            request(port, "127.0.0.2", CHUNKED).close()
        with request(port, "127.0.0.1") as client:
            answers = await read_each([client])
        # All places are free again.
        with ExitStack() as stack:
            again = [
                stack.enter_context(request(port, "127.0.0.2")) for _ in range(count)
            ]
            answers += await read_each(again)

    assert all(answer.endswith(b"hello") for answer in answers)
    assert len(app.clients) <= 2 + len(answers)  # The first one of each turn.


async def test_host_that_cannot_accept_tries_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Full(socket.socket):
        failures = 2

        def accept(self) -> tuple[socket.socket, Any]:
            if self.failures:
                self.failures -= 1
                raise OSError(errno.EMFILE, "Too many open files")
            return super().accept()

    app = App()
    async with serve_app(app, listener=Full()) as port:
        with request(port, "127.0.0.1") as client:
            (answer,) = await read_each([client])

    assert answer.endswith(b"hello")
    warnings = [one.getMessage() for one in caplog.records if one.levelname != "INFO"]
    assert len(warnings) == 1
    assert "Too many open files" in warnings[0]


async def test_connections_that_wait_are_closed_with_the_host() -> None:
    class Never:
        def __call__(self, _on_end: object) -> Any:
            raise AssertionError("the connection must not start")

    places = Places(None)
    server = Listener(Never(), places, Warnings())
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server.listen(listener)
        with request(listener.getsockname()[1], "127.0.0.1") as client:
            server.close()
            listener.close()
            with pytest.raises(ConnectionError):
                await anyio.to_thread.run_sync(read_all, client)
                raise ConnectionError  # A clean end is one, too.

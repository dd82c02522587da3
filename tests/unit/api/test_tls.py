"""Tests that TLS connections count and time out from accept, before their handshake.

Covers host/api/listener.py on a real socket.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from anyio.abc import ByteStream
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from tests.support.certificates import create_certificate
from tests.support.in_process_host import serve_app
from tests.support.raw_requests import END_ERRORS
from tests.support.waiting import wait_until

DEADLINE_S = 30.0


@pytest.fixture(params=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """The host uses uvloop, which has a TLS implementation of its own."""
    return "asyncio", {"use_uvloop": request.param == "uvloop"}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return create_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def server_tls(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


@pytest.fixture
async def http(certificate: tuple[Path, Path]) -> AsyncIterator[httpx.AsyncClient]:
    trust = ssl.create_default_context(cafile=certificate[0])
    async with httpx.AsyncClient(verify=trust, trust_env=False) as client:
        yield client


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    body = await Request(scope, receive).body()
    text = f"{scope['scheme']} {scope['client'][0]} {len(body)} bytes"
    await PlainTextResponse(text)(scope, receive, send)


async def wait_for_end(stream: ByteStream) -> None:
    with anyio.fail_after(DEADLINE_S):
        try:
            while True:
                await stream.receive()
        except END_ERRORS:
            pass


async def test_requests_are_answered(
    server_tls: ssl.SSLContext, http: httpx.AsyncClient
) -> None:
    async with serve_app(app, tls=server_tls) as port:
        url = f"https://127.0.0.1:{port}/"
        for size in (0, 5, 200_000):
            answer = await http.post(url, content=b"x" * size)
            assert answer.text == f"https 127.0.0.1 {size} bytes"


async def test_request_that_comes_with_the_handshake_is_answered(
    server_tls: ssl.SSLContext, certificate: tuple[Path, Path]
) -> None:
    """The last bytes of the handshake and the request are in one packet."""
    trust = ssl.create_default_context(cafile=certificate[0])
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = trust.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    async with (
        serve_app(app, tls=server_tls) as port,
        await anyio.connect_tcp("127.0.0.1", port) as stream,
    ):
        with anyio.fail_after(DEADLINE_S):
            while True:
                try:
                    tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    await stream.send(outgoing.read())
                    incoming.write(await stream.receive())
            tls.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await stream.send(outgoing.read())
            answer = b""
            while b"0 bytes" not in answer:
                incoming.write(await stream.receive())
                try:
                    answer += tls.read()
                except ssl.SSLWantReadError:
                    continue

    assert answer.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "first", [b"", b"\x16\x03\x01", b"\x16\x03\x01\x40\x00" + b"\x00"]
)
async def test_connection_without_handshake_is_closed(
    first: bytes, server_tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("host.api.listener.HANDSHAKE_S", 0.3)
    async with (
        serve_app(app, tls=server_tls) as port,
        await anyio.connect_tcp("127.0.0.1", port) as stream,
    ):
        if first:
            await stream.send(first)
        await wait_for_end(stream)


async def test_connections_without_handshake_use_the_limit(
    server_tls: ssl.SSLContext,
    http: httpx.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("host.api.listener.HANDSHAKE_S", 1.0)
    async with serve_app(app, most=3, tls=server_tls) as port:
        silent = [await anyio.connect_tcp("127.0.0.1", port) for _ in range(3)]
        async with await anyio.connect_tcp("127.0.0.1", port) as fourth:
            await wait_for_end(fourth)
        for stream in silent:
            await wait_for_end(stream)
            await stream.aclose()

        answer = await http.get(f"https://127.0.0.1:{port}/")

    assert answer.status_code == 200


async def test_failed_handshakes_leave_nothing(
    server_tls: ssl.SSLContext,
    http: httpx.AsyncClient,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Each one would use a place of the limit for ever."""
    async with serve_app(app, most=3, tls=server_tls) as port:
        for data in (b"", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\x05hello") * 4:
            async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                if data:
                    await stream.send(data)

        async def is_free() -> bool:
            try:
                return (await http.get(f"https://127.0.0.1:{port}/")).is_success
            except httpx.TransportError:
                return False

        await wait_until(is_free, "a place", DEADLINE_S)

    warnings = [one for one in caplog.records if one.name.startswith("courtside")]
    assert len(warnings) <= 1
    assert not [one for one in caplog.records if one.exc_info]

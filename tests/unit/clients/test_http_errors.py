"""Tests which error of httpx a request raises, for each way in which it can fail.

host/clients/aiohttp_transport.py, with real sockets.
"""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import anyio
import httpx
import pytest

from host.clients.http_client import client
from tests.support.canned_server import CannedServer, serve
from tests.support.certificates import create_certificate
from tests.support.harness import free_port

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
SHORT_S = 0.2
LONG_S = 30.0


async def fail(url: str, deadlines: httpx.Timeout | None = None) -> httpx.HTTPError:
    """Return the error of a request that must fail."""
    async with client(deadlines or httpx.Timeout(LONG_S)) as http:
        with pytest.raises(httpx.HTTPError) as raised:
            await http.get(url)
    return raised.value


async def fail_with(answer: bytes, *, resets: bool = False) -> httpx.HTTPError:
    """Return the error that this response causes."""
    agent = CannedServer(answer)
    agent.resets = resets
    async with serve(agent) as url:
        return await fail(url)


@pytest.mark.parametrize("begin", [b"", HEAD, HEAD + b"Content-Length: 9\r\n\r\nhalf"])
async def test_silence_is_a_read_timeout(begin: bytes) -> None:
    agent = CannedServer(begin)
    agent.keeps_open = True
    async with serve(agent) as url:
        error = await fail(url, httpx.Timeout(LONG_S, read=SHORT_S))

    assert type(error) is httpx.ReadTimeout


async def test_silence_in_the_tls_handshake_is_a_connect_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"https://127.0.0.1:{server.getsockname()[1]}"
        error = await fail(url, httpx.Timeout(LONG_S, connect=SHORT_S))

    assert type(error) is httpx.ConnectTimeout


async def test_refused_connection_is_a_connect_error() -> None:
    error = await fail(f"http://127.0.0.1:{free_port()}")

    assert type(error) is httpx.ConnectError
    assert "Connect call failed" in str(error)


async def test_unknown_certificate_is_a_connect_error(tmp_path: Path) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*create_certificate(tmp_path))
    async with serve(CannedServer(HEAD), tls) as url:
        error = await fail(url)

    assert type(error) is httpx.ConnectError
    assert "certificate verify failed" in str(error)


@pytest.mark.parametrize(
    "answer",
    [
        HEAD + b"Content-Length: 9\r\n\r\nhalf",
        CHUNKED + b"9\r\nhalf",
        CHUNKED + b"4\r\nhalf\r\n",
    ],
)
@pytest.mark.parametrize("resets", [False, True])
async def test_response_that_ends_early_is_incomplete(
    answer: bytes, resets: bool
) -> None:
    error = await fail_with(answer, resets=resets)

    assert type(error) is httpx.RemoteProtocolError
    assert str(error) == "the response is incomplete"


@pytest.mark.parametrize(
    "answer",
    [
        HEAD + b"Content-Length: 9\r\n\r\nhalf",
        HEAD + b"Connection: close\r\n\r\nhalf",
        CHUNKED + b"4\r\nhalf\r\n",
    ],
)
async def test_response_that_is_open_when_the_client_closes_is_a_read_error(
    answer: bytes,
) -> None:
    agent = CannedServer(answer)
    agent.keeps_open = True
    with anyio.fail_after(LONG_S):
        async with (
            serve(agent) as url,
            client(httpx.Timeout(LONG_S)) as http,
            http.stream("GET", url) as response,
            anyio.create_task_group() as closing,
        ):
            chunks = response.aiter_raw()
            assert await anext(chunks) == b"half"
            closing.start_soon(http.aclose)
            with pytest.raises(httpx.ReadError, match="it was closed"):
                await anext(chunks)


async def test_invalid_chunk_is_bad_http() -> None:
    error = await fail_with(CHUNKED + b"4\r\nhalf\r\nnonsense\r\n")

    assert type(error) is httpx.RemoteProtocolError
    assert str(error) == "bad HTTP: Invalid character in chunk size: b'nonsense'"


async def test_another_protocol_is_bad_http() -> None:
    error = await fail_with(b"SSH-2.0 hello\r\n\r\n")

    assert type(error) is httpx.RemoteProtocolError
    assert str(error).startswith("bad HTTP: ")


async def test_connection_closed_before_the_response_is_named() -> None:
    error = await fail_with(b"")

    assert type(error) is httpx.RemoteProtocolError
    assert str(error) == "Server disconnected without sending a response."


async def test_connection_reset_before_the_response_is_a_read_error() -> None:
    error = await fail_with(b"", resets=True)

    assert type(error) is httpx.ReadError
    assert "reset by peer" in str(error)


async def test_refusal_of_a_proxy_is_a_proxy_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    proxy = CannedServer(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    async with serve(proxy) as url:
        for name in ("https_proxy", "HTTPS_PROXY"):
            monkeypatch.setenv(name, url)
        error = await fail("https://agent.example")

    assert type(error) is httpx.ProxyError
    assert str(error) == "the proxy answered HTTP 407 Proxy Authentication Required"

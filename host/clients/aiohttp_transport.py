"""Sends the requests of httpx with aiohttp, whose HTTP parser is written in C.

The parser of httpx needs most of the time in which the host reads a stream
(docs/decisions).
"""

from __future__ import annotations

import asyncio
import io
import socket
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import partial
from urllib.request import getproxies, proxy_bypass
from weakref import WeakSet

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import RawResponseMessage
from aiohttp.streams import StreamReader
from yarl import URL

from ..config.address_rules import LOOPBACK
from .address_check import addresses
from .loop_budget import HTTP, REQUESTS, LoopBudget

# Servers close idle connections: gunicorn after 2 s, uvicorn and Node.js after 5. So
# does aiohttp, and a request sent at that moment is lost: a POST is not sent twice.
KEEPALIVE_S = 1.5
LARGE_BODY = 64 * 1024
MAX_HEAD_LINE = 32 * 1024
MAX_READ = 32 * 1024
MAX_TURN_S = 0.002  # Of the HTTP parser. Then other tasks run.
PART = 8 * 1024  # With chunks of 1 byte, it takes 3 ms.
MAX_INTERIM = 100
OWN_HEADERS = ("accept", "accept-encoding", "content-type", "user-agent")
SCHEMES = ("http", "https")


class AiohttpTransport(httpx.AsyncBaseTransport):
    """Connects only to addresses that it has checked, and keeps no cookies.

    Requests to other machines use the proxy of the environment.
    """

    def __init__(
        self, tls: ssl.SSLContext, budget: LoopBudget, *, public_only: bool = False
    ) -> None:
        self._tls = tls
        self._budget = budget
        self._public_only = public_only
        self._proxies = getproxies()
        self._session: aiohttp.ClientSession | None = None
        self._responses: WeakSet[aiohttp.ClientResponse] = WeakSet()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the response, whose body is still to be read. Raises httpx's errors
        and AgentUnreachable."""
        url = request.url
        if url.scheme not in SCHEMES or not url.host:
            raise httpx.UnsupportedProtocol(f"not an http or https URL: {url}")
        target = URL(str(url), encoded=True)
        if _is_numeric(url.host):  # aiohttp looks up names only.
            found = await addresses(url.host, 0, self._public_only)
            target = target.with_host(found[0])
        timeout = request.extensions.get("timeout", {})
        await self._budget.wait()
        with _httpx_errors():
            sending = self._open().request(
                request.method,
                target,
                data=_to_body(await request.aread()),
                headers=[
                    (name.decode("latin-1"), value.decode("latin-1"))
                    for name, value in request.headers.raw
                ],
                proxy=self._proxy(url),
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(
                    connect=timeout.get("connect"), sock_read=timeout.get("read")
                ),
            )
            response = await self._budget.metered(REQUESTS, sending)
        self._responses.add(response)
        return httpx.Response(
            response.status,
            headers=list(response.raw_headers),
            stream=_Body(response, self._budget),
            extensions={"reason_phrase": (response.reason or "").encode()},
        )

    async def aclose(self) -> None:
        """Close all connections. Raises ReadError in what still reads a response."""
        for response in self._responses:
            # aiohttp would let it wait forever, or take this for the end of the body.
            response.content.set_exception(aiohttp.ClientError("it was closed"))
        if self._session:
            await self._session.close()
            await asyncio.sleep(0)  # Then the sockets are closed, too.

    def _open(self) -> aiohttp.ClientSession:
        """aiohttp needs a running event loop for its session."""
        if self._session is None:
            connector = aiohttp.TCPConnector(
                limit=0,
                ssl=self._tls,
                keepalive_timeout=KEEPALIVE_S,
                use_dns_cache=False,
                resolver=_CheckedResolver(self._public_only),
                socket_factory=_create_socket,
            )
            # Private: aiohttp has no parameter for it. pyproject.toml has the upper
            # bound, test_http_client.py the test.
            connector._factory = partial(  # type: ignore[assignment]
                _MeteredConnection, asyncio.get_running_loop(), self._budget
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                skip_auto_headers=OWN_HEADERS,
                max_line_size=MAX_HEAD_LINE,
                max_field_size=MAX_HEAD_LINE,
                read_bufsize=MAX_READ,
            )
        return self._session

    def _proxy(self, url: httpx.URL) -> str | None:
        if url.host in LOOPBACK or proxy_bypass(url.netloc.decode("ascii")):
            return None
        return self._proxies.get(url.scheme) or self._proxies.get("all")


class _MeteredConnection(ResponseHandler):
    """Counts the time that the parser takes, and pauses as the budget says.

    Parses until MAX_TURN_S is over. What is left waits, and so does the socket.
    """

    __slots__ = ("_budget", "_interim", "_paused_before_s", "_unread")

    def __init__(self, loop: asyncio.AbstractEventLoop, budget: LoopBudget) -> None:
        super().__init__(loop)
        self._budget = budget
        self._interim = 0
        self._paused_before_s = 0.0
        self._unread = b""

    @property
    def should_close(self) -> bool:
        return bool(self._unread) or super().should_close

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._budget.attach(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._budget.detach(self)
        unread, self._unread = self._unread, b""
        if unread and self.transport:  # The peer has closed it.
            super().data_received(unread)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if not data:  # From resume_reading.
            return super().data_received(data)
        self._budget.spend_bytes(len(data))
        is_behind, self._unread = bool(self._unread), self._unread + data
        if not is_behind:
            self._read_turn()

    def _read_turn(self) -> None:
        ends_at = time.perf_counter() + MAX_TURN_S
        with self._budget.spend(HTTP):
            while self._unread and not self._reading_paused:
                part, self._unread = self._unread[:PART], self._unread[PART:]
                super().data_received(part)
                if time.perf_counter() > ends_at:
                    break
        self._budget.pause_connections(self)
        if self._unread:
            self._pause_transport_reading()
            self._loop.call_soon(self._read_on)

    def _read_on(self) -> None:
        """Read what is left, unless `go_on` or `resume_reading` will call it."""
        if self._unread and not (self._reading_paused or self._budget.is_paused):
            self._read_turn()
            if not self._unread:
                self.go_on()

    def feed_data(
        self, data: tuple[RawResponseMessage, StreamReader], size: int = 0
    ) -> None:
        """Take the head of a response, and no more interim ones than MAX_INTERIM.

        aiohttp would read any number of them in one go.
        """
        is_interim = 100 <= data[0].code <= 199
        self._interim = self._interim + 1 if is_interim else 0
        if self._interim <= MAX_INTERIM:
            return super().feed_data(data, size)
        self._unread = b""
        text = f"over {MAX_INTERIM} interim responses"
        self.set_exception(HttpProcessingError(code=data[0].code, message=text))
        if self.transport:
            self.transport.close()

    def resume_reading(self, resume_parser: bool = True) -> None:
        # aiohttp calls it for each HTTP chunk, although there is mostly nothing to do.
        if self._reading_paused:
            with self._budget.spend(HTTP):
                super().resume_reading(resume_parser)
            if self._unread:
                self._loop.call_soon(self._read_on)

    def pause(self) -> None:
        self._pause_transport_reading()

    def go_on(self) -> None:
        if self._unread:
            self._loop.call_soon(self._read_on)
        elif not (self._reading_paused or self._buffer_paused):
            self._resume_transport_reading()

    def _reschedule_timeout(self) -> None:
        self._paused_before_s = self._budget.paused_s
        super()._reschedule_timeout()

    def _on_read_timeout(self) -> None:
        """Wait longer if the budget paused the connection since it last read."""
        if paused_s := self._budget.paused_s - self._paused_before_s:
            self._paused_before_s += paused_s
            self._read_timeout_handle = self._loop.call_later(
                paused_s, self._on_read_timeout
            )
        else:
            super()._on_read_timeout()

    def _resume_transport_reading(self) -> None:
        if not (self._unread or self._budget.is_paused):
            super()._resume_transport_reading()


def _create_socket(address: aiohttp.AddrInfoType) -> socket.socket:
    """Limit what one read can return: 256 KiB of interim responses take 0.1 s."""
    family, kind, protocol, *_ = address
    created = socket.socket(family, kind, protocol)
    created.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, MAX_READ)
    return created


class _CheckedResolver(AbstractResolver):
    """Looks up a name once for each connection, and checks its addresses."""

    def __init__(self, public_only: bool) -> None:
        self._public_only = public_only

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_UNSPEC,
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in await addresses(host, port, self._public_only)
        ]

    async def close(self) -> None:
        return None


class _Body(httpx.AsyncByteStream):
    """The body as it arrives: each chunk is everything since the last one."""

    def __init__(self, response: aiohttp.ClientResponse, budget: LoopBudget) -> None:
        self._response = response
        self._budget = budget

    async def __aiter__(self) -> AsyncIterator[bytes]:
        content = self._response.content
        with _httpx_errors():
            # To join 10,000 chunks of one byte takes some time too.
            while chunk := await self._budget.metered(HTTP, content.readany()):
                yield chunk

    async def aclose(self) -> None:
        self._response.close()


def _to_body(content: bytes) -> bytes | io.BytesIO | None:
    """Let aiohttp write a large body in pieces: it warns about large bytes."""
    return io.BytesIO(content) if len(content) > LARGE_BODY else content or None


def _is_numeric(host: str) -> bool:
    """Return whether a host is an address, also in a form as 2130706433 or 127.1."""
    return ":" in host or host.replace(".", "").isdigit()


@contextmanager
def _httpx_errors() -> Iterator[None]:
    try:
        yield
    except aiohttp.SocketTimeoutError as error:
        raise httpx.ReadTimeout(str(error)) from error
    except asyncio.TimeoutError as error:
        raise httpx.ConnectTimeout(str(error)) from error
    except aiohttp.ClientConnectorError as error:
        raise httpx.ConnectError(str(error.os_error)) from error
    except aiohttp.ClientPayloadError as error:
        raise httpx.RemoteProtocolError("the response is incomplete") from error
    except aiohttp.ClientHttpProxyError as error:
        text = f"the proxy answered HTTP {error.status} {error.message}"
        raise httpx.ProxyError(text) from error
    except aiohttp.ClientResponseError as error:
        # aiohttp marks the character with a line of its own.
        text = " ".join(error.message.split()).removesuffix(" ^")
        raise httpx.RemoteProtocolError(f"bad HTTP: {text}") from error
    except aiohttp.ServerDisconnectedError as error:
        text = "Server disconnected without sending a response."
        raise httpx.RemoteProtocolError(text) from error
    except (aiohttp.ClientError, OSError) as error:
        raise httpx.ReadError(str(error)) from error

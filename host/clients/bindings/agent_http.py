"""Owns the HTTP to one agent: its two clients, its deadlines and its limits.

The HTTP bindings and the card's fetcher call through it, under its credentials.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import (
    AbstractContextManager,
    AsyncExitStack,
    aclosing,
    asynccontextmanager,
)
from typing import NamedTuple

import anyio
import httpx

from .. import http_client
from ..credentials import Credentials
from .failure_causes import BadAnswer, explained
from .read_ahead import Ahead

# Agents ping every 15 s: two missed pings and a margin.
STREAM_TIMEOUT = httpx.Timeout(connect=5, read=40, write=10, pool=5)
CALL_S = 5.0
CONNECT_S = 4.0  # httpx must be the first to give up, for then it closes its socket.
SSE = "text/event-stream"
MIB = 1024 * 1024
MAX_BODY = 8 * MIB
# Only reading costs a core some 100 MB/s; the rest waits in the agent's connection.
STREAM_BYTES_PER_S = 32 * MIB
PACED_BYTES = 256 * 1024
HEADERS = {"accept-encoding": "identity", "user-agent": "courtside"}


class Answer(NamedTuple):
    """A whole HTTP response."""

    status: int
    headers: httpx.Headers
    body: bytes


class Wire:
    """Use as an async context manager. Raises what `explained` turns into words."""

    def __init__(
        self, name: str, credentials: Credentials, *, public_only: bool = False
    ) -> None:
        self.name = name
        self.credentials = credentials
        self.public_only = public_only
        self.tasks = anyio.create_task_group()
        self._paced_until = 0.0
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Wire:
        auth, public_only = self.credentials.auth, self.public_only
        # A call on a pool of 1,000 open streams costs 3-6 ms: hence two clients.
        self.streams, self.calls = (
            http_client.client(timeout, auth, public_only=public_only)
            for timeout in (STREAM_TIMEOUT, httpx.Timeout(CALL_S))
        )
        async with AsyncExitStack() as opening:
            for client in (self.streams, self.calls):
                client.headers.update(HEADERS)
                opening.push_async_callback(client.aclose)
            await opening.enter_async_context(self.tasks)
            opening.callback(self.tasks.cancel_scope.cancel)
            self._stack = opening.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def explained(self, what: str, url: str) -> AbstractContextManager[None]:
        return explained(what, self.name, url)

    async def call(
        self,
        request: httpx.Request,
        *,
        max_bytes: int = MAX_BODY,
        deadline_s: float = CALL_S,
        redirects: bool = False,
    ) -> Answer:
        """The whole answer, within the deadline however slowly it drips.

        A redirect is an answer only where the caller asks for `redirects`.
        """
        # Patient calls may be many at a time: that client has no limit to them.
        client = self.calls if deadline_s <= CALL_S else self.streams
        timeout = httpx.Timeout(deadline_s, connect=CONNECT_S)
        request.extensions["timeout"] = timeout.as_dict()
        with anyio.fail_after(deadline_s):
            async with _sent(client, request, redirects) as response:
                body = bytearray()
                async for piece in response.aiter_raw():
                    body += piece
                    if len(body) > max_bytes:
                        raise too_large(max_bytes)
                return Answer(response.status_code, response.headers, bytes(body))

    async def status(self, request: httpx.Request) -> int:
        """Of any answer, be it a redirect."""
        with anyio.fail_after(CALL_S):
            async with _sent(self.calls, request, redirects=True) as response:
                return response.status_code

    async def pace(self, count: int) -> None:
        """Waits where all streams together have brought more bytes than they may."""
        begun_at = max(self._paced_until, anyio.current_time())
        self._paced_until = begun_at + count / STREAM_BYTES_PER_S
        await anyio.sleep_until(self._paced_until)

    def stream(self, request: httpx.Request) -> Stream:
        return Stream(self, request)


class Stream:
    """A response that is read while it comes: `pieces`, and its head with the first."""

    def __init__(self, wire: Wire, request: httpx.Request) -> None:
        self._wire = wire
        self._request = request
        self._ahead = Ahead(self._open)
        self.status = 0
        self.headers = httpx.Headers()

    @property
    def is_of_events(self) -> bool:
        kind = self.headers.get("content-type", "").lower()
        return self.status == httpx.codes.OK and kind.startswith(SSE)

    async def pieces(self) -> AsyncGenerator[bytes]:
        """What has arrived since the last time; first b"", when the head is there."""
        async with aclosing(self._ahead.lists(self._wire.tasks)) as lists:
            async for pieces in lists:
                yield b"".join(pieces)

    @asynccontextmanager
    async def _open(self) -> AsyncGenerator[AsyncIterator[bytes]]:
        async with _sent(self._wire.streams, self._request) as response:
            self.status = response.status_code
            self.headers = response.headers
            async with aclosing(self._body(response)) as body:
                yield body

    async def _body(self, response: httpx.Response) -> AsyncGenerator[bytes]:
        yield b""
        unpaced = 0
        async for piece in response.aiter_raw():
            yield piece
            unpaced += len(piece)
            if unpaced >= PACED_BYTES:
                await self._wire.pace(unpaced)
                unpaced = 0


def too_large(max_bytes: int) -> BadAnswer:
    return BadAnswer(f"too large: over {max_bytes // MIB} MiB")


def origin(url: httpx.URL) -> str:
    """Scheme, host and port, as people write them."""
    return f"{url.scheme}://{url.netloc.decode('ascii', 'replace')}"


@asynccontextmanager
async def _sent(
    client: httpx.AsyncClient, request: httpx.Request, redirects: bool = False
) -> AsyncGenerator[httpx.Response]:
    response = await client.send(request, stream=True)
    try:
        if response.next_request and not redirects:
            where = origin(response.next_request.url)
            raise BadAnswer(
                f"HTTP {response.status_code}: it points to {where}, which is not "
                "followed"
            )
        coding = response.headers.get("content-encoding", "identity")
        if coding != "identity":
            raise BadAnswer(f"bad answer: in {coding[:40]}, but plain was asked for")
        yield response
    finally:
        await response.aclose()

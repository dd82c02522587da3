"""Sends HTTP requests to one agent, with its credentials, deadlines and size limits."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable
from contextlib import (
    AbstractContextManager,
    AsyncExitStack,
    aclosing,
    asynccontextmanager,
)
from functools import partial
from typing import NamedTuple

import anyio
import anyio.to_thread
import httpx

from ...protocol.json_values import SMALL_BYTES, TooManyValues, check_count
from .. import http_client
from ..credentials import Credentials
from ..loop_budget import LoopBudget
from ..throttle import Throttle
from .content_decoder import ContentDecoder
from .echoes import EchoFilter
from .large_responses import LargeResponses
from .unreachable_errors import MAX_BEGIN, BadResponse, BodyTooLarge, map_errors

# Agents ping every 15 s: two missed pings and a margin.
STREAM_TIMEOUT = httpx.Timeout(connect=5, read=40, write=10, pool=5)
# Some agents send nothing until their work is done, and stop when the request ends.
RESPONSE_S = 3600.0
RESPONSE_TIMEOUT = httpx.Timeout(connect=5, read=RESPONSE_S, write=10, pool=5)
CALL_S = 5.0
CONNECT_S = 4.0  # Shorter than CALL_S: only httpx's own timeout closes the socket.
SSE = "text/event-stream"
MIB = 1024 * 1024
MAX_BODY = 8 * MIB
COMPRESSED = "Responses are compressed although the request asks for identity."
HEADERS = {"accept-encoding": "identity", "user-agent": "courtside"}


class HttpResponse(NamedTuple):
    status: int
    headers: httpx.Headers
    body: bytes


class HttpTransport:
    """Use as an async context manager, and its methods within `map_errors`."""

    def __init__(
        self,
        name: str,
        credentials: Credentials,
        *,
        public_only: bool = False,
        throttle: Throttle | None = None,
        budget: LoopBudget | None = None,
    ) -> None:
        self.name = name
        self.budget = budget or LoopBudget()
        self.throttle = throttle or Throttle(name)
        self.credentials = credentials
        self.echoes = EchoFilter(credentials)
        self.public_only = public_only
        self.task_group = anyio.create_task_group()
        self.lint: dict[str, None] = {}
        """What is wrong with the agent's responses although the host can read them."""
        self.unfinished_events = LargeResponses()
        self.large_bodies = LargeResponses()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> HttpTransport:
        # Streams and calls have other timeouts.
        self.stream_client = self._client(STREAM_TIMEOUT)
        self.call_client = self._client(httpx.Timeout(CALL_S))
        async with AsyncExitStack() as opening:
            opening.push_async_callback(self.stream_client.aclose)
            opening.push_async_callback(self.call_client.aclose)
            await opening.enter_async_context(self.task_group)
            opening.callback(self.task_group.cancel_scope.cancel)
            self._stack = opening.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def _client(self, timeout: httpx.Timeout) -> httpx.AsyncClient:
        client = http_client.client(
            timeout,
            self.credentials.auth,
            public_only=self.public_only,
            budget=self.budget,
        )
        client.headers.update(HEADERS)
        return client

    def map_errors(self, what: str, url: str) -> AbstractContextManager[None]:
        return map_errors(what, self.name, url)

    @asynccontextmanager
    async def call(
        self,
        request: httpx.Request,
        *,
        max_bytes: int = MAX_BODY,
        deadline_s: float = CALL_S,
        allow_redirect: bool = False,
        may_be_many: bool = False,
    ) -> AsyncGenerator[HttpResponse]:
        """Yield the whole response, received within the deadline.

        Large bodies take turns, and a turn lasts until the context ends: decode the
        body within it. A redirect is an error unless `allow_redirect` is set. The
        stream client has no limit for calls that `may_be_many` at once.
        """
        client = self.stream_client if may_be_many else self.call_client
        timeout = httpx.Timeout(deadline_s, connect=CONNECT_S)
        request.extensions["timeout"] = timeout.as_dict()
        try:
            with anyio.fail_after(deadline_s) as scope:
                async with self.send(client, request, allow_redirect) as response:
                    keep = partial(self.keep, request, scope)
                    body = await read_body(self.decoded(response), max_bytes, keep)
                    await _check_values(body)
                    body = await self.echoes.redact(body)
            yield HttpResponse(response.status_code, response.headers, body)
        finally:
            self.large_bodies.drop(request)

    async def keep(self, request: object, scope: anyio.CancelScope, size: int) -> None:
        """Wait for the turn of a large body. That does not count for the deadline."""
        left_s = scope.deadline - anyio.current_time()
        scope.deadline = math.inf
        await self.large_bodies.keep(request, size)
        scope.deadline = anyio.current_time() + left_s

    async def fetch_status(self, request: httpx.Request) -> int:
        """Return the status of any response, without its body."""
        with anyio.fail_after(CALL_S):
            async with self.send(self.call_client, request, True) as response:
                return response.status_code

    @asynccontextmanager
    async def send(
        self,
        client: httpx.AsyncClient,
        request: httpx.Request,
        allow_redirect: bool = False,
    ) -> AsyncGenerator[httpx.Response]:
        # An absolute deadline: interim responses would renew the one of `read`.
        with anyio.fail_after(request.extensions["timeout"]["read"]):
            response = await client.send(request, stream=True)
        status = response.status_code
        try:
            if demand := self.throttle.check(status, response.headers):
                raise BadResponse(demand, status)
            if response.next_request and not allow_redirect:
                raise BadResponse(
                    f"HTTP {status}: it redirects to "
                    f"{origin(response.next_request.url)}, which the host does not "
                    "follow",
                    status,
                )
            yield response
        finally:
            await response.aclose()

    def stream(self, request: httpx.Request) -> ResponseStream:
        return ResponseStream(self, request)

    async def decoded(self, response: httpx.Response) -> AsyncGenerator[bytes]:
        """Yield the decoded body. The limits count what it holds, not what was sent."""
        coding = response.headers.get("content-encoding", "")
        decoder = ContentDecoder(coding)
        if coding not in ("", "identity"):
            self.lint[COMPRESSED] = None
        async for chunk in response.aiter_raw():
            for piece in decoder.decode(chunk):
                if piece is not chunk:
                    self.budget.spend_bytes(len(piece))
                yield piece
                await self.budget.wait()


class ResponseStream:
    """A response that is read while it arrives. The first chunk sets `status`."""

    def __init__(self, transport: HttpTransport, request: httpx.Request) -> None:
        self._transport = transport
        self._request = request
        self.status = 0
        self.headers = httpx.Headers()

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Yield the bytes since the last chunk. The first chunk is empty."""
        transport = self._transport
        client = transport.stream_client
        try:
            async with transport.send(client, self._request) as response:
                self.status = response.status_code
                self.headers = response.headers
                yield b""
                async with aclosing(transport.decoded(response)) as body:
                    async for chunk in body:
                        yield chunk
        finally:
            transport.unfinished_events.drop(self)
            transport.large_bodies.drop(self)


async def read_body(
    chunks: AsyncIterable[bytes],
    max_bytes: int,
    keep: Callable[[int], Awaitable[None]],
    begun: bytes = b"",
) -> bytes:
    """Return the whole body. `keep` may wait, and gets the size so far."""
    body = bytearray(begun)
    async for chunk in chunks:
        body += chunk
        if len(body) > max_bytes:
            cause = f"too large: over {max_bytes // MIB} MiB"
            raise BodyTooLarge(cause, bytes(body[:MAX_BEGIN]))
        await keep(len(body))
    return bytes(body)


async def _check_values(body: bytes) -> None:
    """Raise BodyTooLarge for JSON that takes too long to parse."""
    if len(body) <= SMALL_BYTES:
        return
    try:
        await anyio.to_thread.run_sync(check_count, body)
    except TooManyValues as error:
        raise BodyTooLarge(f"too large: {error}", body) from error


def origin(url: httpx.URL) -> str:
    """Return scheme, host and port."""
    return f"{url.scheme}://{url.netloc.decode('ascii', 'replace')}"

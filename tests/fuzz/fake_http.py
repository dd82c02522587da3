"""The host's HTTP client, without sockets: each request gets the next response."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager

import httpx

from host.clients.bindings.http_transport import HttpTransport
from host.clients.credentials import Credentials
from host.clients.loop_budget import LoopBudget
from host.config.agent_settings import AgentSettings, CredentialSettings

URL = "http://127.0.0.1:1"
SECRET = "s3cret/of+the host"
SETTINGS = AgentSettings(url=URL, credentials=CredentialSettings(bearer=SECRET))


class Unlimited(LoopBudget):
    """Never makes an agent wait, but lets other tasks run where it could."""

    @property
    def wait_s(self) -> float:
        return 0.0

    async def wait(self) -> None:
        await asyncio.sleep(0)


class Pieces(httpx.AsyncByteStream):
    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            await asyncio.sleep(0)
            yield piece


class FakeHttp(HttpTransport):
    """Only `send` is replaced. Use it within an event loop."""

    def __init__(self) -> None:
        super().__init__("fuzz", Credentials(SETTINGS), budget=Unlimited())
        self.stream_client = self.call_client = CLIENT
        self.response = httpx.Response(200)

    def answer(self, pieces: Sequence[bytes], headers: httpx.Headers) -> None:
        self.response = httpx.Response(200, headers=headers, stream=Pieces(pieces))

    @asynccontextmanager
    async def send(
        self,
        client: httpx.AsyncClient,
        request: httpx.Request,
        allow_redirect: bool = False,
    ) -> AsyncGenerator[httpx.Response]:
        yield self.response


CLIENT = httpx.AsyncClient()  # Only builds requests.

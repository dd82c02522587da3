"""Owns one connection to one agent: its card and the A2A calls the host makes.

Speaks a2a-sdk and protobuf downwards, `host.a2a` structs and their JSON upwards;
collectors and the relay are its only users.
"""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, contextmanager
from functools import cache
from typing import Any, NamedTuple

import httpx
import msgspec
from a2a.client.card_resolver import A2ACardResolver
from a2a.client.client import Client, ClientConfig
from a2a.client.client_factory import ClientFactory
from a2a.client.errors import A2AClientError
from a2a.types import a2a_pb2 as pb
from a2a.utils.constants import TransportProtocol
from google.protobuf.json_format import MessageToDict, MessageToJson, ParseError
from google.protobuf.message import Message

from host import a2a
from host.errors import AgentUnreachable

# The SDK's defaults end a quiet stream after 5 s and block the 101st stream.
# Agents ping every 15 s: two missed pings and a margin.
STREAM_TIMEOUT = httpx.Timeout(connect=5, read=40, write=10, pool=5)
CALL_TIMEOUT = httpx.Timeout(5)
CARD = "the agent card"
PAGE_SIZE = 100
MAX_PAGES = 100
# What the SDK and the parsers raise for an answer that A2A does not allow.
BAD_ANSWERS = (
    ParseError,
    msgspec.DecodeError,
    RecursionError,
    ValueError,
    TypeError,
    AttributeError,
    KeyError,
)


class Update(NamedTuple):
    """One A2A stream response and its JSON as it goes into the log."""

    response: a2a.StreamResponse
    raw: bytes


class Listed(NamedTuple):
    """What ListTasks says of a task."""

    task_id: str
    state: str
    timestamp: str | None


class Connection:
    """Use as an async context manager; `card` is there once it is entered.

    Every call raises AgentUnreachable when the agent does not answer or answers
    what A2A does not allow, and the SDK's A2AError when it refuses.
    """

    def __init__(self, name: str, url: str) -> None:
        self.card = pb.AgentCard()
        self._name = name
        self._url = url
        self._streams = _client(STREAM_TIMEOUT, httpx.Limits(max_connections=None))
        # A call on a pool of 1,000 open streams costs 3-6 ms: hence a second one.
        self._calls = _client(CALL_TIMEOUT, httpx.Limits())

    async def __aenter__(self) -> Connection:
        try:
            await self.fetch_card()
            self._streaming = self._speak(self._streams, streaming=True)
            self._unary = self._speak(self._calls, streaming=False)
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._streams.aclose()
        await self._calls.aclose()

    async def fetch_card(self) -> None:
        with self._explained(CARD):
            self.card = await A2ACardResolver(self._calls, self._url).get_agent_card()

    def _speak(self, http: httpx.AsyncClient, *, streaming: bool) -> Client:
        config = ClientConfig(
            streaming=streaming,
            httpx_client=http,
            supported_protocol_bindings=[
                TransportProtocol.JSONRPC,
                TransportProtocol.HTTP_JSON,
            ],
        )
        try:
            return ClientFactory(config).create(self.card)
        except ValueError as error:
            offered = [i.protocol_binding for i in self.card.supported_interfaces]
            raise AgentUnreachable(
                f"bad card: {self._url} offers {offered or 'no interface'}; the host "
                "speaks JSONRPC and HTTP+JSON"
            ) from error

    async def send(self, request: pb.SendMessageRequest) -> AsyncGenerator[Update]:
        async for update in self._updates(self._streaming.send_message(request)):
            yield update

    async def subscribe(self, task_id: str) -> AsyncGenerator[Update]:
        request = pb.SubscribeToTaskRequest(id=task_id)
        async for update in self._updates(self._streaming.subscribe(request)):
            yield update

    async def _updates(
        self, stream: AsyncIterator[pb.StreamResponse]
    ) -> AsyncGenerator[Update]:
        with self._explained("a stream"):
            async with aclosing(stream) as responses:  # type: ignore[type-var]
                async for response in responses:
                    yield _update(response)

    async def get_task(self, task_id: str) -> Update:
        with self._explained("GetTask"):
            task = await self._unary.get_task(pb.GetTaskRequest(id=task_id))
            return _update(pb.StreamResponse(task=task))

    async def list_tasks(self, since: str | None) -> list[Listed]:
        """Tasks whose status is not older than `since` (RFC 3339), newest first."""
        found: list[Listed] = []
        request = pb.ListTasksRequest(page_size=PAGE_SIZE, history_length=0)
        if since:
            request.status_timestamp_after.FromJsonString(since)
        with self._explained("ListTasks"):
            for _ in range(MAX_PAGES):
                page = await self._unary.list_tasks(request)
                found.extend(_listed(task) for task in page.tasks)
                if not page.next_page_token:
                    return found
                request.page_token = page.next_page_token
            raise ValueError(f"the list has no end after {MAX_PAGES} pages")

    async def cancel(self, task_id: str) -> dict[str, Any]:
        """The task as the agent leaves it, which may not be cancelled."""
        with self._explained("CancelTask"):
            task = await self._unary.cancel_task(pb.CancelTaskRequest(id=task_id))
        return to_dict(task)

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        """Turns what the network and the SDK raise into one sentence."""
        try:
            yield
        except (httpx.HTTPError, A2AClientError, *BAD_ANSWERS) as error:
            cause = f"{_cause(error, what)} ({self._name}, {what} at {self._url})"
            raise AgentUnreachable(cause) from error


@cache
def _trusted() -> ssl.SSLContext:
    """The machine's certificates: to load them costs 20 ms of the event loop."""
    return httpx.create_ssl_context()


def _client(timeout: httpx.Timeout, limits: httpx.Limits) -> httpx.AsyncClient:
    """A proxy that the environment names does not stand before this machine."""
    direct = dict.fromkeys(("all://127.0.0.1", "all://localhost", "all://[::1]"))
    return httpx.AsyncClient(
        timeout=timeout, limits=limits, verify=_trusted(), mounts=direct
    )


def to_dict(message: Message) -> dict[str, Any]:
    """A protobuf message as A2A's JSON."""
    as_json: dict[str, Any] = MessageToDict(message)
    return as_json


def _update(response: pb.StreamResponse) -> Update:
    raw = MessageToJson(response, indent=None, ensure_ascii=False).encode()
    return Update(a2a.parse(raw), raw)


def _listed(task: pb.Task) -> Listed:
    stamp = task.status.timestamp
    return Listed(
        task.id,
        pb.TaskState.Name(task.status.state),
        stamp.ToJsonString() if task.status.HasField("timestamp") else None,
    )


def _cause(error: BaseException, what: str) -> str:
    """Why an agent could not be reached, in the words a person would use."""
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or link.__context__
    # Innermost first: the outer ones only say that something went wrong.
    for link in reversed(chain):
        if isinstance(link, socket.gaierror):
            return "DNS: there is no such host"
        if isinstance(link, ssl.SSLError):
            return f"TLS: {link.reason or link}"
        if isinstance(link, OSError) and link.errno == errno.ECONNREFUSED:
            return "refused: nothing listens there"
        if isinstance(link, httpx.TimeoutException):
            return "timeout: no answer in time"
        if isinstance(link, httpx.HTTPStatusError):
            return f"HTTP {link.response.status_code}"
        if isinstance(link, httpx.ConnectError):
            return "refused: no connection"
    if isinstance(error, A2AClientError) and what != CARD:
        return f"broken: {str(error)[:200]}"
    kind = "bad card" if what == CARD else "bad answer"
    return f"{kind}: {str(error)[:200]}"

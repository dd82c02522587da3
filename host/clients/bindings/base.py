"""The base of every binding: the operations of A2A, as calls and streams.

A subclass only transfers requests and responses: see `_fetch`, `_receive`, `_read`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    aclosing,
)
from functools import partial
from typing import Any, TypeVar

from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import MethodNotFoundError
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from ...errors import AgentUnreachable
from ...protocol.a2a_objects import RESUMABLE
from ..rate_limit import RateLimiter
from .http_transport import HttpTransport
from .operations import (
    CANCEL_TASK,
    GET_EXTENDED_CARD,
    GET_TASK,
    LIST_TASKS,
    SEND_MESSAGE,
    SEND_STREAMING_MESSAGE,
    SUBSCRIBE_TO_TASK,
    Operation,
)
from .types import (
    Batch,
    Interface,
    ListDetail,
    Page,
    Query,
    TaskTooLarge,
    Update,
)
from .unreachable_errors import BodyTooLarge
from .update_decoder import UpdateDecoder

Self = TypeVar("Self", bound="Binding")
Result = TypeVar("Result")
Item = Any
"""A response as the binding receives it: a Frame, or a protobuf message."""


class Binding(ABC):
    """One interface of an agent. Use as an async context manager.

    Every call raises AgentUnreachable if the agent does not answer or breaks the
    protocol, and A2AError if the agent refuses: MethodNotFoundError if it does not have
    the operation, UpdatesGone if it cannot replay. A call raises nothing else.
    """

    def __init__(
        self,
        interface: Interface,
        card: pb.AgentCard,
        http: HttpTransport,
        limiter: RateLimiter,
    ) -> None:
        self._url = interface.url
        self._version = interface.version
        self._is_v03 = interface.version == "0.3"
        self._tenant = "" if self._is_v03 else interface.tenant
        self._card = card
        self._http = http
        self._decoder = UpdateDecoder(limiter, http.budget)
        self._is_resumable = any(
            extension.uri == RESUMABLE for extension in card.capabilities.extensions
        )

    async def __aenter__(self: Self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    @abstractmethod
    async def reach(self) -> None:
        """Return if something answers at the URL, without an operation of A2A."""

    def send(
        self, request: pb.SendMessageRequest, *, streaming: bool
    ) -> AsyncGenerator[Batch]:
        """Return the stream of updates, or without streaming one Batch with one Update,
        which the agent is asked to send at once."""
        fields = {field.name: value for field, value in request.ListFields()}
        if streaming:
            return self._stream(SEND_STREAMING_MESSAGE, fields)
        configuration = pb.SendMessageConfiguration(return_immediately=True)
        configuration.MergeFrom(request.configuration)
        return self._send_once({**fields, "configuration": configuration})

    async def _send_once(self, fields: dict[str, Any]) -> AsyncGenerator[Batch]:
        yield Batch([await self._call(SEND_MESSAGE, fields)])

    def subscribe(self, task_id: str, after: int | None) -> AsyncGenerator[Batch]:
        """Return a task's updates: those after number `after`, or the Task and the
        updates after it."""
        return self._stream(SUBSCRIBE_TO_TASK, {"id": task_id}, after)

    async def get_task(self, task_id: str) -> Update:
        """Return the Task; `response.task` is set. Raises TaskTooLarge."""
        try:
            return await self._call(GET_TASK, {"id": task_id})
        except AgentUnreachable as error:
            if not isinstance(error.__cause__, BodyTooLarge):
                raise
            known = await self._read_begin(error.__cause__.begin)
            raise TaskTooLarge(str(error), known) from None

    async def _read_begin(self, begin: bytes) -> Update | None:
        """Return a status update with the state of a Task that is too large."""
        return None

    async def list_tasks(self, query: Query) -> Page:
        """Return the newest tasks first, without history and artifacts."""
        if query.detail:
            plain: dict[str, Any] = {"page_token": query.page_token}
            if query.detail is ListDetail.PAGES:
                plain["page_size"] = query.page_size
            return await self._call(LIST_TASKS, plain)
        since = None
        if query.since:
            since = Timestamp()
            since.FromJsonString(query.since)
        fields = {
            "page_size": query.page_size,
            "page_token": query.page_token,
            "history_length": 0,
            "status": query.status,
            "status_timestamp_after": since,
        }
        return await self._call(LIST_TASKS, fields)

    async def cancel(self, task_id: str) -> Update:
        """Return the Task as the agent leaves it; `response.task` is set."""
        return await self._call(CANCEL_TASK, {"id": task_id})

    async def extended_card(self) -> pb.AgentCard:
        """Return the card that the agent shows to authenticated clients."""
        return await self._call(GET_EXTENDED_CARD, {})

    async def _call(
        self, operation: Operation[Result], fields: dict[str, Any]
    ) -> Result:
        if self._is_v03 and operation.name_v03 is None:
            raise MethodNotFoundError(f"A2A 0.3 has no {operation.name}")
        with self._map_errors(operation.name):
            request = self._request(operation, fields)
            async with self._fetch(operation, request) as response:
                read = partial(self._read, operation, response)
                return await self._decoder.run(read, self._size(response))

    async def _stream(
        self,
        operation: Operation[Update],
        fields: dict[str, Any],
        after: int | None = None,
    ) -> AsyncGenerator[Batch]:
        headers = {} if after is None else {"last-event-id": str(after)}
        read = partial(self._read_streamed, operation)
        with self._map_errors(operation.name):
            request = self._request(operation, fields)
            async with aclosing(self._receive(operation, request, headers)) as arrived:
                async for batch in self._decoder.batches(arrived, read, self._size):
                    yield batch
                    del batch  # A quiet stream must not keep it in memory.

    def _request(self, operation: Operation[Any], fields: dict[str, Any]) -> Message:
        return operation.request(**{**fields, "tenant": self._tenant})

    def _map_errors(self, what: str) -> AbstractContextManager[None]:
        return self._http.map_errors(what, self._url)

    @abstractmethod
    def _fetch(
        self, operation: Operation[Any], request: Message
    ) -> AbstractAsyncContextManager[Item]:
        """Send a request and yield its response, to decode it within the context."""

    @abstractmethod
    def _receive(
        self, operation: Operation[Any], request: Message, headers: dict[str, str]
    ) -> AsyncGenerator[list[Item]]:
        """Send a request and yield the responses of its stream as they arrive."""

    @abstractmethod
    def _read(self, operation: Operation[Result], item: Item) -> Result:
        """Read a response. Raises ValueError, or the A2AError that it contains."""

    def _read_streamed(self, operation: Operation[Result], item: Item) -> Result:
        """Read a response of a stream. Also raises NotAnUpdate."""
        return self._read(operation, item)

    @abstractmethod
    def _size(self, item: Item) -> int:
        """Return the size in bytes."""

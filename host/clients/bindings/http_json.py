"""Owns A2A 1.0 over HTTP+JSON (section 11): paths out, bodies as they came back in.

The connection speaks it through the Binding contract; a2a reads the bodies.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any
from urllib.parse import quote

import httpx
import msgspec
from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import MethodNotFoundError, TaskNotFoundError
from google.protobuf.json_format import MessageToDict

from ...protocol.a2a_parser import parse_list
from ...protocol.agent_card import parse_card
from .a2a_errors import from_http, from_status
from .agent_http import CALL_S, Answer
from .failure_causes import Unnamed
from .http_binding import (
    CANCEL_S,
    SEND_S,
    HttpBinding,
    answer_update,
    list_params,
    stream_update,
    task_update,
)
from .sse import Frame, too_large
from .types import Batch, Page, Query, Update


class Rest(HttpBinding):
    """See types.Binding."""

    # The specification has GET, its own SDKs send POST, agents take one or both.
    _version = ""
    _card = "/extendedAgentCard"
    _subscribe_by: tuple[str, ...] = ("POST", "GET")

    def send(
        self, request: pb.SendMessageRequest, *, streaming: bool
    ) -> AsyncGenerator[Batch]:
        asked = pb.SendMessageRequest()
        asked.CopyFrom(request)
        if streaming:
            return self._stream(
                "SendStreamingMessage",
                lambda: self._ask("POST", "/message:stream", self._message(asked)),
            )
        asked.configuration.return_immediately = True
        return self._send_once(asked)

    async def _send_once(self, asked: pb.SendMessageRequest) -> AsyncGenerator[Batch]:
        with self._wire.explained("SendMessage", self._url):
            message = self._ask("POST", "/message:send", self._message(asked))
            body = await self._call(message, SEND_S)
            yield Batch([await self._aside(self._answer, body)])

    async def subscribe(self, task_id: str, after: int | None) -> AsyncGenerator[Batch]:
        for method in self._subscribe_by:
            try:
                stream = self._subscribe(method, task_id, after)
                async with aclosing(stream):
                    async for batch in stream:
                        self._subscribe_by = (method,)
                        yield batch
                return
            except MethodNotFoundError:
                if method == self._subscribe_by[-1]:
                    raise

    def _subscribe(
        self, method: str, task_id: str, after: int | None
    ) -> AsyncGenerator[Batch]:
        headers = {} if after is None else {"last-event-id": str(after)}
        return self._stream(
            "SubscribeToTask",
            lambda: self._ask(method, _path(task_id, ":subscribe"), headers=headers),
        )

    async def get_task(self, task_id: str) -> Update:
        with self._wire.explained("GetTask", self._url):
            try:
                body = await self._call(self._ask("GET", _path(task_id)))
            except MethodNotFoundError as error:
                # Every agent has GetTask: a bare 404 must mean the task.
                raise TaskNotFoundError(str(error)) from error
            return await self._aside(self._task, body)

    async def list_tasks(self, query: Query) -> Page:
        with self._wire.explained("ListTasks", self._url):
            asked = self._ask("GET", "/tasks", params=list_params(query))
            body = await self._call(asked)
            return Page(*await self._aside(parse_list, body))

    async def cancel(self, task_id: str) -> Update:
        with self._wire.explained("CancelTask", self._url):
            asked = self._ask("POST", _path(task_id, ":cancel"), {})
            return await self._aside(self._task, await self._call(asked, CANCEL_S))

    async def extended_card(self) -> pb.AgentCard:
        with self._wire.explained("GetExtendedAgentCard", self._url):
            return parse_card(await self._call(self._ask("GET", self._card)))

    def _message(self, request: pb.SendMessageRequest) -> dict[str, Any]:
        """The body of a message."""
        return MessageToDict(request)

    def _update(self, body: bytes) -> Update:
        """From an event of a stream. Raises ValueError, as the next two."""
        return stream_update(body)

    def _answer(self, body: bytes) -> Update:
        """From what SendMessage answers."""
        return answer_update(body)

    def _task(self, body: bytes) -> Update:
        """From a Task."""
        return task_update(body)

    def _ask(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        headers: dict[str, str] | None = None,
        params: dict[str, Any] | None = None,
    ) -> httpx.Request:
        tenant = f"/{quote(self._tenant, '')}" if self._tenant else ""
        content = None if body is None else msgspec.json.encode(body)
        url = self._url.rstrip("/") + self._version + tenant + path
        return self._request(method, url, content, headers, params)

    async def _call(self, asked: httpx.Request, deadline_s: float = CALL_S) -> bytes:
        answer = await self._wire.call(asked, deadline_s=deadline_s)
        if not httpx.codes.is_success(answer.status):
            raise self._refused(answer)
        return answer.body

    def _read(self, frame: Frame) -> Update:
        if frame.data is None:
            raise too_large()
        if not frame.is_error:
            try:
                return self._update(frame.data)
            except ValueError:
                # Some say it without calling the event an error.
                refusal = from_status(frame.data)
                if refusal is None:
                    raise
                raise refusal from None
        said = frame.data.decode(errors="replace")[:200]
        raise from_status(frame.data) or Unnamed(said)

    def _refused(self, answer: Answer) -> Exception:
        return from_http(answer.status, answer.body)


def _path(task_id: str, verb: str = "") -> str:
    return f"/tasks/{quote(task_id, '')}{verb}"

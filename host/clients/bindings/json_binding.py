"""The common base of JSON-RPC and HTTP+JSON: sends JSON requests, and reads responses
as JSON or server-sent events."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from functools import partial
from typing import Any, TypeVar

import anyio
import anyio.to_thread
import httpx
import msgspec
from a2a.utils.errors import A2AError
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from ...observability import trace
from ...observability.redaction import redact
from ...protocol.a2a_objects import RESUMABLE, StatusUpdate, StreamResponse
from ...protocol.json_begin import read_begin
from ...protocol.task_status import status_of
from ..loop_budget import STREAM
from .base import Binding
from .heartbeats import is_heartbeat
from .http_transport import (
    CALL_S,
    MAX_BODY,
    RESPONSE_TIMEOUT,
    SSE,
    HttpResponse,
    ResponseStream,
    read_body,
)
from .json_lines import JsonLinesParser
from .operations import GET_TASK, SEND_STREAMING_MESSAGE, Operation
from .sse import BOM, Frame, SseParser
from .types import NotAnUpdate, Update
from .unreachable_errors import BadResponse

JSON = "application/json"
SSE_LINE = re.compile(rb"(data|event|id|retry|):")
MAX_SHOWN = 8192  # Bytes that are searched for credentials, to show the first few.
MIN_BEGIN = 8  # Bytes that show what a body is.
# What the page shows of an agent that the host reads nevertheless.
NONSTANDARD = (
    "Some updates are not in the JSON form of A2A 1.0: for example, they have forms of "
    "0.3, true as text, or trailing commas. The host reads them nevertheless."
)
HEARTBEAT = (
    "Streams contain data that is not an update, such as pings. SSE has comments for "
    "pings."
)
NOT_SSE = f"Streams do not have the content type {SSE}."
DENIED = (401, 403)
# Statuses of a proxy in front of the agent, not of the agent.
UNREACHABLE = (*DENIED, 502, 503, 504)

LARGE_REQUEST = 16 * 1024

Json = dict[str, Any]
Result = TypeVar("Result")


class JsonBinding(Binding):
    async def reach(self) -> None:
        with self._map_errors("a GET"):
            request = self._build_request("GET", self._url)
            status = await self._http.fetch_status(request)
            if status in UNREACHABLE:
                raise BadResponse(f"HTTP {status}", status)

    @abstractmethod
    def _encode(self, operation: Operation[Any], request: Message) -> httpx.Request:
        """Return the HTTP request of an operation."""

    @abstractmethod
    def _error(self, operation: Operation[Any], response: HttpResponse) -> Exception:
        """Return the error that a status other than 2xx means."""

    def _params(self, request: Message) -> Json:
        """Return a request as JSON, in the form of the protocol version."""
        return MessageToDict(request)

    def _upgrade(self, operation: Operation[Any], data: bytes) -> bytes:
        """Return a response's JSON in the form of A2A 1.0."""
        return data

    def _build_request(
        self,
        method: str,
        url: str,
        body: Json | None = None,
        params: Json | None = None,
    ) -> httpx.Request:
        headers = {
            "a2a-version": self._version,
            "accept": JSON,
            **trace.trace_headers(),
        }
        if self._is_resumable:
            headers["a2a-extensions"] = RESUMABLE
            if self._is_v03:
                headers["x-a2a-extensions"] = RESUMABLE
        if body is not None:
            headers["content-type"] = JSON
        return self._http.stream_client.build_request(
            method,
            url,
            content=None if body is None else msgspec.json.encode(body),
            headers=headers,
            params=params,
        )

    async def _encode_request(
        self, operation: Operation[Any], request: Message
    ) -> httpx.Request:
        """Encode a large request in a thread: each value takes 5 µs."""
        if request.ByteSize() <= LARGE_REQUEST:
            return self._encode(operation, request)
        return await anyio.to_thread.run_sync(self._encode, operation, request)

    @asynccontextmanager
    async def _fetch(
        self, operation: Operation[Any], request: Message
    ) -> AsyncGenerator[Frame]:
        async with self._http.call(
            await self._encode_request(operation, request),
            deadline_s=operation.deadline_s,
            may_be_many=operation.may_be_many,
        ) as response:
            if not httpx.codes.is_success(response.status):
                raise self._error(operation, response)
            yield Frame(response.body)

    async def _read_begin(self, begin: bytes) -> Update | None:
        try:
            return await self._decoder.run(
                partial(self._parse_begin, begin), len(begin)
            )
        except (ValueError, A2AError):
            return None

    def _parse_begin(self, begin: bytes) -> Update | None:
        data = msgspec.json.encode(read_begin(begin))
        frame = Frame(self._http.echoes.redact_small(data))
        task = self._read(GET_TASK, frame).response.task
        if task is None or status_of(task.status.state) == "unknown":
            return None
        update = StatusUpdate(
            task_id=task.id,
            context_id=task.context_id,
            status=task.status,
            metadata=task.metadata,
        )
        response = StreamResponse(status_update=update)
        return Update(response, msgspec.json.encode(response))

    async def _receive(
        self, operation: Operation[Any], request: Message, headers: dict[str, str]
    ) -> AsyncGenerator[list[Frame]]:
        http_request = await self._encode_request(operation, request)
        http_request.headers.update(headers)
        http_request.headers["accept"] = f"{SSE}, {JSON};q=0.5"
        http_request.headers["cache-control"] = "no-store"
        if operation is SEND_STREAMING_MESSAGE:
            http_request.extensions["timeout"] = RESPONSE_TIMEOUT.as_dict()
        stream = self._http.stream(http_request)
        parser, begin = None, b""
        async with aclosing(stream.chunks()) as chunks:
            async for chunk in chunks:
                if not httpx.codes.is_success(stream.status):
                    with anyio.fail_after(CALL_S):
                        keep = partial(self._http.large_bodies.keep, stream)
                        body = await read_body(chunks, MAX_BODY, keep, begun=chunk)
                    body = await self._http.echoes.redact(body)
                    response = HttpResponse(stream.status, stream.headers, body)
                    raise self._error(operation, response)
                if parser is None:
                    chunk = begin = begin + chunk
                    parser = _choose_parser(begin, stream.headers)
                    if parser is None:
                        continue
                turn, frames = parser.TURN_BYTES, []
                for start in range(0, len(chunk), turn):
                    with self._http.budget.spend(STREAM):
                        frames += parser.feed(chunk[start : start + turn])
                    await self._http.unfinished_events.keep(stream, parser.kept_bytes)
                    await self._http.budget.wait()
                if frames:
                    yield await self._http.echoes.redact_frames(frames)
                    self._check_content_type(stream)
                    frames = []  # A quiet stream must not keep them in memory.
        parser = parser or _choose_parser(begin + b"\n", stream.headers)
        if parser and (frames := parser.finish()):
            yield await self._http.echoes.redact_frames(frames)
            self._check_content_type(stream)

    def _check_content_type(self, stream: ResponseStream) -> None:
        """Call it once a frame was read: a refusal is JSON, and nothing is wrong."""
        if not stream.headers.get("content-type", JSON).startswith(SSE):
            self._http.lint[NOT_SSE] = None

    def _read_streamed(self, operation: Operation[Result], item: Frame) -> Result:
        try:
            result = self._read(operation, item)
        except ValueError as error:
            if is_heartbeat(item):
                self._http.lint[HEARTBEAT] = None
                raise NotAnUpdate(str(error)) from None
            raise
        if isinstance(result, Update) and result.is_nonstandard:
            self._http.lint[NONSTANDARD] = None
        return result

    def _size(self, item: Frame) -> int:
        return len(item.data) if item.data else 0


def _choose_parser(
    begin: bytes, headers: httpx.Headers
) -> SseParser | JsonLinesParser | None:
    """Return the parser for a body that begins so, None if it is too short to tell.

    Some agents give no or a wrong content type. Raises BadResponse for other bodies.
    """
    kind = headers.get("content-type", "")
    start = begin.removeprefix(BOM).lstrip()
    if start[:1] in (b"{", b"["):
        return JsonLinesParser()
    if kind.lower().startswith(SSE) and start:
        return SseParser()
    if SSE_LINE.match(start):
        return SseParser()
    if len(start) < MIN_BEGIN and (not start or b"\n" not in begin):
        return None
    # Redacted before they are cut: a part of a credential is not recognized.
    kind, text = redact(kind), redact(start[:MAX_SHOWN].decode(errors="replace"))
    raise BadResponse(
        f"bad response: {kind[:80] or 'no content type'} instead of {SSE}; it begins: "
        f"{text[:80]}"
    )

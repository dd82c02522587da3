"""Owns what the HTTP bindings have in common: requests, streams, one answer or many.

JSON-RPC and HTTP+JSON say what they ask and how an answer is read; batches come out.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from types import TracebackType
from typing import Any, TypeVar

import anyio
import httpx
import msgspec
from a2a.types import a2a_pb2 as pb

from ...observability import trace
from ...protocol import lenient_json
from ...protocol.a2a_objects import RESUMABLE, StreamResponse
from ...protocol.a2a_parser import parse_response, parse_strict, parse_task
from .agent_http import CALL_S, MAX_BODY, SSE, Answer, Stream, Wire, too_large
from .decoder import Intake
from .failure_causes import BadAnswer
from .sse import Frame, Splitter, size_of
from .types import Admission, Batch, Interface, Query, Update

JSON = "application/json"
# An agent that cannot answer at once answers a message when its work is done.
SEND_S = 60.0
CANCEL_S = 10.0  # Some wait until the work has really stopped.
# What a door or a gateway says, not the agent behind it.
DENIED = (401, 403)
AWAY = (*DENIED, 502, 503, 504)

TURN_BYTES = 128 * 1024  # A flood comes in megabytes: each is 4 ms only to split.
# Comments without end cost time and bring nothing: a tenth of it is enough for them.
IDLE_S = 0.0005
IDLE_REST = 9

_any_json = msgspec.json.Decoder(msgspec.Raw)

Speaker = TypeVar("Speaker", bound="HttpBinding")
Result = TypeVar("Result")


class HttpBinding:
    """A binding over server-sent events and JSON."""

    def __init__(
        self, interface: Interface, card: pb.AgentCard, wire: Wire, budget: Admission
    ) -> None:
        self._url = interface.url
        self._tenant = interface.tenant
        self._wire = wire
        self._intake = Intake(budget)
        self._headers = {"a2a-version": interface.version, "accept": JSON}
        declared = [extension.uri for extension in card.capabilities.extensions]
        if RESUMABLE in declared:
            self._headers["a2a-extensions"] = RESUMABLE

    async def __aenter__(self: Speaker) -> Speaker:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        pass

    async def reach(self) -> None:
        with self._wire.explained("a GET", self._url):
            asked = self._request("GET", self._url)
            status = await self._wire.status(asked)
            if status in AWAY:
                raise BadAnswer(f"HTTP {status}")

    def _read(self, frame: Frame) -> Update:
        """The update in an event or a JSON answer. Raises ValueError or A2AError."""
        raise NotImplementedError

    def _refused(self, answer: Answer) -> Exception:
        """What an answer that is not 2xx means."""
        raise NotImplementedError

    def _request(
        self,
        method: str,
        url: str,
        content: bytes | None = None,
        headers: dict[str, str] | None = None,
        params: dict[str, str] | None = None,
    ) -> httpx.Request:
        kind = {} if content is None else {"content-type": JSON}
        return self._wire.streams.build_request(
            method,
            url,
            content=content,
            headers={**self._headers, **kind, **trace.headers(), **(headers or {})},
            params=params,
        )

    async def _stream(
        self, what: str, ask: Callable[[], httpx.Request]
    ) -> AsyncGenerator[Batch]:
        with self._wire.explained(what, self._url):
            async with aclosing(self._frames(ask())) as arrived:
                async for batch in self._intake.batches(arrived, self._read, size_of):
                    yield batch

    async def _aside(self, read: Callable[[bytes], Result], body: bytes) -> Result:
        """What `read` makes of a whole answer."""
        return await self._intake.aside(lambda: read(body), len(body))

    async def _frames(self, request: httpx.Request) -> AsyncGenerator[list[Frame]]:
        request.headers["accept"] = f"{SSE}, {JSON};q=0.5"
        request.headers["cache-control"] = "no-store"
        stream = self._wire.stream(request)
        splitter = Splitter()
        async with aclosing(stream.pieces()) as pieces:
            async for piece in pieces:
                if not stream.is_of_events:
                    yield [await self._only(stream, piece, pieces)]
                    return
                for start in range(0, len(piece), TURN_BYTES):
                    begun_at = time.perf_counter()
                    if frames := splitter.feed(piece[start : start + TURN_BYTES]):
                        yield frames
                    elif (spent_s := time.perf_counter() - begun_at) > IDLE_S:
                        await anyio.sleep(spent_s * IDLE_REST)

    async def _only(
        self, stream: Stream, begun: bytes, pieces: AsyncGenerator[bytes]
    ) -> Frame:
        """A whole answer where a stream was asked for: a refusal, or the one update."""
        body = bytearray(begun)
        with anyio.fail_after(CALL_S):
            async for piece in pieces:
                body += piece
                if len(body) > MAX_BODY:
                    raise too_large(MAX_BODY)
        answer = Answer(stream.status, stream.headers, bytes(body))
        if not httpx.codes.is_success(answer.status):
            raise self._refused(answer)
        kind = answer.headers.get("content-type", "no content type")
        if "json" not in kind:
            raise BadAnswer(f"bad answer: {kind[:80]} where {SSE} was asked for")
        return Frame(answer.body)


def list_params(query: Query) -> dict[str, Any]:
    """What ListTasks is asked, as A2A names it."""
    params = {
        "pageSize": query.page_size,
        "historyLength": 0,
        "statusTimestampAfter": query.since,
        "status": query.status,
        "pageToken": query.page_token,
    }
    return {name: value for name, value in params.items() if value not in (None, "")}


def sound(data: bytes) -> bytes:
    """JSON as it is, or written anew where it was not quite JSON in UTF-8.

    Raises ValueError where it is no JSON object at all.
    """
    try:
        _any_json.decode(data)
        if data.isascii() or data.decode():
            return data
    except (ValueError, RecursionError):
        pass
    return msgspec.json.encode(lenient_json.decode(data))


def stream_update(data: bytes) -> Update:
    """An Update from a StreamResponse's JSON. Raises ValueError."""
    plain = parse_strict(data)
    if plain and data.isascii():
        return Update(plain, data)
    raw = sound(data)
    return Update(parse_response(raw), raw)


def answer_update(data: bytes) -> Update:
    """The same from what SendMessage answers, be it a bare Task. Raises ValueError."""
    try:
        return stream_update(data)
    except ValueError:
        return task_update(data)


def task_update(data: bytes) -> Update:
    """An Update from a Task's JSON, also where it is wrapped. Raises ValueError."""
    data = sound(data)
    task = parse_task(data)
    whole = msgspec.json.decode(data)
    for body in (whole, *whole.values()):
        if isinstance(body, dict) and body.get("id") == task.id:
            break
    raw = msgspec.json.encode({"task": body})
    return Update(StreamResponse(task=task), raw)

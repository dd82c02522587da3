"""Sends one input through a part of the reading path, as a network may deliver it.

A part is the code that the host runs for the bytes of an agent or of a client. It may
raise only the errors that its docstring names, which each function suppresses.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from functools import cache
from random import Random
from typing import Any, NamedTuple

import httpx
from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import A2AError

from host.clients.aiohttp_transport import MAX_HEAD_LINE, PART, _MeteredConnection
from host.clients.bindings.base import Binding
from host.clients.bindings.grpc import Grpc
from host.clients.bindings.grpc_methods import find_method
from host.clients.bindings.http_json import HttpJson
from host.clients.bindings.jsonrpc import JsonRpc
from host.clients.bindings.operations import SUBSCRIBE_TO_TASK
from host.clients.bindings.types import Interface, Query, Update
from host.clients.bindings.v03 import HttpJsonV03, JsonRpcV03
from host.clients.card import fetch_card, list_interfaces
from host.clients.rate_limit import RateLimiter
from host.errors import AgentUnreachable
from host.gateway.card import build_card
from host.model.board import Board
from host.model.event import decode, encode
from host.protocol.json_begin import read_begin
from host.protocol.lenient_json import decode as decode_leniently
from host.protocol.task_record import TaskRecord
from host.protocol.trailing_commas import blank_trailing_commas
from host.protocol.translate import translate
from tests.fuzz import seeds
from tests.fuzz.fake_http import URL, FakeHttp, Unlimited
from tests.fuzz.fake_transport import FakeTransport
from tests.fuzz.mutations import split
from tests.fuzz.request_path import read_requests

NOW = "2026-11-23T12:00:00.000Z"
DOCUMENTED = (A2AError, AgentUnreachable)
SSE = httpx.Headers({"content-type": "text/event-stream"})
NO_HEADERS = httpx.Headers()
RATE_PER_S = 1e9
Read = Callable[[Random, bytes], Awaitable[None]]


class Part(NamedTuple):
    """A part of the reading path, and valid inputs for it."""

    read: Read
    seeds: Sequence[bytes]


async def read_sse(random: Random, data: bytes) -> None:
    await _read_stream(_binding(JsonRpc), split(random, data), SSE)


async def read_sse_of_v03(random: Random, data: bytes) -> None:
    binding = _binding(JsonRpcV03, version="0.3")
    await _read_stream(binding, split(random, data), SSE)


async def read_lines(random: Random, data: bytes) -> None:
    await _read_stream(_binding(HttpJson), split(random, data), NO_HEADERS)


async def read_compressed(random: Random, data: bytes) -> None:
    coding = random.choice(("gzip", "deflate"))
    headers = httpx.Headers({**SSE, "content-encoding": coding})
    await _read_stream(_binding(JsonRpc), split(random, data), headers)


async def read_http(random: Random, data: bytes) -> None:
    """Read HTTP responses, with chunks, trailers and interim responses."""
    connection = _MeteredConnection(asyncio.get_running_loop(), Unlimited())
    connection.connection_made(FakeTransport())
    connection.set_response_params(
        auto_decompress=False,
        read_until_eof=True,
        max_line_size=MAX_HEAD_LINE,
        max_field_size=MAX_HEAD_LINE,
    )
    for piece in split(random, data):
        for start in range(0, len(piece), PART):
            connection.data_received(piece[start : start + PART])
            await asyncio.sleep(0)
    received = [connection._buffer.popleft()[0] for _ in connection._buffer.copy()]
    connection.connection_lost(None)
    for head, body in received:
        if body.exception() is None:
            headers = httpx.Headers(list(head.raw_headers))
            await _read_stream(_binding(JsonRpc), [body.read_nowait()], headers)


async def read_update(_random: Random, data: bytes) -> None:
    await _read_stream(_binding(HttpJson), [b"data: ", data, b"\n\n"], SSE)


async def read_task(random: Random, data: bytes) -> None:
    kind, version = random.choice(BINDINGS)
    binding = _binding(kind, version)
    binding._http.answer(split(random, data), NO_HEADERS)
    with suppress(*DOCUMENTED):
        _translate(TaskRecord("fuzz", "t1"), await binding.get_task("t1"))


async def read_update_of_v03(random: Random, data: bytes) -> None:
    binding = _binding(random.choice((HttpJsonV03, JsonRpcV03)), "0.3")
    await _read_stream(binding, [b"data: ", data, b"\n\n"], SSE)


async def read_page(random: Random, data: bytes) -> None:
    binding = _binding(random.choice((HttpJson, JsonRpc)))
    binding._http.answer(split(random, data), NO_HEADERS)
    with suppress(*DOCUMENTED):
        await binding.list_tasks(Query())


async def read_grpc(_random: Random, data: bytes) -> None:
    binding = _binding(Grpc)
    with suppress(ValueError, A2AError):
        method = find_method(SUBSCRIBE_TO_TASK, is_v03=False)
        response = method.measure(data)
        update = binding._read_streamed(SUBSCRIBE_TO_TASK, response)
        _translate(TaskRecord("fuzz", "t1"), update)


async def read_card(random: Random, data: bytes) -> None:
    http = FakeHttp()
    http.answer(split(random, data), NO_HEADERS)
    with suppress(*DOCUMENTED):
        card = await fetch_card(http, URL)
        list_interfaces(card)
        build_card(card, "http://127.0.0.1:8000/a2a/carly", locked=True)


async def read_lenient_json(_random: Random, data: bytes) -> None:
    text = data.decode(errors="replace")
    assert len(blank_trailing_commas(text)) == len(text)
    assert isinstance(read_begin(data), dict)
    await asyncio.sleep(0)
    with suppress(ValueError):
        decode_leniently(data)


@cache
def _binding(kind: type[Any], version: str = "1.0") -> Any:
    limiter = RateLimiter(rate_per_s=RATE_PER_S)
    return kind(Interface("", version, URL), pb.AgentCard(), FakeHttp(), limiter)


async def _read_stream(
    binding: Binding, pieces: Sequence[bytes], headers: httpx.Headers
) -> None:
    """Read the pieces of a response's body as a stream of updates."""
    binding._http.answer(pieces, headers)  # type: ignore[attr-defined]
    record = TaskRecord("fuzz", "t1")
    with suppress(*DOCUMENTED):
        async with aclosing(binding.subscribe("t1", None)) as batches:
            async for batch in batches:
                for update in batch.updates:
                    _translate(record, update)
                await asyncio.sleep(0)


def _translate(record: TaskRecord, update: Update) -> None:
    events = translate(record, update.response, NOW, None)
    record.add(events)
    board = Board()
    for event in events:
        assert decode(encode(event)) == event
        board.fold(event)


BINDINGS = [
    (JsonRpc, "1.0"),
    (HttpJson, "1.0"),
    (JsonRpcV03, "0.3"),
    (HttpJsonV03, "0.3"),
]
PARTS: dict[str, Part] = {
    "sse": Part(read_sse, seeds.sse),
    "sse of 0.3": Part(read_sse_of_v03, [*seeds.sse, seeds.as_sse(*seeds.calls_v03)]),
    "json lines": Part(read_lines, [*seeds.lines, *seeds.updates]),
    "gzip and deflate": Part(read_compressed, seeds.compressed),
    "http and chunks": Part(read_http, seeds.responses),
    "update": Part(read_update, seeds.updates),
    "task": Part(read_task, [*seeds.calls, *seeds.calls_v03, *seeds.updates]),
    "update of 0.3": Part(
        read_update_of_v03, [*seeds.updates_v03, *seeds.calls_v03, *seeds.updates]
    ),
    "list": Part(read_page, seeds.pages),
    "grpc": Part(read_grpc, seeds.protobuf),
    "card": Part(read_card, seeds.cards),
    "lenient json": Part(read_lenient_json, [*seeds.commas, *seeds.calls]),
    "http requests": Part(read_requests, seeds.requests),
}

"""Tests that a JSON body has a limit in values as well as in bytes, and that parsing it
does not block the event loop.

Covers host/api/json_body.py.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.lowlevel
import msgspec
import pytest
from google.protobuf.json_format import ParseError
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.types import Message

from host.api.json_body import (
    IN_THREAD_BYTES,
    MAX_LARGE,
    MAX_VALUES,
    BodyTooLarge,
    read_json,
    run_parser,
)
from host.api.request_limits import MAX_BODY_BYTES

# Half of the largest body: 2 MiB.
SIZE = MAX_BODY_BYTES // 2
ODD_BODIES = {
    "parts": b'{"parts":[' + b'{"text":""},' * (SIZE // 12) + b"0]}",
    "lists": b'{"a":[' + b"[]," * (SIZE // 3) + b"0]}",
    "numbers": b'{"a":[' + b"0," * (SIZE // 2) + b"0]}",
    "keys": b"{" + b'"a":0,' * (SIZE // 6) + b'"b":0}',
    "commas": b"," * SIZE,
    "quotes": b'{"a":1' + b',""' * (SIZE // 3),
    "only quotes": b'"' * SIZE + b"," * (MAX_VALUES + 1),
}


def request(*chunks: bytes) -> Request:
    waiting = list(chunks)

    async def receive() -> Message:
        body = waiting.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(waiting)}

    headers = [(b"content-type", b"application/json")]
    return Request({"type": "http", "headers": headers}, receive)


async def read(*chunks: bytes) -> dict[str, Any]:
    return await read_json(request(*chunks), dict)


@asynccontextmanager
async def measure_pauses() -> AsyncIterator[list[float]]:
    """Yield the times in which the event loop did nothing else."""
    pauses: list[float] = []

    async def tick() -> None:
        while True:
            before = time.perf_counter()
            await anyio.lowlevel.checkpoint()
            pauses.append(time.perf_counter() - before)

    async with anyio.create_task_group() as group:
        group.start_soon(tick)
        await anyio.lowlevel.checkpoint()
        yield pauses
        group.cancel_scope.cancel()


@pytest.mark.parametrize("name", ODD_BODIES)
async def test_body_of_many_values_is_refused_before_it_is_parsed(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(msgspec.json, "decode", None)

    with pytest.raises(BodyTooLarge, match=f"over {MAX_VALUES} JSON values: send"):
        await read(ODD_BODIES[name])


async def test_large_json_is_parsed_in_a_thread() -> None:
    here = threading.get_ident()

    assert await run_parser(threading.get_ident, IN_THREAD_BYTES) == here
    assert await run_parser(threading.get_ident, IN_THREAD_BYTES + 1) != here


async def test_large_body_does_not_block_the_event_loop() -> None:
    def convert(body: dict[str, Any]) -> int:
        """Work for a second, in Python."""
        end = time.perf_counter() + 1.0
        while time.perf_counter() < end:
            pass
        return len(body["a"])

    data = json.dumps({"a": list(range(MAX_VALUES // 2))}).encode()
    async with measure_pauses() as pauses:
        count = await read_json(request(data), convert)

    assert count == MAX_VALUES // 2
    assert max(pauses) < 0.5


@pytest.mark.parametrize(
    "value",
    [
        {"text": 'x, y: [z] {"a": "b"}, ' * 150_000},
        {"text": "\\" * 500_001 + '"' + "," * 50_000},
        {"text": '\\"' * 400_000},
        {"data": list(range(MAX_VALUES - 10))},
        {"data": [{"key": "va,lue"}] * (MAX_VALUES // 2 - 10)},
        {"data": {str(number): "a" for number in range(MAX_VALUES - 10)}},
        {"é": "\u2028, 😀" * 50_000},
    ],
)
async def test_large_body_below_the_limits_is_parsed(value: dict[str, Any]) -> None:
    data = json.dumps(value, ensure_ascii=False).encode()

    assert await read(data[:9], data[9:100_000], data[100_000:]) == value


@given(st.dictionaries(st.text(), st.text() | st.lists(st.text())))
def test_separators_in_texts_are_not_counted(value: dict[str, Any]) -> None:
    value["filler"] = "," * (MAX_VALUES + 1)

    assert anyio.run(read, json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    "data",
    [
        b'{"a": "' + b"\xed\xa0\x80" * 1_000_000 + b'"}',
        b'{"a": "\xff"}',
        '{"a": 1}'.encode("utf-16"),
        b'{"a": NaN}',
        b"{",
    ],
)
async def test_body_that_is_not_json_in_utf8_is_refused(data: bytes) -> None:
    with pytest.raises(ParseError, match="the body is not JSON"):
        await read(data)


async def test_byte_order_mark_is_ignored() -> None:
    assert await read(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


async def test_body_over_the_bytes_is_refused() -> None:
    with pytest.raises(BodyTooLarge, match=f"over {MAX_BODY_BYTES} bytes"):
        await read(*[b" " * 1_000_000] * 5)


async def test_many_large_bodies_wait_for_each_other() -> None:
    """So that the host never has many of them in memory."""
    reading = finished = 0
    may_end = anyio.Event()

    def large_request() -> Request:
        first = True

        async def receive() -> Message:
            nonlocal first, reading
            if first:
                first = False
                return {
                    "type": "http.request",
                    "body": b" " * 300_000,
                    "more_body": True,
                }
            reading += 1
            await may_end.wait()
            return {"type": "http.request", "body": b"{}", "more_body": False}

        headers = [(b"content-type", b"application/json")]
        return Request({"type": "http", "headers": headers}, receive)

    async def send() -> None:
        nonlocal finished
        await read_json(large_request(), dict)
        finished += 1

    async with anyio.create_task_group() as group:
        for _ in range(3 * MAX_LARGE):
            group.start_soon(send)
        await anyio.wait_all_tasks_blocked()
        assert reading == MAX_LARGE
        may_end.set()

    assert finished == 3 * MAX_LARGE

"""Tests that a browser cannot misread a failure of the host, in any layer.

Covers `send_failure` of host/api/responses.py, and the refusals of the streams.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.types import Receive, Scope, Send

from host.api.feed_stream import FeedStream
from host.api.responses import SAFETY_HEADERS
from host.errors import LogError
from host.log.memory_log import MemoryLog
from tests.support.in_process_host import create_host, serve_app
from tests.support.raw_requests import exchange

REQUEST = b"GET /feed?after=%b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def check_safety(answer: bytes) -> None:
    lines = answer.partition(b"\r\n\r\n")[0].split(b"\r\n")
    for name, value in SAFETY_HEADERS:
        assert lines.count(name + b": " + value) == 1


async def test_stream_that_fails_at_once_gets_a_safe_500(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(stream: FeedStream, scope: Scope, *_: Receive | Send) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(FeedStream, "__call__", fail)
    async with serve_app(create_host(tmp_path, MemoryLog())) as port:
        answer = await exchange(port, REQUEST % b"")

    assert answer.startswith(b"HTTP/1.1 500 ")
    check_safety(answer)


async def test_stream_that_fails_later_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(
        stream: FeedStream, scope: Scope, receive: Receive, send: Send
    ) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ZeroDivisionError

    monkeypatch.setattr(FeedStream, "__call__", fail)
    async with serve_app(create_host(tmp_path, MemoryLog())) as port:
        answer = await exchange(port, REQUEST % b"")

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.count(b"HTTP/1.1") == 1
    assert not answer.endswith(b"0\r\n\r\n")


async def test_stream_of_a_log_that_fails_gets_a_safe_503(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = create_host(tmp_path, MemoryLog())

    async def fail() -> None:
        raise LogError("the disk is full")

    async with serve_app(host) as port, host.running():
        cursor = f"{host.feed.epoch}-0".encode()
        monkeypatch.setattr(host.feed, "bounds", fail)
        answer = await exchange(port, REQUEST % cursor)

    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"the disk is full" in answer
    check_safety(answer)


async def test_refusal_of_a_full_host_is_safe(tmp_path: Path) -> None:
    async with serve_app(create_host(tmp_path, MemoryLog()), most=0) as port:
        answer = await exchange(port)

    assert answer.startswith(b"HTTP/1.1 503 ")
    check_safety(answer)

"""Drives a real host to the limits of requests, and one beyond, over raw sockets.

A request at the limit is read. One beyond gets an error that names the limit. The host
counts a head and trailers in pieces of 512 bytes. An agent is followed meanwhile, and
the host's memory hardly grows. docs/limits.md has the rows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anyio
import pytest

from host.api.connections import PIECE_BYTES
from host.api.json_body import MAX_VALUES
from host.api.request_limits import (
    MAX_BODY_BYTES,
    MAX_FRAMING_BYTES,
    MAX_HEAD_BYTES,
    MAX_HEADERS,
    MAX_URL_BYTES,
)
from host.config.agent_name import MAX_NAME
from host.config.agent_settings import MAX_URL
from host.gateway.message_parser import MAX_PARTS, MAX_TEXT_CHARS
from host.gateway.task_list import MAX_PAGE_SIZE
from tests.support.host_client import HostClient, Json, host_at
from tests.support.process_memory import memory_mb
from tests.support.raw_requests import exchange
from tests.support.stack import Stack

MAX_GROWTH_MB = 64
HEAD = b"Host: localhost\r\nConnection: close\r\n"

LONG_URL = "http://127.0.0.1:9/".ljust(MAX_URL, "x")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("limits"), ["carly"]) as stack:
        stack.wait_connected("carly")
        yield stack


def get(path: bytes, *headers: bytes) -> bytes:
    return b"GET %b HTTP/1.1\r\n%b%b\r\n" % (path, HEAD, b"".join(headers))


def post(body: bytes) -> bytes:
    kind = b"Content-Type: application/json\r\nContent-Length: %d\r\n" % len(body)
    return b"POST /a2a/carly HTTP/1.1\r\n%b%b\r\n%b" % (HEAD, kind, body)


def call(message: dict[str, Any]) -> bytes:
    """Return a call of SendMessage."""
    whole = {
        "messageId": "m1",
        "role": "ROLE_AGENT",
        "parts": [{"text": "x"}],
        **message,
    }
    params = {"message": whole}
    method = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": params}
    return post(json.dumps(method).encode())


def page(size: int) -> bytes:
    params = {"pageSize": size}
    method = {"jsonrpc": "2.0", "id": 1, "method": "ListTasks", "params": params}
    return post(json.dumps(method).encode())


def filled(size: int) -> bytes:
    return post(b'{"x":"%b"}' % (b"x" * (size - 8)))


def values(count: int) -> bytes:
    return post(b'{"x":[%b]}' % b",".join([b"1"] * count))


def headers(count: int) -> bytes:
    return get(b"/healthz", *[b"A: b\r\n"] * (count - 2))


def url(size: int) -> bytes:
    return get(b"/healthz?" + b"x" * (size - 9))


def head(size: int) -> bytes:
    rest = len(get(b"/healthz", b"A: \r\n"))
    return get(b"/healthz", b"A: %b\r\n" % (b"x" * (size - rest)))


def trailers(size: int) -> bytes:
    """Return a request with that many bytes after its head."""
    begin = b"POST /a2a/carly HTTP/1.1\r\n" + HEAD
    begin += b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
    return begin + b"\r\n0\r\nA: %b\r\n\r\n" % (b"x" * (size - 10))


def parts(count: int) -> bytes:
    return call({"parts": [{"text": "x"}] * count})


CASES = {
    "url": (url(MAX_URL_BYTES), url(MAX_URL_BYTES + 1), "414", str(MAX_URL_BYTES)),
    "headers": (headers(MAX_HEADERS), headers(MAX_HEADERS + 1), "431", "256 headers"),
    "head": (
        head(MAX_HEAD_BYTES),
        head(MAX_HEAD_BYTES + 2 * PIECE_BYTES),
        "431",
        str(MAX_HEAD_BYTES),
    ),
    "trailers": (
        trailers(MAX_FRAMING_BYTES - PIECE_BYTES),
        trailers(MAX_FRAMING_BYTES + 2 * PIECE_BYTES),
        "431",
        str(MAX_FRAMING_BYTES),
    ),
    "body": (
        filled(MAX_BODY_BYTES),
        filled(MAX_BODY_BYTES + 1),
        "413",
        str(MAX_BODY_BYTES),
    ),
    "values": (values(MAX_VALUES // 2), values(MAX_VALUES + 1), "413", "values"),
    "parts": (parts(MAX_PARTS), parts(MAX_PARTS + 1), "200", "at most 1000"),
    "page": (page(MAX_PAGE_SIZE), page(MAX_PAGE_SIZE + 1), "200", "must be 1 to 100"),
    "text": (
        call({"messageId": "x" * (MAX_TEXT_CHARS // 2)}),
        call({"messageId": "x" * (MAX_TEXT_CHARS + 1)}),
        "200",
        "characters",
    ),
}


@pytest.mark.parametrize("name", CASES)
async def test_request_beyond_a_limit_is_refused_with_the_limit(
    stack: Stack, name: str
) -> None:
    port = int(stack.url.rpartition(":")[2])
    at_limit, beyond, status, words = CASES[name]

    read = await exchange(port, at_limit)
    refused = await exchange(port, beyond)

    assert words.encode() not in read
    assert read.split()[1] in (b"200", b"400"), read[:300]
    assert refused.startswith(b"HTTP/1.1 " + status.encode()), refused[:300]
    assert words.encode() in refused


@pytest.mark.parametrize(
    ("at_limit", "beyond", "words"),
    [
        (
            {"name": "x" * MAX_NAME, "url": "http://127.0.0.1:9"},
            {"name": "y" * (MAX_NAME + 1), "url": "http://127.0.0.1:10"},
            "use up to 32 lower-case letters",
        ),
        (
            {"name": "long-url", "url": LONG_URL},
            {"name": "longer-url", "url": LONG_URL + "x"},
            "url has 2049 characters; the limit is 2048",
        ),
    ],
)
async def test_long_setting_of_an_agent_is_refused_with_the_limit(
    host: HostClient, at_limit: Json, beyond: Json, words: str
) -> None:
    accepted = await host.http.post("/agents", json=at_limit)
    refused = await host.http.post("/agents", json=beyond)

    assert accepted.status_code == 201, accepted.text
    assert refused.status_code == 400
    assert words in refused.json()["error"]["message"]


async def test_clients_beyond_the_limits_disturb_no_agent(stack: Stack) -> None:
    port = int(stack.url.rpartition(":")[2])
    beyond = [case[1] for case in CASES.values()]
    before = memory_mb(stack.host.pid)
    async with host_at(stack.url) as host, anyio.create_task_group() as group:
        for request in beyond * 4:
            group.start_soon(exchange, port, request)
        answered = await exchange(port, call({"messageId": "next"}))
        row = await host.agent("carly")

    assert b'"task"' in answered
    assert row["connection"] == "connected"
    assert memory_mb(stack.host.pid) - before < MAX_GROWTH_MB

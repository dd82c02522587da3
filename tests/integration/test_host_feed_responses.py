"""GET /feed: the bytes and headers of the response, and other methods than GET."""

from __future__ import annotations

import json

import httpx
import pytest

from tests.support.host_client import HostClient, wait_until_quiet
from tests.support.stack import Stack


async def test_feed_is_not_cached_or_buffered_and_has_a_retry_time(
    host: HostClient,
) -> None:
    async with host.http.stream("GET", "/feed") as answer:
        first = await anext(answer.aiter_lines())

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-accel-buffering"] == "no"
    assert first == "retry: 1000"


@pytest.mark.parametrize("path", ["/feed", "/tasks/stream", "/feed?after=0"])
async def test_response_to_head_has_the_same_headers_and_no_body(
    host: HostClient, path: str
) -> None:
    answer = await host.http.head(path)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.content == b""


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["/feed", "/tasks/stream"])
async def test_response_to_another_method_names_get(
    host: HostClient, method: str, path: str
) -> None:
    answer = await host.http.request(method, path)

    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"
    assert "use GET" in answer.text


async def test_feed_is_byte_identical_to_the_history(
    stack: Stack, host: HostClient
) -> None:
    head = await wait_until_quiet(host)
    lines: list[str] = []
    async with host.http.stream("GET", "/feed?after=0") as answer:
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                lines.append(line.removeprefix("data: "))
            if len(lines) == head:
                break

    history: httpx.Response = await host.http.get("/feed.ndjson")

    assert "\n".join(lines) + "\n" == history.text
    assert all(json.loads(line)["id"] for line in lines)

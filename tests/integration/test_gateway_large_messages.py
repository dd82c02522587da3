"""Large and odd messages at a real gateway, while other clients wait for answers.

A message over a limit gets an A2A error that says what to do. One below the limits
reaches the agent. Neither blocks the host.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx
import pytest

from host.api.json_body import MAX_VALUES
from host.gateway.message_parser import MAX_DEPTH, MAX_PARTS, MAX_TEXT_CHARS
from tests.support.host_client import Json, client, host_at
from tests.support.stack import Stack

# A busy machine delays the answers, too. Without the limits, they took seconds.
MOST_MEDIAN_S, MOST_S = 0.05, 1.0
REPEATS = 3


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("stack"), ["carly"], log="memory") as running:
        yield running


def message(*parts: Json) -> Json:
    return {"message": {"messageId": "m", "role": "ROLE_USER", "parts": list(parts)}}


def nested(depth: int) -> Any:
    value: Any = 0
    for _ in range(depth):
        value = [value]
    return value


REFUSED: dict[str, tuple[Json, str]] = {
    "250,000 parts": (message(*[{"text": ""}] * 250_000), f"{MAX_VALUES} JSON values"),
    "many parts": (message(*[{"text": "x"}] * 9_000), f"at most {MAX_PARTS}"),
    "many lists": (message({"data": [[]] * 1_000_000}), f"{MAX_VALUES} JSON values"),
    "many numbers": (message({"data": [0] * 1_500_000}), f"{MAX_VALUES} JSON values"),
    "many keys": (
        message({"data": {str(key): 0 for key in range(300_000)}}),
        f"{MAX_VALUES} JSON values",
    ),
    "long text in data": (
        message({"data": "x, " * 1_000_000}),
        f"at most {MAX_TEXT_CHARS}",
    ),
    "deep lists": (message({"data": nested(900)}), f"over {MAX_DEPTH} levels"),
}


@asynccontextmanager
async def measure_answers(url: str) -> AsyncIterator[list[float]]:
    """Ask the host for its health all the time. Yield how long each answer took."""
    times: list[float] = []

    async def ask(http: httpx.AsyncClient) -> None:
        while True:
            before = time.perf_counter()
            (await http.get("/readyz")).raise_for_status()
            times.append(time.perf_counter() - before)

    async with client(url, timeout_s=30) as http, anyio.create_task_group() as group:
        group.start_soon(ask, http)
        yield times
        group.cancel_scope.cancel()


@pytest.mark.parametrize("name", REFUSED)
async def test_message_over_a_limit_gets_an_a2a_error(stack: Stack, name: str) -> None:
    body, cause = REFUSED[name]
    rest = json.dumps(body, separators=(",", ":"))
    rpc = f'{{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{rest}}}'

    headers = {"content-type": "application/json"}
    async with (
        client(stack.url, timeout_s=30) as http,
        measure_answers(stack.url) as times,
    ):
        for _ in range(REPEATS):
            answers = [
                await http.post(path, content=content, headers=headers)
                for path, content in (
                    ("/a2a/carly/message:send", rest),
                    ("/a2a/carly/message:stream", rest),
                    ("/a2a/carly", rpc),
                )
            ]

    for answer in answers:
        error = answer.json()["error"]
        assert cause in error["message"]
        assert (error.get("details") or error["data"])[0]["reason"]
    assert sorted(times)[len(times) // 2] < MOST_MEDIAN_S
    assert max(times) < MOST_S


@pytest.mark.parametrize(
    "parts",
    [
        [{"text": "please"}] * MAX_PARTS,
        [{"text": "Plan a trip, with [care] and {love}. " * 1_600}],
        [{"text": "please"}, {"data": [{"x": 1, "y": "two"}] * 4_000}],
        [{"text": "please"}, {"raw": "QUJD" * 500_000}],
    ],
    ids=["parts", "text", "data", "file"],
)
async def test_message_below_the_limits_reaches_the_agent(
    stack: Stack, parts: list[Json]
) -> None:
    async with host_at(stack.url) as host, measure_answers(stack.url) as times:
        body = message(*parts)
        body["message"]["messageId"] = f"m{len(str(parts))}"
        body["configuration"] = {"returnImmediately": True}
        answer = await host.http.post("/a2a/carly/message:send", json=body, timeout=30)

    assert answer.status_code == 200, answer.text
    assert answer.json()["task"]["id"]
    assert max(times) < MOST_S


def test_host_has_no_traceback(stack: Stack) -> None:
    """The tests above ran on the same host."""
    assert "raceback" not in stack.host.output()

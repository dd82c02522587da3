"""Tasks of agents at the limits of their rows, and one beyond, over real sockets.

docs/limits.md has the rows, tests/support/limit_agents.py the agents.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from httpx_sse import aconnect_sse

from host.gateway.a2a_updates import MAX_HISTORY
from host.protocol.task_result import MAX_RESULT_ARTIFACTS, MAX_RESULT_BYTES
from tests.support.agent_events import wait_for_events
from tests.support.host_client import HostClient, Json
from tests.support.limit_stack import follow, limit_agents
from tests.support.process_memory import memory_mb
from tests.support.stack import Stack

MAX_GROWTH_MB = 64


@pytest.fixture(scope="module")
def agents_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with limit_agents(tmp_path_factory.mktemp("agents")) as url:
        yield url


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("host"), []) as stack:
        yield stack


async def test_long_result_is_cut_and_the_row_has_its_size(
    agents_url: str, host: HostClient
) -> None:
    at_limit, beyond = await follow(host, agents_url, "result")

    whole = (await wait_for_events(host, at_limit, "last"))[-1]
    cut = (await wait_for_events(host, beyond, "last"))[-1]

    assert whole["result"] == cut["result"] == "x" * MAX_RESULT_BYTES
    assert "shortened" not in whole
    assert cut["shortened"] == {"result": MAX_RESULT_BYTES + 1}
    assert cut["result_artifacts"] == ["a0"]


async def test_row_names_the_first_artifacts_of_a_long_result(
    agents_url: str, host: HostClient
) -> None:
    for agent in await follow(host, agents_url, "artifacts"):
        row = (await wait_for_events(host, agent, "last"))[-1]

        names = [f"a{number}" for number in range(MAX_RESULT_ARTIFACTS)]
        assert row["result_artifacts"] == names


async def read_first(host: HostClient, agent: str) -> Json:
    """Subscribe to the task in the gateway, and return the first event."""
    path = f"/a2a/{agent}/tasks/t1:subscribe"
    async with aconnect_sse(host.http, "POST", path) as stream:
        async for event in stream.aiter_sse():
            first: Json = event.json()
            return first
    raise AssertionError("the stream has no event")


async def test_task_in_the_gateway_has_the_newest_messages(
    agents_url: str, host: HostClient
) -> None:
    for agent, first in zip(
        await follow(host, agents_url, "history"), ["update 1", "update 2"], strict=True
    ):
        await wait_for_events(host, agent, "last")
        history = (await read_first(host, agent))["task"]["history"]

        assert len(history) == MAX_HISTORY
        assert history[0]["parts"][0]["text"] == first


async def test_tasks_beyond_the_limits_do_not_grow_the_memory(
    stack: Stack, agents_url: str, host: HostClient
) -> None:
    before = memory_mb(stack.host.pid)
    for kind in ("result", "artifacts", "history"):
        _, beyond = await follow(host, agents_url, kind)
        await wait_for_events(host, beyond, "last")

    assert (await host.http.get("/readyz")).status_code == 200
    assert memory_mb(stack.host.pid) - before < MAX_GROWTH_MB

"""Agents at the limits of their answers to messages. docs/limits.md has the rows.

A real host sends the messages of a client to the agents of
tests/support/limit_agents.py. Beyond a limit, the client gets less, and the feed has
the rest.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from host.clients.answer import MAX_BYTES, MAX_MESSAGES
from host.clients.bindings.json_errors import MAX_MESSAGE
from tests.support.a2a_client import frames_of, request
from tests.support.host_client import HostClient
from tests.support.limit_agents import MIB
from tests.support.limit_stack import follow, limit_agents
from tests.support.process_memory import memory_mb
from tests.support.stack import Stack
from tests.support.waiting import wait_until

MAX_GROWTH_MB = 64
ANSWERS = {"messages": MAX_MESSAGES, "bytes": MAX_BYTES // MIB}


@pytest.fixture(scope="module")
def agents_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with limit_agents(tmp_path_factory.mktemp("agents")) as url:
        yield url


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("host"), ["carly"]) as stack:
        yield stack


async def count_messages(host: HostClient, agent: str) -> int:
    """Send a message, and return the number of messages in the response."""
    path = f"/a2a/{agent}/message:stream"
    answer = await host.http.post(path, json=request("please"), timeout=60)
    assert answer.status_code == 200, answer.text[:500]
    frames = frames_of(answer.text)
    return sum("message" in frame.data for frame in frames)


async def wait_for_messages(host: HostClient, agent: str, count: int) -> None:
    async def has_all() -> bool:
        rows = await host.history(after=0, agent=agent, kind="message")
        return len(rows) >= count

    await wait_until(has_all, f"{count} messages of {agent}")


@pytest.mark.parametrize(("kind", "count"), ANSWERS.items())
async def test_client_gets_messages_up_to_the_limit_and_the_feed_has_all(
    agents_url: str, host: HostClient, kind: str, count: int
) -> None:
    at_limit, beyond = await follow(host, agents_url, kind)

    assert await count_messages(host, at_limit) == count
    assert await count_messages(host, beyond) == count
    await wait_for_messages(host, beyond, count + 1)


async def test_long_error_of_an_agent_is_cut(agents_url: str, host: HostClient) -> None:
    at_limit, beyond = await follow(host, agents_url, "error")

    whole = (await host.send(at_limit, "x")).json()["error"]["message"]
    cut = (await host.send(beyond, "x")).json()["error"]["message"]

    assert whole.count("x" * MAX_MESSAGE) == 1
    assert cut == whole


async def test_answers_beyond_the_limits_do_not_grow_the_memory(
    stack: Stack, agents_url: str, host: HostClient
) -> None:
    before = memory_mb(stack.host.pid)
    for kind, count in ANSWERS.items():
        _, beyond = await follow(host, agents_url, kind)
        assert await count_messages(host, beyond) == count

    assert (await host.http.get("/readyz")).status_code == 200
    assert memory_mb(stack.host.pid) - before < MAX_GROWTH_MB

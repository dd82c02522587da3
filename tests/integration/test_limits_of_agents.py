"""Agents at the limits of their responses, and one beyond. docs/limits.md has the rows.

A real host follows the agents of tests/support/limit_agents.py. At the limit they are
followed as any other. Beyond it, the host says why, and its memory hardly grows.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from host.clients.bindings.unreachable_errors import MAX_CAUSE
from host.clients.connection import MAX_GET_TASK, MAX_STREAMS
from host.protocol.event_builders import MAX_CHOICES
from tests.support.agent_events import wait_for_events, wait_for_row
from tests.support.host_client import HostClient, Json
from tests.support.limit_agents import UNKNOWN_CODE
from tests.support.limit_stack import follow, limit_agents
from tests.support.process_memory import memory_mb
from tests.support.stack import Stack
from tests.support.waiting import wait_until

LONG_S = 180.0
"""The host reads 64 MiB three times before it says why."""
MAX_GROWTH_MB = 2 * 64
"""Of two agents. 500 open streams need some 45 MB."""
CAUSE = f"JSON-RPC error {UNKNOWN_CODE}: "
LOST = {
    "card": "too large: over 1 MiB",
    "head": "bad HTTP",
    "redirects": "a redirect loop: more than 5 redirects",
}
TROUBLES = {
    "list": "ListTasks fails: too large: over 8 MiB",
    "requirements": "the card asks for an API key (header X-Key) or",
    "schemes": "the card asks for HTTP Bearer with",
    "streams": f"over {MAX_STREAMS} of its tasks are open",
}
DROPPED = {"event": "an event over 4 MiB", "depth": "nested too deeply"}


@pytest.fixture(scope="module")
def agents_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with limit_agents(tmp_path_factory.mktemp("agents")) as url:
        yield url


@pytest.fixture(scope="module")
def stack(agents_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    toml = "".join(
        f'[agents.{name}]\nurl = "{agents_url}/{name}"\n'
        f'[agents.{name}.credentials]\nbearer = "a-token-of-the-test"\n'
        for name in ("schemes-at", "schemes-beyond")
    )
    with Stack(tmp_path_factory.mktemp("host"), ["carly"], toml=toml) as stack:
        yield stack


@pytest.fixture(autouse=True)
def memory_hardly_grows(stack: Stack) -> Iterator[None]:
    before = memory_mb(stack.host.pid)
    yield
    assert memory_mb(stack.host.pid) - before < MAX_GROWTH_MB


async def wait_connected(host: HostClient, agent: str) -> Json:
    async def found() -> Json | None:
        row = await host.agent(agent)
        return row if row["connection"] == "connected" else None

    row = await wait_until(found, f"{agent} to be connected")
    assert row
    return row


@pytest.mark.parametrize(("kind", "words"), LOST.items())
async def test_agent_beyond_a_limit_of_its_card_is_lost_with_the_cause(
    agents_url: str, host: HostClient, kind: str, words: str
) -> None:
    at_limit, beyond = await follow(host, agents_url, kind)

    await wait_connected(host, at_limit)
    row = await wait_for_row(host, beyond, words)

    assert row["connection"] == "lost"


@pytest.mark.parametrize(("kind", "words"), TROUBLES.items())
async def test_agent_beyond_a_limit_is_connected_with_its_trouble(
    agents_url: str, host: HostClient, kind: str, words: str
) -> None:
    at_limit, beyond = await follow(host, agents_url, kind)

    row = await wait_for_row(host, beyond, words)
    # The host has read all that the agent has.
    last = f"t{MAX_STREAMS - 1}" if kind == "streams" else "t1"
    await wait_for_task(host, at_limit, last)

    assert row["connection"] == "connected"
    rows = await host.history(after=0, agent=at_limit, kind="agent")
    assert not any(words in str(row.get("trouble")) for row in rows)


async def wait_for_task(host: HostClient, agent: str, task_id: str) -> None:
    async def has_row() -> bool:
        rows = await host.history(after=0, agent=agent, task=task_id, kind="task")
        return bool(rows)

    await wait_until(has_row, f"{task_id} of {agent} to be in the feed")


@pytest.mark.parametrize(("kind", "words"), DROPPED.items())
async def test_update_beyond_a_limit_is_a_gap_with_the_reason(
    agents_url: str, host: HostClient, kind: str, words: str
) -> None:
    at_limit, beyond = await follow(host, agents_url, kind)

    good = await wait_for_events(host, at_limit, "after")
    bad = await wait_for_events(host, beyond, "after")

    assert [event["kind"] for event in good[-3:]] == ["task"] * 3
    assert [event["kind"] for event in bad[-3:]] == ["task", "gap", "task"]
    assert words in bad[-2]["message"]


async def test_endless_event_closes_the_connection_with_the_cause(
    agents_url: str, host: HostClient
) -> None:
    at_limit, _ = await follow(host, agents_url, "skipped")
    _, beyond = await follow(host, agents_url, "endless")

    good = await wait_for_events(host, at_limit, "after", LONG_S)
    row = await wait_for_row(host, beyond, "an event without end", LONG_S)

    assert [event["kind"] for event in good[-3:]] == ["task", "gap", "task"]
    assert row["connection"] == "connected"


@pytest.mark.parametrize(
    ("kind", "count"), {"choices": MAX_CHOICES, "choice": 2}.items()
)
async def test_question_beyond_a_limit_has_no_choices(
    agents_url: str, host: HostClient, kind: str, count: int
) -> None:
    at_limit, beyond = await follow(host, agents_url, kind)

    good = await wait_for_events(host, at_limit, "Which?")
    bad = await wait_for_events(host, beyond, "Which?")

    assert [len(event["choices"]) for event in good if "choices" in event] == [count]
    assert not any("choices" in event for event in bad)


async def test_long_cause_is_cut(agents_url: str, host: HostClient) -> None:
    at_limit, beyond = await follow(host, agents_url, "cause")

    whole = (await wait_for_row(host, at_limit, CAUSE))["trouble"]
    cut = (await wait_for_row(host, beyond, CAUSE))["trouble"]

    assert whole.count("x") == cut.count("x") == MAX_CAUSE - len(CAUSE)


async def test_long_description_of_a_scheme_is_cut(
    agents_url: str, host: HostClient
) -> None:
    at_limit, beyond = await follow(host, agents_url, "description")

    whole = (await wait_for_row(host, at_limit, "the card asks for"))["trouble"]
    cut = (await wait_for_row(host, beyond, "the card asks for"))["trouble"]

    assert "X);" in whole
    assert "X…;" in cut


async def test_host_reads_at_most_16_tasks_of_an_agent_at_once(
    agents_url: str, host: HostClient
) -> None:
    at_limit, beyond = await follow(host, agents_url, "gettask")

    await wait_for_events(host, at_limit, f"most {MAX_GET_TASK}")
    events = await wait_for_events(host, beyond, f"most {MAX_GET_TASK}")

    assert not any(f"most {MAX_GET_TASK + 1}" == event["message"] for event in events)

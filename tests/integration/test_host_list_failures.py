"""A failure of ListTasks loses only discovery, and the agent's row says why.

A real host follows agents over real sockets, as in tests/support/list_agent.py.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.host_client import HostClient, Json, host_at
from tests.support.list_agent import Answer, ListAgent, refuse, rpc, serve_list_agent
from tests.support.list_stack import list_stack
from tests.support.stack import Stack
from tests.support.waiting import wait_until

EVERY = "every task"
OURS_ONLY = "only tasks that pass through this host"
numbers = itertools.count(1)


def only_two_parameters(params: Json) -> Answer:
    unknown = sorted(params.keys() - {"pageSize", "pageToken"})
    return refuse(-32602, f"unknown: {unknown}") if unknown else good()


def no_parameters(params: Json) -> Answer:
    if params:
        return 422, {}, b'{"detail": "extra fields are not permitted"}'
    return good()


def good(*_: Json) -> Answer:
    listed = {"id": "listed", "status": {"state": "TASK_STATE_WORKING"}}
    return rpc(result={"tasks": [listed]})


def slow(_: Json) -> Answer:
    time.sleep(6)
    return good()


def tokens(_: Json) -> Answer:
    listed = {"id": "listed", "status": {"state": "TASK_STATE_WORKING"}}
    return rpc(result={"tasks": [listed], "nextPageToken": f"p{next(numbers)}"})


Failure = Callable[[Json], Answer]
FAILURES: dict[str, tuple[Failure, str]] = {
    "internal": (lambda _: refuse(-32603, "the index is broken"), "index is broken"),
    "denied": (lambda _: refuse(-32099, "operators only"), "operators only"),
    "strange": (lambda _: refuse(7, "quota used up"), "quota used up"),
    "forbidden": (lambda _: (403, {}, b"operators only"), "HTTP 403"),
    "bad": (lambda _: (400, {}, b"what?"), "HTTP 400"),
    "broken": (lambda _: (500, {}, b"oops"), "HTTP 500"),
    "gateway": (lambda _: (502, {}, b"bad gateway"), "HTTP 502"),
    "html": (lambda _: (200, {"content-type": "text/html"}, b"<p>Hi"), "bad response"),
    "cut": (lambda _: (200, {}, b'{"result": {"tasks": [{"id"'), "bad response"),
    "huge": (lambda _: (200, {}, b" " * (9 * 1024 * 1024)), "over 8 MiB"),
    "null": (lambda _: rpc(result=None), "null"),
    "entries": (lambda _: rpc(result={"entries": [], "count": 0}), "'entries'"),
    "inner": (lambda _: rpc(result={"error": "shard 3 is gone"}), "shard 3 is gone"),
    "text": (lambda _: rpc(result="none"), "bad response"),
}
GOOD: dict[str, Failure] = {
    "strict": only_two_parameters,
    "stricter": no_parameters,
    "list": lambda _: rpc(result=[{"id": "listed", "status": {"state": 2}}]),
    "numeric": lambda _: rpc(result={"tasks": [{"id": 7, "contextId": 1}]}),
    "slow": slow,
    "tokens": tokens,
}


@pytest.fixture(scope="module")
def agents() -> Iterator[dict[str, ListAgent]]:
    agents = {name: ListAgent() for name in (*FAILURES, *GOOD, "empty")}
    for name, (failure, _) in FAILURES.items():
        agents[name].answers["ListTasks"] = failure
    for name, answer in GOOD.items():
        agents[name].answers["ListTasks"] = answer
        # Not the answer to ListTasks: it is in no list, and GetTask knows it.
        agents[name].add_task(7 if name == "numeric" else "listed")
    agents["empty"].answers["ListTasks"] = lambda _: rpc(result={})
    with ExitStack() as opened:
        for agent in agents.values():
            opened.enter_context(serve_list_agent(agent))
        yield agents


@pytest.fixture(scope="module")
def stack(
    tmp_path_factory: pytest.TempPathFactory, agents: dict[str, ListAgent]
) -> Iterator[Stack]:
    urls = {name: agent.url for name, agent in agents.items()}
    folder = tmp_path_factory.mktemp("stack")
    with Stack(folder, [], extra_agents=urls, log="memory") as running:
        running.wait_connected(*agents, deadline_s=60)
        yield running


async def wait_for_discovery(host: HostClient, name: str, discovery: str) -> Json:
    async def found() -> Json | None:
        row = await host.agent(name)
        return row if row["discovery"] == discovery else None

    row = await wait_until(found, f"{name} to find {discovery}", 60)
    assert row
    return row


@pytest.mark.parametrize("name", FAILURES)
async def test_agent_stays_connected_and_its_row_says_why(
    host: HostClient, name: str
) -> None:
    row = await wait_for_discovery(host, name, OURS_ONLY)

    assert row["connection"] == "connected"
    assert f"{OURS_ONLY}: ListTasks fails: " in row["trouble"]
    assert FAILURES[name][1] in row["trouble"]


@pytest.mark.parametrize("name", ["internal", "broken", "forbidden"])
async def test_task_started_here_is_followed_all_the_same(
    host: HostClient, name: str
) -> None:
    task_id = await host.start(name)

    await host.row_with(task_id, "completed")


@pytest.mark.parametrize("name", ["strict", "stricter", "list", "slow", "tokens"])
async def test_unusual_list_is_read(host: HostClient, name: str) -> None:
    await wait_for_discovery(host, name, EVERY)

    async def is_followed() -> bool:
        return any(row["agent"] == name for row in await host.rows("listed"))

    await wait_until(is_followed, f"the listed task of {name} in the feed")


async def test_task_with_a_numeric_id_is_followed(host: HostClient) -> None:
    row = await host.row_with("7", "running")

    assert (row["agent"], row["message"]) == ("numeric", "I am 7")


async def test_result_without_fields_is_an_empty_list(host: HostClient) -> None:
    row = await wait_for_discovery(host, "empty", EVERY)

    assert row["trouble"] is None


async def test_pages_without_end_are_bounded_and_reported(
    host: HostClient, agents: dict[str, ListAgent]
) -> None:
    async def reported() -> bool:
        return "repeats" in str((await host.agent("tokens"))["trouble"])

    await wait_until(reported, "the repeated pages to be reported", 60)
    row = await host.agent("tokens")
    assert row["connection"] == "connected"
    pages = [call for call in agents["tokens"].asked if call.params.get("pageToken")]
    assert len(pages) < len(agents["tokens"].asked)


async def test_discovery_returns_when_list_tasks_works_again(tmp_path: Path) -> None:
    agent = ListAgent()
    with list_stack(agent, tmp_path) as stack:
        stack.wait_connected("agent")
        async with host_at(stack.url) as host:
            agent.answers["ListTasks"] = lambda _: refuse(-32603, "out of memory")
            row = await wait_for_discovery(host, "agent", OURS_ONLY)
            assert "out of memory" in row["trouble"]
            agent.add_task("meanwhile")
            del agent.answers["ListTasks"]
            row = await wait_for_discovery(host, "agent", EVERY)
            assert row["trouble"] is None
            await host.row_with("meanwhile", "running")
            rows = await host.history(after=0, agent="agent", kind="agent")
    assert "lost" not in {row["connection"] for row in rows}

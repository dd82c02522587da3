"""An agent that cannot take messages says so in its row, until it takes one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.command_server import command_agents
from tests.support.host_client import HostClient, Json
from tests.support.stack import Stack
from tests.support.waiting import wait_until

FAULTS = {
    "fails500": "messages fail: HTTP 500",
    "failsinside": "messages fail: InternalError: it broke",
    "failspage": "messages fail: bad response",
}
REFUSALS = ("failsparams", "failstask", "fails401", "fails429")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    with (
        command_agents(folder, *FAULTS, *REFUSALS) as urls,
        Stack(folder, [], extra_agents=urls, log="memory") as running,
    ):
        running.wait_connected(*urls)
        yield running


async def trouble(host: HostClient, agent: str) -> str | None:
    row = await host.agent(agent)
    assert row["connection"] == "connected"
    text: str | None = row["trouble"]
    return text


@pytest.mark.parametrize("agent", FAULTS)
async def test_failed_message_is_in_the_agents_row(
    host: HostClient, agent: str
) -> None:
    assert (await host.send(agent, "please")).status_code >= 500

    async def reported() -> str | None:
        text = await trouble(host, agent)
        return text if text and text.startswith("messages fail") else None

    text = await wait_until(reported, f"{agent} to be in trouble", 30)
    assert text and text.startswith(FAULTS[agent])


async def test_row_says_so_until_a_message_succeeds(host: HostClient) -> None:
    agent = "fails500"
    await host.send(agent, "please")
    await host.send(agent, "please")

    await host.start(agent, "work")

    async def is_clear() -> bool:
        return await trouble(host, agent) is None

    await wait_until(is_clear, "the row without trouble", 30)
    rows: list[Json] = await host.history(after=0, agent=agent, kind="agent")
    told = [bool(row["trouble"]) for row in rows if row["connection"] == "connected"]
    # One row for both failures, and one for the end.
    assert told[-2:] == [True, False]
    assert told.count(True) <= 2


@pytest.mark.parametrize("agent", REFUSALS)
async def test_refused_message_is_no_failure(host: HostClient, agent: str) -> None:
    assert (await host.send(agent, "please")).status_code >= 400

    await host.start(agent, "work")

    rows: list[Json] = await host.history(after=0, agent=agent, kind="agent")
    assert not [row for row in rows if "messages fail" in (row["trouble"] or "")]

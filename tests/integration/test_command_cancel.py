"""CancelTask of agents that answer it in unusual ways: the Task says what they did."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.command_agents import CANCELED, WORKING
from tests.support.command_server import command_agents
from tests.support.host_client import HostClient
from tests.support.stack import Stack

ODD = (
    *("cancelnull", "cancelempty", "cancelnocontent", "cancelstatus", "cancelyes"),
    *("cancelupdate", "cancelerror", "cancel500"),
)
LATE = ("cancelslater", "endsstream")
NAMES = (*ODD, *LATE, "refuses", "forgets")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    with (
        command_agents(folder, *NAMES) as urls,
        Stack(folder, [], extra_agents=urls, log="memory") as running,
    ):
        running.wait_connected(*urls)
        yield running


@pytest.mark.parametrize("agent", ODD)
async def test_odd_answer_returns_the_task_as_the_agent_has_it(
    host: HostClient, agent: str
) -> None:
    task_id = await host.start(agent)

    answer = await host.cancel(agent, task_id)

    assert answer.status_code == 200, answer.text
    assert answer.json()["id"] == task_id
    assert answer.json()["status"]["state"] == CANCELED
    await host.row_with(task_id, "cancelled")


@pytest.mark.parametrize("agent", LATE)
async def test_late_cancel_gets_into_the_feed_without_an_update(
    host: HostClient, agent: str
) -> None:
    task_id = await host.start(agent)

    answer = await host.cancel(agent, task_id)

    assert answer.status_code == 200, answer.text
    assert answer.json()["status"]["state"] in (WORKING, CANCELED)
    await host.row_with(task_id, "cancelled", deadline_s=30)


async def test_refusal_stays_an_error(host: HostClient) -> None:
    task_id = await host.start("refuses")

    answer = await host.cancel("refuses", task_id)

    assert answer.status_code == 400
    assert "too late to cancel" in answer.text
    unknown = await host.cancel("refuses", "no-such-task")
    assert unknown.status_code in (400, 404)


async def test_feed_has_the_task_that_its_agent_does_not_return(
    host: HostClient,
) -> None:
    task_id = await host.start("forgets")
    await host.row_with(task_id, "running")

    answer = await host.cancel("forgets", task_id)

    assert answer.status_code == 200, answer.text
    assert answer.json()["id"] == task_id
    assert answer.json()["status"]["state"] == WORKING

"""The host with agents of version 0.3, built with the SDKs of that version.

a2a-sdk 0.3 in Python and @a2a-js/sdk 0.3 in node, over each of their bindings; see
tests/interop/README.md.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import interop_agents
from tests.support.host_client import HostClient
from tests.support.interop_agents import BINDINGS
from tests.support.stack import Stack

AGENTS = [f"{name}-{binding}" for name in ("piet", "jan") for binding in BINDINGS]

pytestmark = pytest.mark.parametrize("agent", AGENTS)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("v03")
    with interop_agents.run_host_following(
        folder, piet="agent_0_3.py", jan="agent_0_3.js"
    ) as running:
        yield running


@pytest.fixture(autouse=True)
def wait_connected(stack: Stack, agent: str) -> None:
    stack.wait_connected(agent)


async def test_row_names_the_binding_and_streaming(
    host: HostClient, agent: str
) -> None:
    row = await host.agent(agent)

    binding = BINDINGS[agent.partition("-")[2]]
    assert (row["binding"], row["protocol"]) == (binding, "0.3")
    assert row["followed"] == "streaming"
    # Version 0.3 has no ListTasks.
    assert row["discovery"] == "only tasks that pass through this host"
    assert row["trouble"] is None


async def test_task_is_followed_from_first_message_to_result(
    host: HostClient, agent: str
) -> None:
    await interop_agents.check_updates_and_result(host, agent)


async def test_question_is_answered(host: HostClient, agent: str) -> None:
    await interop_agents.check_reply(host, agent)


async def test_task_is_cancelled(host: HostClient, agent: str) -> None:
    await interop_agents.check_cancel(host, agent)


async def test_answer_without_a_task_is_a_message(host: HostClient, agent: str) -> None:
    await interop_agents.check_direct_message(host, agent)


async def test_failed_task_has_the_reason(host: HostClient, agent: str) -> None:
    await interop_agents.check_failure(host, agent)

"""The host with an agent built with the official JavaScript SDK, version 1.0.

@a2a-js/sdk 1.3.0 in node, over each of its bindings; see tests/interop/README.md.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import interop_agents
from tests.support.host_client import HostClient
from tests.support.interop_agents import BINDINGS
from tests.support.stack import Stack

pytestmark = pytest.mark.parametrize("binding", BINDINGS)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with interop_agents.run_host_following(
        tmp_path_factory.mktemp("js"), jess="agent.js"
    ) as running:
        yield running


@pytest.fixture(autouse=True)
def wait_connected(stack: Stack, binding: str) -> None:
    stack.wait_connected(f"jess-{binding}")


async def test_row_names_the_binding_and_streaming(
    host: HostClient, binding: str
) -> None:
    row = await host.agent(f"jess-{binding}")

    assert (row["binding"], row["protocol"]) == (BINDINGS[binding], "1.0")
    assert row["followed"] == "streaming"
    assert row["discovery"] == "every task"
    assert row["trouble"] is None


async def test_task_is_followed_from_first_message_to_result(
    host: HostClient, binding: str
) -> None:
    await interop_agents.check_updates_and_result(host, f"jess-{binding}")


async def test_question_is_answered(host: HostClient, binding: str) -> None:
    await interop_agents.check_reply(host, f"jess-{binding}")


async def test_task_is_cancelled(host: HostClient, binding: str) -> None:
    await interop_agents.check_cancel(host, f"jess-{binding}")


async def test_answer_without_a_task_is_a_message(
    host: HostClient, binding: str
) -> None:
    await interop_agents.check_direct_message(host, f"jess-{binding}")


async def test_failed_task_has_the_reason(host: HostClient, binding: str) -> None:
    await interop_agents.check_failure(host, f"jess-{binding}")


async def test_task_of_another_client_is_found_and_followed(
    host: HostClient, binding: str
) -> None:
    row = await host.agent(f"jess-{binding}")
    task_id = await interop_agents.start_without_host(row["interface_url"], binding)

    row = await host.row_with(task_id, "completed")

    assert row["agent"] == f"jess-{binding}"
    assert row["result"] == "One, two."

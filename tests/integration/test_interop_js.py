"""The host and an agent made with the official JavaScript SDK, protocol 1.0.

@a2a-js/sdk 1.3.0 in node, over each of its bindings; see tests/interop/README.md.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import interop_agents
from tests.support.harness import Stack
from tests.support.host_client import HostClient
from tests.support.interop_agents import BINDINGS

pytestmark = pytest.mark.parametrize("binding", BINDINGS)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with interop_agents.following(
        tmp_path_factory.mktemp("js"), jess="agent.js"
    ) as running:
        yield running


@pytest.fixture(autouse=True)
def connected(stack: Stack, binding: str) -> None:
    stack.wait_connected(f"jess-{binding}")


async def test_its_row_says_how_it_is_spoken_to_and_followed(
    host: HostClient, binding: str
) -> None:
    row = await host.agent(f"jess-{binding}")

    assert (row["binding"], row["protocol"]) == (BINDINGS[binding], "1.0")
    assert row["followed"] == "streaming"
    assert row["discovery"] == "every task"
    assert row["trouble"] is None


async def test_its_task_is_told_from_the_first_word_to_the_result(
    host: HostClient, binding: str
) -> None:
    await interop_agents.told_from_the_first_word_to_the_result(host, f"jess-{binding}")


async def test_its_question_is_answered(host: HostClient, binding: str) -> None:
    await interop_agents.replied_to(host, f"jess-{binding}")


async def test_its_task_is_cancelled(host: HostClient, binding: str) -> None:
    await interop_agents.cancelled(host, f"jess-{binding}")


async def test_its_answer_without_a_task_is_a_message(
    host: HostClient, binding: str
) -> None:
    await interop_agents.answered_without_a_task(host, f"jess-{binding}")


async def test_its_failure_says_why(host: HostClient, binding: str) -> None:
    await interop_agents.failed(host, f"jess-{binding}")


async def test_a_task_that_somebody_else_started_is_found_and_told_to_its_end(
    host: HostClient, binding: str
) -> None:
    row = await host.agent(f"jess-{binding}")
    task_id = await interop_agents.started_by_somebody_else(
        row["interface_url"], binding
    )

    row = await host.row_with(task_id, "completed")

    assert row["agent"] == f"jess-{binding}"
    assert row["result"] == "One, two."

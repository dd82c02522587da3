"""A2A clients of the stubs send messages, cancel tasks and list them.

Every test talks HTTP to a real `python -m agents`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import anyio
import pytest

from tests.support.a2a_client import (
    CANCELED,
    COMPLETED,
    Agent,
    agent_at,
    request,
    text_of,
)
from tests.support.stack import Stack


@pytest.fixture(scope="module")
def stubs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run Carly. A task takes less than a second."""
    with Stack(tmp_path_factory.mktemp("stubs"), ["carly"], with_host=False) as stack:
        yield stack


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run Carly, so slow that her tasks stay at their first step."""
    folder = tmp_path_factory.mktemp("slow")
    with Stack(folder, ["carly"], with_host=False, step_s=60) as stack:
        yield stack


@pytest.fixture
async def slow_carly(slow: Stack) -> AsyncIterator[Agent]:
    async with agent_at(slow.agent_url("carly")) as carly:
        yield carly


@pytest.fixture
async def carly(stubs: Stack) -> AsyncIterator[Agent]:
    async with agent_at(stubs.agent_url("carly")) as agent:
        yield agent


async def test_send_message_waits_for_the_result(carly: Agent) -> None:
    task = (await carly.send("Find a slot")).json()["task"]
    assert task["status"]["state"] == COMPLETED
    assert task == await carly.get(task["id"])
    answer = await carly.rpc("SendMessage", request("Find a slot"))
    assert answer["result"]["task"]["status"]["state"] == COMPLETED


async def test_cancelled_task_has_the_message_of_the_lesson(
    slow_carly: Agent,
) -> None:
    task_id = await slow_carly.start("Find a slot")
    answer = await slow_carly.cancel(task_id)
    assert answer.status_code == 200
    for task in (answer.json(), await slow_carly.get(task_id)):
        assert task["status"]["state"] == CANCELED
        assert text_of(task["status"]) == "Task cancelled by user request"


async def test_second_cancel_is_refused_in_both_bindings(
    slow_carly: Agent,
) -> None:
    task_id = await slow_carly.start("Find a slot")
    first = await slow_carly.rpc("CancelTask", {"id": task_id})
    assert first["result"]["status"]["state"] == CANCELED
    again = await slow_carly.rpc("CancelTask", {"id": task_id})
    assert again["error"]["code"] == -32002
    assert (await slow_carly.cancel(task_id)).status_code == 400


async def test_two_simultaneous_cancels_both_get_a_response(slow_carly: Agent) -> None:
    for _ in range(20):
        task_id = await slow_carly.start("Find a slot")
        answers: list[int] = []

        async def cancel(task_id: str, answers: list[int]) -> None:
            answers.append((await slow_carly.cancel(task_id)).status_code)

        with anyio.fail_after(30):
            async with anyio.create_task_group() as tasks:
                for _ in range(2):
                    tasks.start_soon(cancel, task_id, answers)
        assert sorted(answers) == [200, 400]


async def test_list_tasks_is_newest_first_and_filters(
    carly: Agent,
) -> None:
    first = (await carly.send("Find a slot", contextId="here")).json()["task"]
    second = (await carly.send("Find a slot", contextId="there")).json()["task"]
    listed = [task["id"] for task in await carly.tasks(status=COMPLETED)]
    assert listed[:2] == [second["id"], first["id"]]
    (here,) = await carly.tasks(contextId="here")
    assert here["id"] == first["id"]
    after = second["status"]["timestamp"]
    (newer,) = await carly.tasks(statusTimestampAfter=after)
    assert newer["id"] == second["id"]
    answer = await carly.rpc("ListTasks", {"pageSize": 1})
    assert [task["id"] for task in answer["result"]["tasks"]] == [second["id"]]

"""The orchestrator accepts replies to open questions and refuses bad messages.

Real agents and a real host. tests/unit/orchestrator/ has the cases with exact timing.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests.support.a2a_client import (
    INPUT_REQUIRED,
    Agent,
    agent_at,
)
from tests.support.host_client import HostClient
from tests.support.stack import AGENTS, Stack
from tests.support.waiting import wait_until

Json = dict[str, Any]


REQUEST = "Schedule a game tomorrow"


TWO_ASK = """
[plans.two]
examples = ["Ask me twice"]
[plans.two.steps.first]
agent = "nancy"
skill = "invite_everyone"
[plans.two.steps.second]
agent = "nancy"
skill = "announce_publicly"
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run a host with the default plan, so slow that its step asks late."""
    with Stack(tmp_path_factory.mktemp("stack"), step_s=1) as running:
        yield running


@pytest.fixture
async def agent(stack: Stack) -> AsyncIterator[Agent]:
    """An A2A client of the host."""
    async with agent_at(f"{stack.url}/a2a/host") as courtside:
        yield courtside


@pytest.fixture(scope="module")
def nancy_alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("nancy-alone")
    with Stack(folder, ["nancy"], toml=TWO_ASK) as running:
        yield running


class TestTwoQuestions:
    @pytest.fixture
    def stack(self, nancy_alone: Stack) -> Stack:
        return nancy_alone

    async def test_reply_names_the_step_that_it_answers(
        self, agent: Agent, host: HostClient
    ) -> None:
        task_id = await agent.start("Ask me twice")
        both = (
            "first: Send 4 invitations?\nsecond: May Nancy write on the club's board?"
        )
        await until_message(host, task_id, both)

        answer = await agent.send("Send", wait=False, taskId=task_id)
        assert answer.json()["task"]["status"]["state"] == INPUT_REQUIRED

        async def is_listed() -> bool:
            rows = await host.rows(task_id)
            return "You can answer first, second" in rows[-1]["message"]

        await wait_until(is_listed, "the list of open questions", 30)

        await agent.start("second: Refuse", taskId=task_id)
        # Without permission the step fails, and the plan with it.
        row = await host.row_with(task_id, "error")
        assert row["message"].startswith("second (nancy) failed: Nobody allowed Nancy")

    async def test_reply_may_name_the_step_in_its_metadata(
        self, agent: Agent, host: HostClient
    ) -> None:
        task_id = await agent.start("Ask me twice")
        await until_message(
            host, task_id, "first: Send 4 invitations?\nsecond: May Nancy"
        )

        for step, word in (("second", "Allow"), ("first", "Send")):
            metadata = {"courtside/step": step}
            await agent.start(word, taskId=task_id, metadata=metadata)

        result = (await host.row_with(task_id, "completed"))["result"]
        assert "first (nancy): Sent 4 invitations" in result
        assert "second (nancy): The club's board says" in result


async def until_message(host: HostClient, task_id: str, start: str) -> None:
    async def is_there() -> bool:
        rows = await host.rows(task_id)
        return str(rows[-1]["message"]).startswith(start)

    await wait_until(is_there, start, 30)


class TestBadInput:
    """The host starts no task and adds no event."""

    @pytest.fixture(autouse=True)
    async def no_trace(self, host: HostClient) -> AsyncIterator[None]:
        before = await host.history(after=0, agent="host", kind="task")
        yield
        after = await host.history(after=0, agent="host", kind="task")
        assert [row["id"] for row in after] == [row["id"] for row in before]

    @pytest.mark.parametrize(
        ("message", "status", "reason", "text"),
        [
            ({"skill": "juggle"}, 400, "INVALID_PARAMS", "no plan 'juggle'"),
            ({"text": " "}, 400, "INVALID_PARAMS", "the message has no text"),
            ({"taskId": "nothing"}, 404, "TASK_NOT_FOUND", "no task 'nothing'"),
        ],
    )
    async def test_error_is_readable(
        self, host: HostClient, message: Json, status: int, reason: str, text: str
    ) -> None:
        answer = await host.send("host", **{"text": "please", **message})

        error = answer.json()["error"]
        assert (answer.status_code, error["details"][0]["reason"]) == (status, reason)
        assert text in error["message"]

    async def test_unknown_task_cannot_be_read_or_cancelled(
        self, host: HostClient
    ) -> None:
        for answer in (
            await host.cancel("host", "nothing"),
            await host.http.get("/a2a/host/tasks/nothing"),
        ):
            assert answer.status_code == 404
            reason = answer.json()["error"]["details"][0]["reason"]
            assert reason == "TASK_NOT_FOUND"

    async def test_too_large_message_is_413(self, host: HostClient) -> None:
        answer = await host.send("host", "x" * 5_000_000)

        assert answer.status_code == 413

    async def test_host_cannot_be_removed_retried_or_added(
        self, stack: Stack, host: HostClient
    ) -> None:
        removed = await host.http.delete("/agents/host")
        retried = await host.http.post("/agents/host:retry")
        added = await host.http.post(
            "/agents", json={"url": "http://127.0.0.1:9", "name": "host"}
        )

        assert [a.status_code for a in (removed, retried, added)] == [404, 404, 400]
        agents = [row["agent"] for row in (await host.get("/agents"))["agents"]]
        assert sorted(agents) == sorted(AGENTS)


async def test_reply_without_a_question_and_cancel_of_an_ended_task_are_refused(
    agent: Agent, host: HostClient
) -> None:
    task_id = await agent.start(REQUEST)
    await host.row_with(task_id, "running")

    early = await agent.send("Send", taskId=task_id)
    await agent.cancel(task_id)
    await host.row_with(task_id, "cancelled")
    head = len(await host.rows(task_id))
    late = await agent.send("Send", taskId=task_id)
    again = await agent.cancel(task_id)

    answers = [json.loads(a.text)["error"] for a in (early, late, again)]
    assert [error["details"][0]["reason"] for error in answers] == [
        "UNSUPPORTED_OPERATION",
        "UNSUPPORTED_OPERATION",
        "TASK_NOT_CANCELABLE",
    ]
    assert "no open question" in answers[0]["message"]
    assert len(await host.rows(task_id)) == head

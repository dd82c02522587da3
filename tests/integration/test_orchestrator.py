"""The orchestrator as an A2A client sees it, with real agents and a real host.

tests/unit/orchestrator/ covers the cases that need exact timing.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests.support.a2a_client import (
    CANCELED,
    COMPLETED,
    INPUT_REQUIRED,
    Agent,
    agent_at,
    request,
)
from tests.support.host_client import HostClient
from tests.support.http_requests import read_events
from tests.support.stack import AGENTS, SEED_AGENTS, Stack
from tests.support.waiting import wait_until

Json = dict[str, Any]
PROGRESS = "https://a2a-protocol.org/extensions/task-progress/v1"
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
    """Run a host with the default plan, slow enough for a test to act in between."""
    with Stack(tmp_path_factory.mktemp("stack"), step_s=0.1) as running:
        yield running


@pytest.fixture
async def agent(stack: Stack) -> AsyncIterator[Agent]:
    """An A2A client of the host."""
    async with agent_at(f"{stack.url}/a2a/host") as courtside:
        yield courtside


async def at_the_question(agent: Agent, host: HostClient) -> str:
    task_id = await agent.start(REQUEST)
    row = await host.row_with(task_id, "input-required")
    assert row["message"] == "nancy: Send 4 invitations?"
    return task_id


async def children(host: HostClient, task_id: str) -> dict[str, Json]:
    """Return the last row of each child task, by agent."""
    rows = await host.history(after=0, kind="task")
    return {row["agent"]: row for row in rows if row.get("parent_task_id") == task_id}


def status_of(update: Json) -> Json:
    """Return the status in a status update."""
    status: Json = update["statusUpdate"]["status"]
    return status


async def test_card_is_at_the_well_known_path_of_the_host(
    stack: Stack, host: HostClient
) -> None:
    card = await host.get("/.well-known/agent-card.json")

    assert card == await host.get("/a2a/host/.well-known/agent-card.json")
    assert {one["url"] for one in card["supportedInterfaces"]} == {
        f"{stack.url}/a2a/host"
    }
    assert [skill["id"] for skill in card["skills"]] == ["schedule"]
    assert card["skills"][0]["examples"] == [REQUEST]
    assert card["capabilities"]["streaming"] is True


class TestPlan:
    async def test_stream_ends_with_a_question_and_then_with_the_summary(
        self, agent: Agent, host: HostClient
    ) -> None:
        updates = await agent.stream(REQUEST)
        task_id = updates[0]["task"]["id"]
        asked = status_of(updates[-1])
        assert asked["state"] == INPUT_REQUIRED
        assert asked["message"]["parts"] == [{"text": "nancy: Send 4 invitations?"}]

        updates = await agent.stream("Send", taskId=task_id)

        (artifact,) = [u["artifactUpdate"] for u in updates if "artifactUpdate" in u]
        text, found = artifact["artifact"]["parts"]
        assert "calendar (carly): Found 3 available slots for tomorrow!" in text["text"]
        assert "notify (nancy): Sent 4 invitations: Alex, Kim" in text["text"]
        assert list(found["data"]) == ["calendar", "weather", "venue", "notify"]
        assert status_of(updates[-1])["state"] == COMPLETED
        assert (await agent.get(task_id))["artifacts"] == [artifact["artifact"]]

    async def test_each_step_has_a_tracker(self, agent: Agent) -> None:
        updates = await agent.stream(REQUEST)

        progress = [
            update["statusUpdate"]["metadata"][PROGRESS]
            for update in updates
            if "statusUpdate" in update
        ]
        trackers = {
            (tracker["id"], tracker.get("message"))
            for one in progress
            for tracker in one["trackers"]
        }
        assert any(text for name, text in trackers if name == "calendar")
        names = {name for name, _ in trackers}
        assert names == {"calendar", "weather", "venue", "notify"}
        percents = [one["aggregate"]["progress"] for one in progress]
        assert percents == sorted(percents)
        assert len(set(percents)) > 3

    async def test_plan_runs_over_json_rpc(self, agent: Agent) -> None:
        updates = await agent.rpc_stream("SendStreamingMessage", request(REQUEST))

        assert status_of(updates[-1])["state"] == INPUT_REQUIRED

    async def test_child_tasks_have_the_parent_id_and_the_context(
        self, agent: Agent, host: HostClient
    ) -> None:
        task_id = await at_the_question(agent, host)

        rows = await children(host, task_id)
        assert set(rows) == set(SEED_AGENTS)
        context = (await agent.get(task_id))["contextId"]
        assert {row["context_id"] for row in rows.values()} == {context}
        all_rows = await host.history(after=0, context=context, kind="task")
        assert {
            row.get("parent_task_id") for row in all_rows if row["agent"] != "host"
        } == {task_id}

    async def test_host_task_is_in_the_feed(
        self, stack: Stack, agent: Agent, host: HostClient
    ) -> None:
        task_id = await at_the_question(agent, host)
        await agent.start("Send", taskId=task_id)
        last = await host.row_with(task_id, "completed")

        assert (last["agent"], last["progress"]) == ("host", 100)
        assert "Sent 4 invitations" in last["result"]
        (snapshot,) = await read_events(f"{stack.url}/feed", until=lambda seen: True)
        rows = {row["agent"]: row for row in snapshot.data["agents"]}
        assert rows["host"]["title"] == "Courtside"
        assert rows["host"]["skills"][0]["id"] == "schedule"

    async def test_step_starts_when_its_needs_are_completed(
        self, agent: Agent, host: HostClient
    ) -> None:
        task_id = await at_the_question(agent, host)

        rows = await host.history(after=0, kind="task")
        ours = [row for row in rows if row.get("parent_task_id") == task_id]
        start = next(i for i, row in enumerate(ours) if row["agent"] == "nancy")
        completed = {
            row["agent"] for row in ours[:start] if row["status"] == "completed"
        }
        assert completed == {"carly", "walter", "logan"}

    async def test_stream_of_an_ended_task_can_be_resumed(
        self, agent: Agent, host: HostClient
    ) -> None:
        task_id = await at_the_question(agent, host)
        await agent.start("Don't send", taskId=task_id)
        await host.row_with(task_id, "completed")

        frames = await agent.resume(task_id, 1)

        ids = [int(frame.id) for frame in frames]
        assert ids == list(range(2, len(ids) + 2))
        assert status_of(frames[-1].data)["state"] == COMPLETED


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """So slow that no child task completes during a test."""
    with Stack(tmp_path_factory.mktemp("slow"), step_s=2) as running:
        yield running


class TestCancelling:
    @pytest.fixture
    def stack(self, stack: Stack, slow: Stack, at: str) -> Stack:
        return slow if at == "running" else stack

    @pytest.mark.parametrize("at", ["running", "input-required"])
    async def test_cancel_reaches_the_child_tasks(
        self, stack: Stack, agent: Agent, host: HostClient, at: str
    ) -> None:
        task_id = await agent.start(REQUEST)
        await host.row_with(task_id, at)
        names = ("nancy",) if at == "input-required" else ("carly", "walter", "logan")
        for name in names:
            await child_of(host, task_id, name)

        answer = await agent.cancel(task_id)

        assert answer.json()["status"]["state"] == CANCELED
        await host.row_with(task_id, "cancelled")
        for name in names:
            child = await child_of(host, task_id, name)
            row = await host.row_with(child, "cancelled")
            assert row["parent_task_id"] == task_id
            async with agent_at(stack.agent_url(name)) as one:
                assert (await one.get(child))["status"]["state"] == CANCELED


async def child_of(host: HostClient, task_id: str, name: str) -> str:
    """Wait for the child task of an agent. Return its id."""

    async def found() -> str | None:
        row = (await children(host, task_id)).get(name)
        return row["task_id"] if row else None

    child = await wait_until(found, f"a task of {name}'s", 30)
    assert child
    return child


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

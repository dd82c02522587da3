"""The orchestrator runs and cancels plans for an A2A client.

Real agents and a real host. tests/unit/orchestrator/ has the cases with exact timing.
"""

from __future__ import annotations

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
from tests.support.stack import SEED_AGENTS, Stack
from tests.support.waiting import wait_until

Json = dict[str, Any]


PROGRESS = "https://a2a-protocol.org/extensions/task-progress/v1"


REQUEST = "Schedule a game tomorrow"


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

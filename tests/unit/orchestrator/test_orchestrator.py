"""The orchestrator with scripted agents: a plan from the request to its summary.

Failures, cancellation and restarts are in test_failures.py.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from a2a.utils.errors import (
    InvalidParamsError,
    TaskNotCancelableError,
    TaskNotFoundError,
    UnsupportedOperationError,
)
from msgspec import json

from host.gateway.card import build_card
from host.log.memory import MemoryLog
from host.model.event import ArtifactEvent
from host.orchestrator.run_state import PLAN_URI
from host.plans.default_plan import get_default_plans
from host.plans.plan import Plan, Planner, Step
from host.protocol.progress import URI as PROGRESS
from tests.support.fake_agents import (
    FakeAgents,
    PlanClient,
    run_orchestrator,
    until,
)

NAMES = ("carly", "walter", "logan", "nancy")
WORDS = Plan("words", "Say words", "", ("Say it",), {"say": Step("say", "carly")})
BY_SKILL = Plan("by-skill", "By skill", "", (), {"one": Step("one", None, "walter")})


@pytest.fixture
def agents() -> FakeAgents:
    return FakeAgents(*NAMES)


@pytest.fixture
async def client(agents: FakeAgents) -> AsyncIterator[PlanClient]:
    plans = {**get_default_plans(NAMES), "words": WORDS, "by-skill": BY_SKILL}
    async with run_orchestrator(agents, plans, MemoryLog()) as started:
        yield started


async def start_three_steps(agents: FakeAgents, client: PlanClient) -> str:
    task_id = await client.start("Schedule a game tomorrow")
    for name in NAMES[:3]:
        await (await agents[name].wait_for_task()).set_status("running", "…")
    return task_id


async def run_until_question(agents: FakeAgents, client: PlanClient) -> str:
    """Run the default plan until Nancy's question."""
    task_id = await start_three_steps(agents, client)
    for name in NAMES[:3]:
        await (await agents[name].wait_for_task()).set_status(
            "completed", f"{name}'s word"
        )
    await (await agents["nancy"].wait_for_task()).set_status(
        "input-required", "Send?", 50
    )
    await client.row_with(task_id, "input-required", "nancy: Send?")
    return task_id


class TestPlan:
    async def test_independent_steps_start_at_once(
        self, agents: FakeAgents, client: PlanClient
    ) -> None:
        task_id = await start_three_steps(agents, client)

        row = await client.row_with(
            task_id,
            "running",
            "Running calendar (carly), weather (walter), venue (logan)",
        )
        assert row.agent == "host"
        assert not agents["nancy"].tasks

    async def test_child_tasks_have_the_parent_id_and_the_context(
        self, agents: FakeAgents, client: PlanClient
    ) -> None:
        task_id = await client.start("Schedule a game tomorrow", contextId="my-evening")

        carly = await agents["carly"].wait_for_task()
        assert (carly.parent, carly.context_id) == (task_id, "my-evening")
        assert carly.message["metadata"] == {"skillId": "calendar_check"}
        assert carly.text == "Schedule a game tomorrow"
        assert client.row(task_id).context_id == "my-evening"

    async def test_results_go_into_the_next_message(
        self, agents: FakeAgents, client: PlanClient
    ) -> None:
        await run_until_question(agents, client)

        assert agents["nancy"].tasks[0].text == (
            "Schedule a game tomorrow\nWhen: carly's word\nWeather: walter's word\n"
            "Where: logan's word"
        )

    async def test_summary_artifact_has_the_result_of_each_step(
        self, agents: FakeAgents, client: PlanClient
    ) -> None:
        task_id = await run_until_question(agents, client)
        await client.reply(task_id, "Send")
        await agents["nancy"].tasks[0].set_status("completed", "Sent.")
        row = await client.row_with(task_id, "completed", "Schedule a game: done.")

        events = await client.events(task_id)
        (artifact,) = [e for e in events if isinstance(e, ArtifactEvent)]
        text, data = artifact.parts
        assert row.result == text["text"]
        assert text["text"].splitlines() == [
            "calendar (carly): carly's word",
            "weather (walter): walter's word",
            "venue (logan): logan's word",
            "notify (nancy): Sent.",
        ]
        assert data["data"]["notify"] == {
            "agent": "nancy",
            "taskId": "nancy-1",
            "status": "completed",
            "result": "Sent.",
        }
        task = await client.task(task_id)
        assert task["artifacts"] == [
            {"artifactId": "summary", "name": "summary", "parts": artifact.parts}
        ]

    async def test_progress_is_the_mean_of_the_steps(
        self, agents: FakeAgents, client: PlanClient
    ) -> None:
        task_id = await start_three_steps(agents, client)
        await agents["carly"].tasks[0].set_status("running", "Half", 50)
        await agents["walter"].tasks[0].set_status("completed", "Dry.")

        await until(lambda: client.row(task_id).progress == 37.5, "37.5 %")
        trackers = (await client.task(task_id))["metadata"][PROGRESS]["trackers"]
        assert [(t["id"], t["progress"], t["status"]) for t in trackers] == [
            ("calendar", 50, "running"),
            ("weather", 0, "completed"),
            ("venue", 0, "running"),
        ]
        assert trackers[0]["message"] == "Half"

    async def test_progress_never_decreases(
        self, agents: FakeAgents, client: PlanClient
    ) -> None:
        task_id = await start_three_steps(agents, client)
        await agents["carly"].tasks[0].set_status("running", "Much", 80)
        await until(lambda: client.row(task_id).progress == 20, "20 %")
        await agents["carly"].tasks[0].set_status("error", "No.")

        await (await agents["carly"].wait_for_task(2)).set_status("running", "Again", 4)
        await agents["logan"].tasks[0].set_status("running", "A little", 4)
        await agents["walter"].tasks[0].set_status("completed", "Dry.")
        await until(lambda: client.row(task_id).progress == 27, "27 %")

        progress = [row.progress for row in await client.rows(task_id) if row.progress]
        assert progress == sorted(progress)

    async def test_versions_of_the_events_have_no_holes(
        self, agents: FakeAgents, client: PlanClient
    ) -> None:
        task_id = await run_until_question(agents, client)

        rows = await client.rows(task_id)
        assert await client.feed.high_water(f"host/{task_id}") == len(rows)
        assert rows[0].status == "submitted"

    async def test_message_can_name_the_plan(
        self, agents: FakeAgents, client: PlanClient
    ) -> None:
        await client.start("Schedule a game tomorrow", metadata={"skillId": "words"})

        assert (
            await agents["carly"].wait_for_task()
        ).text == "Schedule a game tomorrow"
        assert not agents["walter"].tasks

    async def test_step_finds_the_agent_by_skill(
        self, agents: FakeAgents, client: PlanClient
    ) -> None:
        task_id = await client.start(metadata={"skillId": "by-skill"})

        await (await agents["walter"].wait_for_task()).set_status("completed", "Dry.")

        assert (await client.row_with(task_id, "completed")).result == (
            "one (walter): Dry."
        )

    async def test_agent_may_answer_without_a_task(
        self, agents: FakeAgents, client: PlanClient
    ) -> None:
        agents["carly"].answer = "Straight away."

        task_id = await client.start(metadata={"skillId": "words"})

        row = await client.row_with(task_id, "completed")
        assert row.result == "say (carly): Straight away."

    async def test_planner_can_create_the_plan(self, agents: FakeAgents) -> None:
        def make(text: str, agents: object) -> object:
            return {"steps": {"only": {"agent": "logan", "message": f"{text}!"}}}

        plans = {"made": Plan("made", "Made", planner=Planner("a:b", make))}
        async with run_orchestrator(agents, plans, MemoryLog()) as client:
            task_id = await client.start("Well")
            logan = await agents["logan"].wait_for_task()
            await logan.set_status("completed", "Well.")

            assert logan.text == "Well!"
            assert (await client.row_with(task_id, "completed")).result == (
                "only (logan): Well."
            )


class TestQuestion:
    async def test_question_and_reply_are_passed_on(
        self, agents: FakeAgents, client: PlanClient
    ) -> None:
        task_id = await run_until_question(agents, client)

        update = await client.reply(task_id, "Send")

        (reply,) = agents["nancy"].tasks[0].replies
        assert reply["parts"] == [{"text": "Send"}]
        assert reply["taskId"] == "nancy-1"
        assert update.response.task
        assert update.response.task.status.state == "TASK_STATE_WORKING"

    async def test_question_and_answer_are_in_the_history(
        self, agents: FakeAgents, client: PlanClient
    ) -> None:
        task_id = await run_until_question(agents, client)
        await client.reply(task_id, "Send")

        history = (await client.task(task_id))["history"]
        texts = [(m["role"], m["parts"][0]["text"]) for m in history]
        assert texts[0] == ("ROLE_USER", "Schedule a game tomorrow")
        assert texts[-2:] == [("ROLE_AGENT", "nancy: Send?"), ("ROLE_USER", "Send")]

    async def test_agent_may_ask_again(
        self, agents: FakeAgents, client: PlanClient
    ) -> None:
        task_id = await run_until_question(agents, client)
        await client.reply(task_id, "Perhaps")
        await agents["nancy"].tasks[0].set_status("input-required", "Send?")

        await client.row_with(task_id, "input-required")
        await client.reply(task_id, "Send")

        texts = [r["parts"][0]["text"] for r in agents["nancy"].tasks[0].replies]
        assert texts == ["Perhaps", "Send"]

    async def test_reply_goes_to_the_named_agent_or_step(
        self, agents: FakeAgents, client: PlanClient
    ) -> None:
        task_id = await start_three_steps(agents, client)
        carly, walter = agents["carly"].tasks[0], agents["walter"].tasks[0]
        await carly.set_status("input-required", "Which calendar?")
        await walter.set_status("auth-required", "May I?")
        await client.row_with(
            task_id, "input-required", "carly: Which calendar?\nwalter: May I?"
        )

        await client.reply(task_id, "walter: you may")
        await client.reply(task_id, "mine", metadata={"courtside/step": "calendar"})

        assert [r["parts"] for r in walter.replies] == [[{"text": "you may"}]]
        assert [r["parts"] for r in carly.replies] == [[{"text": "mine"}]]

    async def test_ambiguous_reply_is_asked_for_again(
        self, agents: FakeAgents, client: PlanClient
    ) -> None:
        task_id = await start_three_steps(agents, client)
        for name in ("carly", "walter"):
            await agents[name].tasks[0].set_status("input-required", "Yes?")
        await client.row_with(task_id, "input-required", "carly: Yes?\nwalter: Yes?")

        update = await client.reply(task_id, "Yes")

        assert update.response.task
        assert update.response.task.status.state == "TASK_STATE_INPUT_REQUIRED"
        message = str(client.row(task_id).message)
        assert "You can answer carly, walter" in message
        assert message.endswith("carly: Yes?\nwalter: Yes?")
        assert not agents["carly"].tasks[0].replies + agents["walter"].tasks[0].replies

    async def test_question_for_permission_is_auth_required(
        self, agents: FakeAgents, client: PlanClient
    ) -> None:
        task_id = await start_three_steps(agents, client)

        await agents["logan"].tasks[0].set_status("auth-required", "May I?")

        await client.row_with(task_id, "auth-required", "logan: May I?")

    async def test_question_that_is_answered_at_the_agent_is_closed(
        self, agents: FakeAgents, client: PlanClient
    ) -> None:
        task_id = await run_until_question(agents, client)

        await agents["nancy"].tasks[0].set_status("running", "Sending…")

        await client.row_with(task_id, "running")

    async def test_question_stays_open_if_the_agent_refuses_the_reply(
        self, agents: FakeAgents, client: PlanClient
    ) -> None:
        task_id = await run_until_question(agents, client)
        agents["nancy"].error = UnsupportedOperationError("not now")

        with pytest.raises(UnsupportedOperationError, match="not now"):
            await client.reply(task_id, "Send")

        agents["nancy"].error = None
        await client.reply(task_id, "Send")
        assert len(agents["nancy"].tasks[0].replies) == 1
        assert client.row(task_id).status == "running"


class TestCard:
    async def test_skills_are_the_plans(self, client: PlanClient) -> None:
        card = client.orchestrator.card

        assert [skill.id for skill in card.skills] == ["schedule", "words", "by-skill"]
        assert card.skills[0].name == "Schedule a game"
        assert list(card.skills[0].examples) == ["Schedule a game tomorrow"]
        served = json.decode(build_card(card, "http://host.test", locked=False))
        assert served["capabilities"]["streaming"]
        assert {i["protocolBinding"] for i in served["supportedInterfaces"]} == {
            "JSONRPC",
            "HTTP+JSON",
        }

    async def test_host_has_an_agent_row(self, client: PlanClient) -> None:
        row = client.feed.board.agents["host"]

        assert (row.title, row.connection) == ("Courtside", "connected")
        assert row.skills[0].id == "schedule"

    async def test_agent_row_is_written_only_when_it_changes(
        self, agents: FakeAgents
    ) -> None:
        log = MemoryLog()
        heads = []
        for plans in (get_default_plans(NAMES), get_default_plans(NAMES), {}, {}):
            async with run_orchestrator(agents, plans, log) as client:
                rows = client.feed.board.agents
                heads.append((rows["host"].connection, await high_water(client)))
        assert heads == [
            ("connected", 1),
            ("connected", 1),
            ("removed", 2),
            ("removed", 2),
        ]

    async def test_no_agent_row_without_plans(self, agents: FakeAgents) -> None:
        async with run_orchestrator(agents, {}, MemoryLog()) as client:
            assert "host" not in client.feed.board.agents


async def high_water(client: PlanClient) -> int:
    return await client.feed.high_water("host")


class TestRefusedRequests:
    """A refused request sends nothing."""

    @pytest.fixture(autouse=True)
    async def sends_nothing(
        self, client: PlanClient, agents: FakeAgents
    ) -> AsyncIterator[None]:
        yield
        assert not any(agent.tasks for agent in agents.by_name.values())

    async def test_message_without_text(self, client: PlanClient) -> None:
        with pytest.raises(InvalidParamsError, match="the message has no text"):
            await client.start(" ")

    async def test_unknown_plan(self, client: PlanClient) -> None:
        with pytest.raises(InvalidParamsError, match="use one of schedule, words"):
            await client.start("please", metadata={"skillId": "nothing"})

    async def test_any_message_if_there_are_no_plans(self, agents: FakeAgents) -> None:
        async with run_orchestrator(agents, {}, MemoryLog()) as client:
            with pytest.raises(UnsupportedOperationError, match="no plans"):
                await client.start("please")

    async def test_reply_to_an_unknown_task(self, client: PlanClient) -> None:
        with pytest.raises(TaskNotFoundError, match="no task 'nothing'"):
            await client.reply("nothing", "yes")

    async def test_reading_an_unknown_task(self, client: PlanClient) -> None:
        with pytest.raises(TaskNotFoundError):
            await client.orchestrator.get_task("nothing")

    async def test_cancelling_an_unknown_task(self, client: PlanClient) -> None:
        with pytest.raises(TaskNotFoundError):
            await client.orchestrator.cancel("nothing")


async def test_reply_without_an_open_question_is_refused(
    agents: FakeAgents, client: PlanClient
) -> None:
    task_id = await start_three_steps(agents, client)

    with pytest.raises(UnsupportedOperationError, match="has no open question"):
        await client.reply(task_id, "yes")

    assert not agents["carly"].tasks[0].replies


async def test_reply_in_another_context_is_refused(
    agents: FakeAgents, client: PlanClient
) -> None:
    task_id = await run_until_question(agents, client)

    with pytest.raises(InvalidParamsError, match="not in 'another'"):
        await client.reply(task_id, "yes", contextId="another")

    assert not agents["nancy"].tasks[0].replies


async def test_reply_to_a_step_without_a_question_is_refused(
    agents: FakeAgents, client: PlanClient
) -> None:
    task_id = await run_until_question(agents, client)

    with pytest.raises(InvalidParamsError, match="'venue' has no open question"):
        await client.reply(task_id, "yes", metadata={"courtside/step": "venue"})


async def test_ended_task_cannot_be_answered_or_cancelled(
    agents: FakeAgents, client: PlanClient
) -> None:
    agents["carly"].answer = "Straight away."
    task_id = await client.start(metadata={"skillId": "words"})
    await client.row_with(task_id, "completed")

    with pytest.raises(UnsupportedOperationError, match="has ended: start a new one"):
        await client.reply(task_id, "yes")
    with pytest.raises(TaskNotCancelableError, match="has already ended"):
        await client.orchestrator.cancel(task_id)
    assert PLAN_URI in (await client.task(task_id))["metadata"]

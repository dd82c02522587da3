"""Tests runs of plans with scripted agents, from the request to the summary."""

from __future__ import annotations

from msgspec import json

from host.gateway.card import build_card
from host.log.memory_log import MemoryLog
from host.model.event import ArtifactEvent
from host.plans.default_plan import get_default_plans
from host.plans.plan import Plan, Planner
from host.protocol.progress import URI as PROGRESS
from tests.support.default_plan_run import (
    NAMES,
    run_until_question,
    start_three_steps,
)
from tests.support.fake_agents import FakeAgents, PlanClient, run_orchestrator
from tests.support.waiting import wait_until


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

        await wait_until(lambda: client.row(task_id).progress == 37.5, "37.5 %")
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
        await wait_until(lambda: client.row(task_id).progress == 20, "20 %")
        await agents["carly"].tasks[0].set_status("error", "No.")

        await (await agents["carly"].wait_for_task(2)).set_status("running", "Again", 4)
        await agents["logan"].tasks[0].set_status("running", "A little", 4)
        await agents["walter"].tasks[0].set_status("completed", "Dry.")
        await wait_until(lambda: client.row(task_id).progress == 27, "27 %")

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

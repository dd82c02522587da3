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
from tests.support.plan_agents import Play, Troupe, playing, until

NAMES = ("carly", "walter", "logan", "nancy")
WORDS = Plan("words", "Say words", "", ("Say it",), {"say": Step("say", "carly")})
BY_SKILL = Plan("by-skill", "By skill", "", (), {"one": Step("one", None, "walter")})


@pytest.fixture
def troupe() -> Troupe:
    return Troupe(*NAMES)


@pytest.fixture
async def play(troupe: Troupe) -> AsyncIterator[Play]:
    plans = {**get_default_plans(NAMES), "words": WORDS, "by-skill": BY_SKILL}
    async with playing(troupe, plans, MemoryLog()) as started:
        yield started


async def three_at_work(troupe: Troupe, play: Play) -> str:
    task_id = await play.ask("Schedule a game tomorrow")
    for name in NAMES[:3]:
        await (await troupe[name].part()).tell("running", "…")
    return task_id


async def at_the_question(troupe: Troupe, play: Play) -> str:
    """The default plan, until Nancy's question."""
    task_id = await three_at_work(troupe, play)
    for name in NAMES[:3]:
        await (await troupe[name].part()).tell("completed", f"{name}'s word")
    await (await troupe["nancy"].part()).tell("input-required", "Send?", 50)
    await play.row_with(task_id, "input-required", "nancy: Send?")
    return task_id


class TestPlan:
    async def test_independent_steps_start_at_once(
        self, troupe: Troupe, play: Play
    ) -> None:
        task_id = await three_at_work(troupe, play)

        row = await play.row_with(
            task_id,
            "running",
            "Running calendar (carly), weather (walter), venue (logan)",
        )
        assert row.agent == "host"
        assert not troupe["nancy"].parts

    async def test_child_tasks_have_the_parent_id_and_the_context(
        self, troupe: Troupe, play: Play
    ) -> None:
        task_id = await play.ask("Schedule a game tomorrow", contextId="my-evening")

        carly = await troupe["carly"].part()
        assert (carly.parent, carly.context_id) == (task_id, "my-evening")
        assert carly.message["metadata"] == {"skillId": "calendar_check"}
        assert carly.text == "Schedule a game tomorrow"
        assert play.row(task_id).context_id == "my-evening"

    async def test_results_go_into_the_next_message(
        self, troupe: Troupe, play: Play
    ) -> None:
        await at_the_question(troupe, play)

        assert troupe["nancy"].parts[0].text == (
            "Schedule a game tomorrow\nWhen: carly's word\nWeather: walter's word\n"
            "Where: logan's word"
        )

    async def test_summary_artifact_has_the_result_of_each_step(
        self, troupe: Troupe, play: Play
    ) -> None:
        task_id = await at_the_question(troupe, play)
        await play.reply(task_id, "Send")
        await troupe["nancy"].parts[0].tell("completed", "Sent.")
        row = await play.row_with(task_id, "completed", "Schedule a game: done.")

        events = await play.events(task_id)
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
        task = await play.task(task_id)
        assert task["artifacts"] == [
            {"artifactId": "summary", "name": "summary", "parts": artifact.parts}
        ]

    async def test_progress_is_the_mean_of_the_steps(
        self, troupe: Troupe, play: Play
    ) -> None:
        task_id = await three_at_work(troupe, play)
        await troupe["carly"].parts[0].tell("running", "Half", 50)
        await troupe["walter"].parts[0].tell("completed", "Dry.")

        await until(lambda: play.row(task_id).progress == 37.5, "37.5 %")
        trackers = (await play.task(task_id))["metadata"][PROGRESS]["trackers"]
        assert [(t["id"], t["progress"], t["status"]) for t in trackers] == [
            ("calendar", 50, "running"),
            ("weather", 0, "completed"),
            ("venue", 0, "running"),
        ]
        assert trackers[0]["message"] == "Half"

    async def test_progress_never_decreases(self, troupe: Troupe, play: Play) -> None:
        task_id = await three_at_work(troupe, play)
        await troupe["carly"].parts[0].tell("running", "Much", 80)
        await until(lambda: play.row(task_id).progress == 20, "20 %")
        await troupe["carly"].parts[0].tell("error", "No.")

        await (await troupe["carly"].part(2)).tell("running", "Again", 4)
        await troupe["logan"].parts[0].tell("running", "A little", 4)
        await troupe["walter"].parts[0].tell("completed", "Dry.")
        await until(lambda: play.row(task_id).progress == 27, "27 %")

        progress = [row.progress for row in await play.rows(task_id) if row.progress]
        assert progress == sorted(progress)

    async def test_versions_of_the_events_have_no_holes(
        self, troupe: Troupe, play: Play
    ) -> None:
        task_id = await at_the_question(troupe, play)

        rows = await play.rows(task_id)
        assert await play.feed.high_water(f"host/{task_id}") == len(rows)
        assert rows[0].status == "submitted"

    async def test_message_can_name_the_plan(self, troupe: Troupe, play: Play) -> None:
        await play.ask("Schedule a game tomorrow", metadata={"skillId": "words"})

        assert (await troupe["carly"].part()).text == "Schedule a game tomorrow"
        assert not troupe["walter"].parts

    async def test_step_finds_the_agent_by_skill(
        self, troupe: Troupe, play: Play
    ) -> None:
        task_id = await play.ask(metadata={"skillId": "by-skill"})

        await (await troupe["walter"].part()).tell("completed", "Dry.")

        assert (await play.row_with(task_id, "completed")).result == (
            "one (walter): Dry."
        )

    async def test_agent_may_answer_without_a_task(
        self, troupe: Troupe, play: Play
    ) -> None:
        troupe["carly"].answer = "Straight away."

        task_id = await play.ask(metadata={"skillId": "words"})

        row = await play.row_with(task_id, "completed")
        assert row.result == "say (carly): Straight away."

    async def test_planner_can_create_the_plan(self, troupe: Troupe) -> None:
        def make(text: str, agents: object) -> object:
            return {"steps": {"only": {"agent": "logan", "message": f"{text}!"}}}

        plans = {"made": Plan("made", "Made", planner=Planner("a:b", make))}
        async with playing(troupe, plans, MemoryLog()) as play:
            task_id = await play.ask("Well")
            logan = await troupe["logan"].part()
            await logan.tell("completed", "Well.")

            assert logan.text == "Well!"
            assert (await play.row_with(task_id, "completed")).result == (
                "only (logan): Well."
            )


class TestQuestion:
    async def test_question_and_reply_are_passed_on(
        self, troupe: Troupe, play: Play
    ) -> None:
        task_id = await at_the_question(troupe, play)

        update = await play.reply(task_id, "Send")

        (reply,) = troupe["nancy"].parts[0].replies
        assert reply["parts"] == [{"text": "Send"}]
        assert reply["taskId"] == "nancy-1"
        assert update.response.task
        assert update.response.task.status.state == "TASK_STATE_WORKING"

    async def test_question_and_answer_are_in_the_history(
        self, troupe: Troupe, play: Play
    ) -> None:
        task_id = await at_the_question(troupe, play)
        await play.reply(task_id, "Send")

        history = (await play.task(task_id))["history"]
        texts = [(m["role"], m["parts"][0]["text"]) for m in history]
        assert texts[0] == ("ROLE_USER", "Schedule a game tomorrow")
        assert texts[-2:] == [("ROLE_AGENT", "nancy: Send?"), ("ROLE_USER", "Send")]

    async def test_agent_may_ask_again(self, troupe: Troupe, play: Play) -> None:
        task_id = await at_the_question(troupe, play)
        await play.reply(task_id, "Perhaps")
        await troupe["nancy"].parts[0].tell("input-required", "Send?")

        await play.row_with(task_id, "input-required")
        await play.reply(task_id, "Send")

        texts = [r["parts"][0]["text"] for r in troupe["nancy"].parts[0].replies]
        assert texts == ["Perhaps", "Send"]

    async def test_reply_goes_to_the_named_agent_or_step(
        self, troupe: Troupe, play: Play
    ) -> None:
        task_id = await three_at_work(troupe, play)
        carly, walter = troupe["carly"].parts[0], troupe["walter"].parts[0]
        await carly.tell("input-required", "Which calendar?")
        await walter.tell("auth-required", "May I?")
        await play.row_with(
            task_id, "input-required", "carly: Which calendar?\nwalter: May I?"
        )

        await play.reply(task_id, "walter: you may")
        await play.reply(task_id, "mine", metadata={"courtside/step": "calendar"})

        assert [r["parts"] for r in walter.replies] == [[{"text": "you may"}]]
        assert [r["parts"] for r in carly.replies] == [[{"text": "mine"}]]

    async def test_ambiguous_reply_is_asked_for_again(
        self, troupe: Troupe, play: Play
    ) -> None:
        task_id = await three_at_work(troupe, play)
        for name in ("carly", "walter"):
            await troupe[name].parts[0].tell("input-required", "Yes?")
        await play.row_with(task_id, "input-required", "carly: Yes?\nwalter: Yes?")

        update = await play.reply(task_id, "Yes")

        assert update.response.task
        assert update.response.task.status.state == "TASK_STATE_INPUT_REQUIRED"
        message = str(play.row(task_id).message)
        assert "You can answer carly, walter" in message
        assert message.endswith("carly: Yes?\nwalter: Yes?")
        assert not troupe["carly"].parts[0].replies + troupe["walter"].parts[0].replies

    async def test_question_for_permission_is_auth_required(
        self, troupe: Troupe, play: Play
    ) -> None:
        task_id = await three_at_work(troupe, play)

        await troupe["logan"].parts[0].tell("auth-required", "May I?")

        await play.row_with(task_id, "auth-required", "logan: May I?")

    async def test_question_that_is_answered_at_the_agent_is_closed(
        self, troupe: Troupe, play: Play
    ) -> None:
        task_id = await at_the_question(troupe, play)

        await troupe["nancy"].parts[0].tell("running", "Sending…")

        await play.row_with(task_id, "running")

    async def test_question_stays_open_if_the_agent_refuses_the_reply(
        self, troupe: Troupe, play: Play
    ) -> None:
        task_id = await at_the_question(troupe, play)
        troupe["nancy"].refusal = UnsupportedOperationError("not now")

        with pytest.raises(UnsupportedOperationError, match="not now"):
            await play.reply(task_id, "Send")

        troupe["nancy"].refusal = None
        await play.reply(task_id, "Send")
        assert len(troupe["nancy"].parts[0].replies) == 1
        assert play.row(task_id).status == "running"


class TestCard:
    async def test_skills_are_the_plans(self, play: Play) -> None:
        card = play.orchestrator.card

        assert [skill.id for skill in card.skills] == ["schedule", "words", "by-skill"]
        assert card.skills[0].name == "Schedule a game"
        assert list(card.skills[0].examples) == ["Schedule a game tomorrow"]
        served = json.decode(build_card(card, "http://host.test", locked=False))
        assert served["capabilities"]["streaming"]
        assert {i["protocolBinding"] for i in served["supportedInterfaces"]} == {
            "JSONRPC",
            "HTTP+JSON",
        }

    async def test_host_has_an_agent_row(self, play: Play) -> None:
        row = play.feed.board.agents["host"]

        assert (row.title, row.connection) == ("Courtside", "connected")
        assert row.skills[0].id == "schedule"

    async def test_agent_row_is_written_only_when_it_changes(
        self, troupe: Troupe
    ) -> None:
        log = MemoryLog()
        heads = []
        for plans in (get_default_plans(NAMES), get_default_plans(NAMES), {}, {}):
            async with playing(troupe, plans, log) as play:
                rows = play.feed.board.agents
                heads.append((rows["host"].connection, await high_water(play)))
        assert heads == [
            ("connected", 1),
            ("connected", 1),
            ("removed", 2),
            ("removed", 2),
        ]

    async def test_no_agent_row_without_plans(self, troupe: Troupe) -> None:
        async with playing(troupe, {}, MemoryLog()) as play:
            assert "host" not in play.feed.board.agents


async def high_water(play: Play) -> int:
    return await play.feed.high_water("host")


class TestRefusedRequests:
    """A refused request sends nothing."""

    @pytest.fixture(autouse=True)
    async def sends_nothing(self, play: Play, troupe: Troupe) -> AsyncIterator[None]:
        yield
        assert not any(puppet.parts for puppet in troupe.puppets.values())

    async def test_message_without_text(self, play: Play) -> None:
        with pytest.raises(InvalidParamsError, match="the message has no text"):
            await play.ask(" ")

    async def test_unknown_plan(self, play: Play) -> None:
        with pytest.raises(InvalidParamsError, match="use one of schedule, words"):
            await play.ask("please", metadata={"skillId": "nothing"})

    async def test_any_message_if_there_are_no_plans(self, troupe: Troupe) -> None:
        async with playing(troupe, {}, MemoryLog()) as play:
            with pytest.raises(UnsupportedOperationError, match="no plans"):
                await play.ask("please")

    async def test_reply_to_an_unknown_task(self, play: Play) -> None:
        with pytest.raises(TaskNotFoundError, match="no task 'nothing'"):
            await play.reply("nothing", "yes")

    async def test_reading_an_unknown_task(self, play: Play) -> None:
        with pytest.raises(TaskNotFoundError):
            await play.orchestrator.get_task("nothing")

    async def test_cancelling_an_unknown_task(self, play: Play) -> None:
        with pytest.raises(TaskNotFoundError):
            await play.orchestrator.cancel("nothing")


async def test_reply_without_an_open_question_is_refused(
    troupe: Troupe, play: Play
) -> None:
    task_id = await three_at_work(troupe, play)

    with pytest.raises(UnsupportedOperationError, match="has no open question"):
        await play.reply(task_id, "yes")

    assert not troupe["carly"].parts[0].replies


async def test_reply_in_another_context_is_refused(troupe: Troupe, play: Play) -> None:
    task_id = await at_the_question(troupe, play)

    with pytest.raises(InvalidParamsError, match="not in 'another'"):
        await play.reply(task_id, "yes", contextId="another")

    assert not troupe["nancy"].parts[0].replies


async def test_reply_to_a_step_without_a_question_is_refused(
    troupe: Troupe, play: Play
) -> None:
    task_id = await at_the_question(troupe, play)

    with pytest.raises(InvalidParamsError, match="'venue' has no open question"):
        await play.reply(task_id, "yes", metadata={"courtside/step": "venue"})


async def test_ended_task_cannot_be_answered_or_cancelled(
    troupe: Troupe, play: Play
) -> None:
    troupe["carly"].answer = "Straight away."
    task_id = await play.ask(metadata={"skillId": "words"})
    await play.row_with(task_id, "completed")

    with pytest.raises(UnsupportedOperationError, match="has ended: start a new one"):
        await play.reply(task_id, "yes")
    with pytest.raises(TaskNotCancelableError, match="has already ended"):
        await play.orchestrator.cancel(task_id)
    assert PLAN_URI in (await play.task(task_id))["metadata"]

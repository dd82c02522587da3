"""Tests the scripts of all stubs as data, without running an agent.

Covers agents/stubs/ and agents/steps.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from xml.etree import ElementTree

import pytest

from agents.steps import (
    AgentSpec,
    Ask,
    Branch,
    Chunk,
    Deliver,
    Fail,
    NeedAuth,
    Parallel,
    Progress,
    Reject,
    Reply,
    Request,
    Say,
    Skill,
    Step,
    UnknownSkillError,
)
from agents.stubs import STUBS
from tests.support.stack import SEED_AGENTS

SCRIPTS = [(stub, skill) for stub in STUBS.values() for skill in stub.skills]
every_script = pytest.mark.parametrize(
    ("stub", "skill"),
    SCRIPTS,
    ids=[f"{stub.name}-{skill.id}" for stub, skill in SCRIPTS],
)


async def run_script(
    skill: Skill,
    answers: Sequence[str] = (),
    text: str | None = None,
    with_branches: bool = True,
) -> list[Step]:
    """Return all steps of a script that gets `answers`, and then first choices.

    The steps of each branch follow their Parallel step. A step that ends the script is
    the last one.
    """
    script = skill.script(Request(skill.examples[0] if text is None else text))
    remaining = list(answers)
    steps: list[Step] = []
    answer = ""
    async with aclosing(script):
        step = await anext(script)
        while True:
            steps.append(step)
            match step:
                case Ask():
                    given = remaining.pop(0) if remaining else step.choices[0]
                    answer = step.match_choice(given)
                case Parallel(branches):
                    for branch in branches.values():
                        branch_steps = await run_branch(branch)
                        steps.extend(branch_steps if with_branches else [])
                case Fail() | Reject() | Reply():
                    return steps
            try:
                step = await script.asend(answer)
            except StopAsyncIteration:
                return steps


async def run_branch(branch: Branch) -> list[Step]:
    steps: list[Step] = []
    async with aclosing(branch):
        async for step in branch:
            steps.append(step)
            if isinstance(step, Fail):
                break
    return steps


def find_skill(name: str, skill_id: str) -> Skill:
    return STUBS[name].choose_skill("", skill_id)


def get_text(step: Step) -> str:
    match step:
        case Progress(message=text) | Say(message=text):
            return text
        case Deliver(text=text) | Chunk(text=text) | Reply(text=text):
            return text
        case Ask(question=text) | Fail(reason=text) | Reject(reason=text):
            return text
    return ""


async def test_carlys_calendar_check_has_the_messages_of_the_lesson() -> None:
    assert await run_script(find_skill("carly", "calendar_check")) == [
        Progress(0, "Starting calendar search..."),
        Progress(25, "Checking personal calendar..."),
        Progress(50, "Querying team calendars..."),
        Progress(75, "Finding optimal time slots..."),
        Deliver("Found 3 available slots for tomorrow!"),
    ]


async def test_carlys_analysis_is_the_long_second_scenario_of_the_lesson() -> None:
    steps = await run_script(find_skill("carly", "complex_analysis"))
    assert steps[:2] == [
        Progress(0, "Beginning complex analysis...", beats=3),
        Progress(30, "Processing data...", beats=3),
    ]
    assert sum(step.beats for step in steps if isinstance(step, Progress)) >= 10


async def test_walters_forecast_has_chunks_of_text_and_data() -> None:
    steps = await run_script(find_skill("walter", "weather_forecast"))
    chunks = [step for step in steps if isinstance(step, Chunk)]
    assert [chunk.last for chunk in chunks] == [False] * 4 + [True]
    assert {chunk.name for chunk in chunks} == {"forecast"}
    assert chunks[0].text == "17:00 sunny, 23 °C\n"
    assert chunks[-1].data is not None


async def test_walter_answers_a_short_question_without_a_task() -> None:
    (answer,) = await run_script(find_skill("walter", "weather_now"))
    assert answer == Reply("Dry, 19 °C and a light wind from the west.")


async def test_logan_asks_all_courts_at_once_and_retries_the_silent_one() -> None:
    steps = await run_script(find_skill("logan", "venue_search"))
    first, second = (step for step in steps if isinstance(step, Parallel))
    assert list(first.branches) == ["Riverside Courts", "Harbour Club", "Old Mill Park"]
    assert [step for step in steps if isinstance(step, Fail)] == [
        Fail("Harbour Club: no answer")
    ]
    assert list(second.branches) == ["Harbour Club"]
    assert "Harbour Club: fully booked" in [get_text(step) for step in steps]


async def test_logan_delivers_an_svg_map_with_every_court() -> None:
    steps = await run_script(find_skill("logan", "venue_search"))
    map_file = next(s.file for s in steps if isinstance(s, Deliver) and s.file)
    assert (map_file.name, map_file.media_type) == ("courts.svg", "image/svg+xml")
    svg = ElementTree.fromstring(map_file.content)  # noqa: S314 - our own file
    assert svg.tag == "{http://www.w3.org/2000/svg}svg"
    names = {element.text for element in svg if element.tag.endswith("text")}
    assert names == {"Riverside Courts", "Harbour Club", "Old Mill Park"}


@pytest.mark.parametrize(
    ("name", "skill_id", "line"),
    [
        ("carly", "availability", "Checking availability..."),
        ("carly", "complex_analysis", "Beginning complex analysis..."),
        ("walter", "weather_forecast", "Fetching forecast..."),
        ("logan", "venue_search", "Finding courts..."),
        ("nancy", "send_notification", "Ready to send..."),
        ("nancy", "invite_everyone", "Ready to send..."),
    ],
)
async def test_stub_has_its_message_from_the_preview_of_the_lesson(
    name: str, skill_id: str, line: str
) -> None:
    assert line in [
        get_text(step) for step in await run_script(find_skill(name, skill_id))
    ]


@every_script
async def test_progress_never_decreases_and_stays_below_100_until_the_end(
    stub: AgentSpec, skill: Skill
) -> None:
    steps = await run_script(skill, with_branches=False)
    percents = [step.percent for step in steps if isinstance(step, Progress)]
    assert percents == sorted(percents)
    assert all(0 <= percent < 100 for percent in percents)


@every_script
async def test_every_script_ends_with_a_result(stub: AgentSpec, skill: Skill) -> None:
    last = (await run_script(skill))[-1]
    assert isinstance(last, Deliver | Reply)
    assert last.text


@every_script
async def test_example_chooses_its_skill(stub: AgentSpec, skill: Skill) -> None:
    assert skill.examples
    for example in skill.examples:
        assert stub.choose_skill(example) is skill


@every_script
async def test_skill_id_overrides_the_text(stub: AgentSpec, skill: Skill) -> None:
    for other in stub.skills:
        assert stub.choose_skill(other.examples[0], skill.id) is skill


@pytest.mark.parametrize("stub", STUBS.values(), ids=STUBS)
def test_unrelated_text_chooses_the_first_skill(stub: AgentSpec) -> None:
    assert stub.choose_skill("hm") is stub.skills[0]
    assert stub.choose_skill("") is stub.skills[0]


def test_unknown_skill_error_lists_the_skills() -> None:
    with pytest.raises(
        UnknownSkillError, match=r"'dance'.*calendar_check, availability"
    ):
        STUBS["carly"].choose_skill("", "dance")


async def test_stubs_of_the_lesson_differ_in_steps_and_duration() -> None:
    beats_by_stub = []
    for name in SEED_AGENTS:
        steps = await run_script(STUBS[name].skills[0])
        beats_by_stub.append([s.beats for s in steps if isinstance(s, Progress | Say)])
    assert len({len(beats) for beats in beats_by_stub}) == 4
    assert len({sum(beats) for beats in beats_by_stub}) == 4


INVITE = find_skill("nancy", "invite_everyone")


async def test_nancy_asks_before_sending() -> None:
    steps = await run_script(INVITE, ["Send"], text="Tennis at 18:30")
    assert Ask("Send 4 invitations?", ("Send", "Don't send")) in steps
    result = steps[-1]
    assert isinstance(result, Deliver)
    assert result.text.startswith("Sent 4 invitations")
    assert result.data is not None
    assert result.data["text"] == "Tennis at 18:30"


async def test_nancy_sends_nothing_after_a_refusal() -> None:
    steps = await run_script(INVITE, ["don’t send."])
    assert steps[-1] == Deliver("Nothing was sent.")
    assert "Sending 4 invitations..." not in [get_text(step) for step in steps]


async def test_nancy_asks_again_after_an_unclear_answer() -> None:
    steps = await run_script(INVITE, ["perhaps", "Send"])
    questions = [step.question for step in steps if isinstance(step, Ask)]
    assert questions == ["Send 4 invitations?", "Please say Send or Don't send."]


@pytest.mark.parametrize("skill_id", ["send_notification", "invite_everyone"])
@pytest.mark.parametrize("text", ["?!", "12 34", " . "])
async def test_nancy_rejects_a_message_without_words(skill_id: str, text: str) -> None:
    (step,) = await run_script(find_skill("nancy", skill_id), text=text)
    assert isinstance(step, Reject)
    assert "says nothing that Nancy could send" in step.reason


async def test_nancy_fails_for_an_unreachable_address() -> None:
    skill = find_skill("nancy", "send_notification")
    steps = await run_script(skill, text="Tell somebody@nowhere.invalid about tennis")
    assert isinstance(steps[-1], Fail)
    assert steps[-1].reason.startswith("somebody@nowhere.invalid cannot be reached")
    assert len(steps) > 1


ANNOUNCE = find_skill("nancy", "announce_publicly")


async def test_nancy_needs_permission_to_write_in_public() -> None:
    steps = await run_script(ANNOUNCE, ["Allow"])
    asked = [step for step in steps if isinstance(step, NeedAuth)]
    assert [step.choices for step in asked] == [("Allow", "Refuse")]
    assert isinstance(steps[-1], Deliver)


@pytest.mark.parametrize("answer", ["Refuse", "who are you?"])
async def test_nancy_writes_nothing_in_public_without_permission(answer: str) -> None:
    steps = await run_script(ANNOUNCE, [answer])
    assert isinstance(steps[-1], Fail)
    assert "it stays empty" in steps[-1].reason


@pytest.mark.parametrize("reply", ["Send", "send", " SEND! ", "send."])
def test_choice_matches_despite_case_and_punctuation(reply: str) -> None:
    assert Ask("?", ("Send", "Don't send")).match_choice(reply) == "Send"


def test_other_reply_is_returned_unchanged() -> None:
    assert Ask("?", ("Send",)).match_choice(" Later, please ") == " Later, please "

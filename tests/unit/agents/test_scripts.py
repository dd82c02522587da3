"""Every character's scripts as data: the steps they yield, with nobody playing them.

agents/carly.py, walter.py, logan.py, nancy.py and the words in agents/steps.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from xml.etree import ElementTree

import pytest

from agents.steps import (
    AgentSpec,
    Ask,
    Chunk,
    Deliver,
    Fail,
    NeedAuth,
    Progress,
    Reject,
    Reply,
    Request,
    Say,
    Skill,
    Step,
    Strand,
    Together,
    UnknownSkillError,
)
from agents.stubs import STUBS
from tests.support.harness import SEED_AGENTS

SCRIPTS = [(who, skill) for who in STUBS.values() for skill in who.skills]
every_script = pytest.mark.parametrize(
    ("who", "skill"), SCRIPTS, ids=[f"{who.name}-{skill.id}" for who, skill in SCRIPTS]
)


async def played(
    skill: Skill,
    answers: Sequence[str] = (),
    text: str | None = None,
    with_strands: bool = True,
) -> list[Step]:
    """All steps of a script that gets `answers` to what it asks, then first choices.

    The steps of strands come after their Together, one strand after the other; nothing
    comes after a step that ends the script.
    """
    work = skill.script(Request(skill.examples[0] if text is None else text))
    remaining = list(answers)
    steps: list[Step] = []
    answer = ""
    async with aclosing(work):
        step = await anext(work)
        while True:
            steps.append(step)
            match step:
                case Ask():
                    given = remaining.pop(0) if remaining else step.choices[0]
                    answer = step.match_choice(given)
                case Together(strands):
                    for strand in strands.values():
                        told = await strand_played(strand)
                        steps.extend(told if with_strands else [])
                case Fail() | Reject() | Reply():
                    return steps
            try:
                step = await work.asend(answer)
            except StopAsyncIteration:
                return steps


async def strand_played(strand: Strand) -> list[Step]:
    steps: list[Step] = []
    async with aclosing(strand):
        async for step in strand:
            steps.append(step)
            if isinstance(step, Fail):
                break
    return steps


def skill_of(name: str, skill_id: str) -> Skill:
    return STUBS[name].choose_skill("", skill_id)


def words_of(step: Step) -> str:
    match step:
        case Progress(message=text) | Say(message=text):
            return text
        case Deliver(text=text) | Chunk(text=text) | Reply(text=text):
            return text
        case Ask(question=text) | Fail(reason=text) | Reject(reason=text):
            return text
    return ""


async def test_carlys_calendar_check_speaks_the_lessons_words_exactly() -> None:
    assert await played(skill_of("carly", "calendar_check")) == [
        Progress(0, "Starting calendar search…"),
        Progress(25, "Checking personal calendar…"),
        Progress(50, "Querying team calendars…"),
        Progress(75, "Finding optimal time slots…"),
        Deliver("Found 3 available slots for tomorrow!"),
    ]


async def test_carlys_analysis_is_the_lessons_second_scenario_and_a_long_one() -> None:
    steps = await played(skill_of("carly", "complex_analysis"))
    assert steps[:2] == [
        Progress(0, "Beginning complex analysis…", beats=3),
        Progress(30, "Processing data…", beats=3),
    ]
    assert sum(step.beats for step in steps if isinstance(step, Progress)) >= 10


async def test_walters_forecast_comes_in_chunks_of_text_and_data() -> None:
    steps = await played(skill_of("walter", "weather_forecast"))
    chunks = [step for step in steps if isinstance(step, Chunk)]
    assert [chunk.last for chunk in chunks] == [False] * 4 + [True]
    assert {chunk.name for chunk in chunks} == {"forecast"}
    assert chunks[0].text == "17:00 sunny, 23 °C\n"
    assert chunks[-1].data is not None


async def test_walter_answers_a_small_question_without_a_task() -> None:
    (answer,) = await played(skill_of("walter", "weather_now"))
    assert answer == Reply("Dry, 19 °C and a light wind from the west.")


async def test_logan_asks_all_courts_at_once_and_the_silent_one_again() -> None:
    steps = await played(skill_of("logan", "venue_search"))
    first, second = (step for step in steps if isinstance(step, Together))
    assert list(first.strands) == ["Riverside Courts", "Harbour Club", "Old Mill Park"]
    assert [step for step in steps if isinstance(step, Fail)] == [
        Fail("Harbour Club: no answer")
    ]
    assert list(second.strands) == ["Harbour Club"]
    assert "Harbour Club: fully booked" in [words_of(step) for step in steps]


async def test_logan_draws_a_map_that_is_an_image_with_every_court() -> None:
    steps = await played(skill_of("logan", "venue_search"))
    drawn = next(s.file for s in steps if isinstance(s, Deliver) and s.file)
    assert (drawn.name, drawn.media_type) == ("courts.svg", "image/svg+xml")
    svg = ElementTree.fromstring(drawn.content)  # noqa: S314 - our own
    assert svg.tag == "{http://www.w3.org/2000/svg}svg"
    names = {element.text for element in svg if element.tag.endswith("text")}
    assert names == {"Riverside Courts", "Harbour Club", "Old Mill Park"}


@pytest.mark.parametrize(
    ("name", "skill_id", "line"),
    [
        ("carly", "availability", "Checking availability…"),
        ("carly", "complex_analysis", "Beginning complex analysis…"),
        ("walter", "weather_forecast", "Fetching forecast…"),
        ("logan", "venue_search", "Finding courts…"),
        ("nancy", "send_notification", "Ready to send…"),
        ("nancy", "invite_everyone", "Ready to send…"),
    ],
)
async def test_each_character_speaks_its_line_of_the_lessons_preview(
    name: str, skill_id: str, line: str
) -> None:
    assert line in [words_of(step) for step in await played(skill_of(name, skill_id))]


@every_script
async def test_percentages_never_go_back_and_stay_below_100_until_the_end(
    who: AgentSpec, skill: Skill
) -> None:
    steps = await played(skill, with_strands=False)
    percents = [step.percent for step in steps if isinstance(step, Progress)]
    assert percents == sorted(percents)
    assert all(0 <= percent < 100 for percent in percents)


@every_script
async def test_every_script_ends_with_a_result_of_its_own(
    who: AgentSpec, skill: Skill
) -> None:
    last = (await played(skill))[-1]
    assert isinstance(last, Deliver | Reply)
    assert last.text


@every_script
async def test_an_example_phrase_chooses_its_own_skill(
    who: AgentSpec, skill: Skill
) -> None:
    assert skill.examples
    for example in skill.examples:
        assert who.choose_skill(example) is skill


@every_script
async def test_a_skill_is_chosen_by_its_id_whatever_the_words(
    who: AgentSpec, skill: Skill
) -> None:
    for other in who.skills:
        assert who.choose_skill(other.examples[0], skill.id) is skill


@pytest.mark.parametrize("who", STUBS.values(), ids=STUBS)
def test_words_that_mean_nothing_choose_the_first_skill(who: AgentSpec) -> None:
    assert who.choose_skill("hm") is who.skills[0]
    assert who.choose_skill("") is who.skills[0]


def test_a_skill_that_nobody_has_is_refused_with_those_there_are() -> None:
    with pytest.raises(
        UnknownSkillError, match=r"'dance'.*calendar_check, availability"
    ):
        STUBS["carly"].choose_skill("", "dance")


async def test_the_agents_of_the_lesson_have_four_rhythms() -> None:
    rhythms = []
    for name in SEED_AGENTS:
        steps = await played(STUBS[name].skills[0])
        rhythms.append([s.beats for s in steps if isinstance(s, Progress | Say)])
    assert len({len(beats) for beats in rhythms}) == 4
    assert len({sum(beats) for beats in rhythms}) == 4


INVITE = skill_of("nancy", "invite_everyone")


async def test_nancy_asks_before_she_sends() -> None:
    steps = await played(INVITE, ["Send"], text="Tennis at 18:30")
    assert Ask("Send 4 invitations?", ("Send", "Don't send")) in steps
    result = steps[-1]
    assert isinstance(result, Deliver)
    assert result.text.startswith("Sent 4 invitations")
    assert result.data is not None
    assert result.data["text"] == "Tennis at 18:30"


async def test_nancy_sends_nothing_when_told_not_to() -> None:
    steps = await played(INVITE, ["don’t send."])
    assert steps[-1] == Deliver("Nothing was sent.")
    assert "Sending 4 invitations…" not in [words_of(step) for step in steps]


async def test_nancy_asks_again_when_the_answer_means_nothing_to_her() -> None:
    steps = await played(INVITE, ["perhaps", "Send"])
    questions = [step.question for step in steps if isinstance(step, Ask)]
    assert questions == ["Send 4 invitations?", "Please say Send or Don't send."]


@pytest.mark.parametrize("skill_id", ["send_notification", "invite_everyone"])
@pytest.mark.parametrize("text", ["?!", "12 34", " . "])
async def test_nancy_rejects_what_says_nothing(skill_id: str, text: str) -> None:
    (step,) = await played(skill_of("nancy", skill_id), text=text)
    assert isinstance(step, Reject)
    assert "says nothing that Nancy could send" in step.reason


async def test_nancy_fails_for_an_address_that_cannot_be_reached() -> None:
    skill = skill_of("nancy", "send_notification")
    steps = await played(skill, text="Tell somebody@nowhere.invalid about tennis")
    assert isinstance(steps[-1], Fail)
    assert steps[-1].reason.startswith("somebody@nowhere.invalid cannot be reached")
    assert len(steps) > 1


ANNOUNCE = skill_of("nancy", "announce_publicly")


async def test_nancy_needs_leave_to_write_in_public() -> None:
    steps = await played(ANNOUNCE, ["Allow"])
    asked = [step for step in steps if isinstance(step, NeedAuth)]
    assert [step.choices for step in asked] == [("Allow", "Refuse")]
    assert isinstance(steps[-1], Deliver)


@pytest.mark.parametrize("answer", ["Refuse", "who are you?"])
async def test_nancy_writes_nothing_in_public_without_leave(answer: str) -> None:
    steps = await played(ANNOUNCE, [answer])
    assert isinstance(steps[-1], Fail)
    assert "it stays empty" in steps[-1].reason


@pytest.mark.parametrize("reply", ["Send", "send", " SEND! ", "send."])
def test_a_choice_is_understood_however_it_is_written(reply: str) -> None:
    assert Ask("?", ("Send", "Don't send")).match_choice(reply) == "Send"


def test_a_reply_that_is_no_choice_is_passed_on_as_it_is() -> None:
    assert Ask("?", ("Send",)).match_choice(" Later, please ") == " Later, please "

"""Every character's scripts as data: the steps they yield, with nobody playing them.

agents/carly.py, walter.py, logan.py, nancy.py and the words in agents/steps.py.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from agents.__main__ import CAST
from agents.steps import (
    Ask,
    Character,
    Deliver,
    Fail,
    Progress,
    Request,
    Say,
    Skill,
    Step,
    UnknownSkill,
)

SCRIPTS = [(who, skill) for who in CAST.values() for skill in who.skills]
every_script = pytest.mark.parametrize(
    ("who", "skill"), SCRIPTS, ids=[f"{who.name}-{skill.id}" for who, skill in SCRIPTS]
)


async def played(
    skill: Skill, answers: Sequence[str] = (), text: str = ""
) -> list[Step]:
    """All steps of a script that gets `answers` to what it asks, then first choices."""
    work = skill.work(Request(text=text))
    remaining = list(answers)
    steps: list[Step] = [await anext(work)]
    while True:
        last, answer = steps[-1], ""
        if isinstance(last, Ask):
            answer = last.hear(remaining.pop(0)) if remaining else last.choices[0]
        try:
            steps.append(await work.asend(answer))
        except StopAsyncIteration:
            return steps


def skill_of(name: str, skill_id: str) -> Skill:
    return CAST[name].choose("", skill_id)


def words_of(step: Step) -> str:
    match step:
        case Progress(message=text) | Say(message=text) | Deliver(text=text):
            return text
        case Ask(question=text) | Fail(reason=text):
            return text


async def test_carlys_calendar_check_speaks_the_lessons_words_exactly() -> None:
    assert await played(skill_of("carly", "calendar_check")) == [
        Progress(0, "Starting calendar search…"),
        Progress(25, "Checking personal calendar…"),
        Progress(50, "Querying team calendars…"),
        Progress(75, "Finding optimal time slots…"),
        Deliver("Found 3 available slots for tomorrow!"),
    ]


@pytest.mark.parametrize(
    ("name", "skill_id", "line"),
    [
        ("carly", "availability", "Checking availability…"),
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
    who: Character, skill: Skill
) -> None:
    steps = await played(skill)
    percents = [step.percent for step in steps if isinstance(step, Progress)]
    assert percents == sorted(percents)
    assert 0 <= percents[0] <= percents[-1] < 100


@every_script
async def test_every_script_ends_with_a_result_of_its_own(
    who: Character, skill: Skill
) -> None:
    steps = await played(skill)
    assert isinstance(steps[-1], Deliver)
    assert all(words_of(step) for step in steps)


@every_script
async def test_an_example_phrase_chooses_its_own_skill(
    who: Character, skill: Skill
) -> None:
    assert skill.examples
    for example in skill.examples:
        assert who.choose(example) is skill


@every_script
async def test_a_skill_is_chosen_by_its_id_whatever_the_words(
    who: Character, skill: Skill
) -> None:
    for other in who.skills:
        assert who.choose(other.examples[0], skill.id) is skill


@pytest.mark.parametrize("who", CAST.values(), ids=CAST)
def test_words_that_mean_nothing_choose_the_first_skill(who: Character) -> None:
    assert who.choose("hm") is who.skills[0]
    assert who.choose("") is who.skills[0]


def test_a_skill_that_nobody_has_is_refused_with_those_there_are() -> None:
    with pytest.raises(UnknownSkill, match=r"'dance'.*calendar_check, availability"):
        CAST["carly"].choose("", "dance")


async def test_the_four_have_four_rhythms() -> None:
    rhythms = []
    for who in CAST.values():
        steps = await played(who.skills[0])
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


@pytest.mark.parametrize("reply", ["Send", "send", " SEND! ", "send."])
def test_a_choice_is_understood_however_it_is_written(reply: str) -> None:
    assert Ask("?", ("Send", "Don't send")).hear(reply) == "Send"


def test_a_reply_that_is_no_choice_is_passed_on_as_it_is() -> None:
    assert Ask("?", ("Send",)).hear(" Later, please ") == " Later, please "

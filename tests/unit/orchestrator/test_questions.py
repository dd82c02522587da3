"""Who of several that ask is meant by a reply: host/orchestrator/questions.py."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.orchestrator.questions import NotAsked, Question, Unclear, addressed, wording

NANCY = Question("notify", "nancy", "Send 4 invitations?")
CARLY = Question("calendar", "carly", "Which calendar?")
AGAIN = Question("public", "nancy", "On the board too?")


def test_each_question_stands_behind_the_name_that_answers_it() -> None:
    assert wording([NANCY]) == "nancy: Send 4 invitations?"
    assert wording([NANCY, CARLY]) == (
        "nancy: Send 4 invitations?\ncarly: Which calendar?"
    )


def test_an_agent_that_asks_twice_is_told_apart_by_its_steps() -> None:
    assert wording([NANCY, AGAIN, CARLY]) == (
        "notify: Send 4 invitations?\npublic: On the board too?\ncarly: Which calendar?"
    )


@given(st.text())
def test_the_only_question_gets_the_whole_reply(text: str) -> None:
    assert addressed([NANCY], f"- {text}") == (NANCY, f"- {text}")


@pytest.mark.parametrize("text", ["nancy: yes", " Nancy :yes", "notify: yes"])
@pytest.mark.parametrize("others", [[], [CARLY]])
def test_a_reply_may_begin_with_whom_it_is_for(
    text: str, others: list[Question]
) -> None:
    assert addressed([NANCY, *others], text) == (NANCY, "yes")


def test_a_reply_may_name_the_step_in_its_metadata() -> None:
    assert addressed([NANCY, CARLY], "carly: no", "notify") == (NANCY, "carly: no")


def test_an_answer_may_have_several_lines() -> None:
    assert addressed([NANCY, CARLY], "carly: the\nother: one") == (
        CARLY,
        "the\nother: one",
    )


@pytest.mark.parametrize("text", ["yes", "", "logan: yes", "at 10:30"])
def test_a_reply_that_does_not_say_whom_it_answers_is_told_the_names(text: str) -> None:
    with pytest.raises(Unclear, match="you may answer nancy, carly"):
        addressed([NANCY, CARLY], text)


def test_the_name_of_an_agent_that_asks_twice_is_not_enough() -> None:
    with pytest.raises(Unclear, match="you may answer notify, public"):
        addressed([NANCY, AGAIN], "nancy: yes")


@pytest.mark.parametrize("step", ["calendar", "", "x" * 1000])
def test_a_step_that_asks_nothing_is_named(step: str) -> None:
    with pytest.raises(NotAsked, match="asks nothing now; these do: notify"):
        addressed([NANCY], "yes", step)

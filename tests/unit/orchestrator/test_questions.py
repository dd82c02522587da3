"""Questions of a run: how they are formatted, and which one a reply answers."""

from __future__ import annotations

import pytest
from a2a.utils.errors import InvalidParamsError
from hypothesis import given
from hypothesis import strategies as st

from host.orchestrator.questions import (
    AmbiguousReply,
    Question,
    format_questions,
    match_reply,
)

NANCY = Question("notify", "nancy", "Send 4 invitations?")
CARLY = Question("calendar", "carly", "Which calendar?")
AGAIN = Question("public", "nancy", "On the board too?")


def test_each_question_starts_with_its_agent() -> None:
    assert format_questions([NANCY]) == "nancy: Send 4 invitations?"
    assert format_questions([NANCY, CARLY]) == (
        "nancy: Send 4 invitations?\ncarly: Which calendar?"
    )


def test_questions_of_one_agent_start_with_their_steps() -> None:
    assert format_questions([NANCY, AGAIN, CARLY]) == (
        "notify: Send 4 invitations?\npublic: On the board too?\ncarly: Which calendar?"
    )


@given(st.text())
def test_the_only_question_gets_the_whole_reply(text: str) -> None:
    assert match_reply([NANCY], f"- {text}") == (NANCY, f"- {text}")


@pytest.mark.parametrize("text", ["nancy: yes", " Nancy :yes", "notify: yes"])
@pytest.mark.parametrize("others", [[], [CARLY]])
def test_reply_may_start_with_a_name(text: str, others: list[Question]) -> None:
    assert match_reply([NANCY, *others], text) == (NANCY, "yes")


def test_reply_may_name_the_step_in_its_metadata() -> None:
    assert match_reply([NANCY, CARLY], "carly: no", "notify") == (NANCY, "carly: no")


def test_answer_may_have_several_lines() -> None:
    assert match_reply([NANCY, CARLY], "carly: the\nother: one") == (
        CARLY,
        "the\nother: one",
    )


@pytest.mark.parametrize("text", ["yes", "", "logan: yes", "at 10:30"])
def test_ambiguous_reply_gets_the_list_of_names(text: str) -> None:
    with pytest.raises(AmbiguousReply, match="You can answer nancy, carly"):
        match_reply([NANCY, CARLY], text)


def test_agent_with_two_questions_needs_a_step_name() -> None:
    with pytest.raises(AmbiguousReply, match="You can answer notify, public"):
        match_reply([NANCY, AGAIN], "nancy: yes")


@pytest.mark.parametrize("step", ["calendar", "", "x" * 1000])
def test_error_names_the_step_without_a_question(step: str) -> None:
    with pytest.raises(InvalidParamsError, match="has no open question: use notify"):
        match_reply([NANCY], "yes", step)

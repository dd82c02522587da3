"""Formats the questions of a run, and finds the question that a reply answers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from a2a.utils.errors import InvalidParamsError

from ..errors import CourtsideError

STEP_KEY = "courtside/step"
PREFIX = re.compile(r"\s*([\w-]+)\s*:\s*(.*)", re.S)


class AmbiguousReply(CourtsideError):
    """There are several questions, and the reply names none of them."""


@dataclass(frozen=True)
class Question:
    """A question of a step's agent. With `is_auth`, it asks for permission."""

    step: str
    agent: str
    text: str
    is_auth: bool = False


def format_questions(questions: Sequence[Question]) -> str:
    """Return one line per question, with the name that a reply starts with."""
    names = _get_names(questions)
    return "\n".join(f"{names[q.step]}: {q.text}" for q in questions)


def match_reply(
    questions: Sequence[Question], text: str, step: str | None = None
) -> tuple[Question, str]:
    """Return the question that a reply answers, and the answer.

    The reply is for `step`, or starts with a name as in "nancy: yes", or answers the
    only question. Raises AmbiguousReply, and InvalidParamsError if `step` has no
    question.
    """
    names = _get_names(questions)
    if step is not None:
        for question in questions:
            if question.step == step:
                return question, text
        raise InvalidParamsError(
            f"the step {step[:100]!r} has no open question: use {', '.join(names)}"
        )
    if match := PREFIX.fullmatch(text):
        for question in questions:
            if match[1].casefold() in (question.step, names[question.step]):
                return question, match[2]
    if len(questions) > 1:
        raise AmbiguousReply(
            "Which question does this reply answer? Start the reply with a name, as in "
            f"“{names[questions[0].step]}: …”. You can answer "
            f"{', '.join(names.values())}."
        )
    return questions[0], text


def _get_names(questions: Sequence[Question]) -> dict[str, str]:
    """Return the agent of each step, or the step itself if its agent asks twice."""
    agents = [question.agent for question in questions]
    return {
        q.step: q.agent if agents.count(q.agent) == 1 else q.step for q in questions
    }

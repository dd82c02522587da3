"""Owns what a plan's steps ask a person, all in one task, and whom a reply is for.

A run puts the wording into its task, and asks `addressed` about each reply. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import CourtsideError

STEP = "courtside/step"
ADDRESS = re.compile(r"\s*([\w-]+)\s*:\s*(.*)", re.S)


class NotAsked(CourtsideError):
    """The reply names a step that asks nothing."""


class Unclear(CourtsideError):
    """Several ask, and the reply does not say which of them it answers."""


@dataclass(frozen=True)
class Question:
    """`agent` is who asks it; `is_auth` where somebody must allow something."""

    step: str
    agent: str
    text: str
    is_auth: bool = False


def wording(questions: Sequence[Question]) -> str:
    """All questions, each with the name that answers it."""
    names = _names(questions)
    return "\n".join(f"{names[q.step]}: {q.text}" for q in questions)


def addressed(
    questions: Sequence[Question], text: str, step: str | None = None
) -> tuple[Question, str]:
    """The question that is answered, and the answer without its address.

    By `step`, else by "nancy: yes", else it is the one question there is. Raises
    NotAsked and Unclear.
    """
    names = _names(questions)
    if step is not None:
        for question in questions:
            if question.step == step:
                return question, text
        raise NotAsked(
            f"the step {step[:100]!r} asks nothing now; these do: {', '.join(names)}"
        )
    found = ADDRESS.fullmatch(text)
    if found:
        said = found[1].casefold()
        for question in questions:
            if said in (question.step, names[question.step]):
                return question, found[2]
    if len(questions) > 1:
        raise Unclear(
            "Who is that for? Begin with a name, as in "
            f"“{names[questions[0].step]}: …”; you may answer "
            f"{', '.join(names.values())}."
        )
    return questions[0], text


def _names(questions: Sequence[Question]) -> dict[str, str]:
    """By step: its agent's name, or its own where the agent asks twice."""
    agents = [question.agent for question in questions]
    return {
        q.step: q.agent if agents.count(q.agent) == 1 else q.step for q in questions
    }

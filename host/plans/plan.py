"""Owns what a plan is: its steps, what each needs, and what each sends.

The reader makes them; the orchestrator follows `order` and sends what `render` writes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from typing import Any, Literal

from . import message_template

Json = dict[str, Any]
OnFailure = Literal["fail", "skip", "ask"]

TIMEOUT_S = 120.0
# Once, unless the plan says that it may be sent again: nobody wants two invitations.
RETRIES = 0


@dataclass(frozen=True)
class Step:
    """One thing that one agent is asked for.

    `agent` is the name of a followed agent; None: the one whose card has `skill`.
    `timeout_s` does not count the time in which the agent waits for a person.
    """

    key: str
    agent: str | None = None
    skill: str | None = None
    message: str = "{request}"
    needs: tuple[str, ...] = ()
    timeout_s: float = TIMEOUT_S
    retries: int = RETRIES
    on_failure: OnFailure = "fail"

    def render(self, request: str, results: Mapping[str, str]) -> str:
        """The message to send. A step without a result, as one that was skipped, is
        empty text in it."""
        return message_template.fill(
            self.message, {**results, message_template.REQUEST: request}
        )

    def table(self) -> Json:
        table: Json = {
            "agent": self.agent,
            "skill": self.skill,
            "message": self.message,
            "needs": list(self.needs),
            "timeout_s": self.timeout_s,
            "retries": self.retries,
            "on_failure": self.on_failure,
        }
        return {name: value for name, value in table.items() if value is not None}


@dataclass(frozen=True)
class Planner:
    """A function that makes the steps: `name` is "my_module:my_function".

    `call` gets the text of the request and the cards of the agents, by name, and
    returns (or is a coroutine of) what `Plan.table` does; `name` and its like may miss.
    """

    name: str
    call: Callable[[str, Mapping[str, Json]], object]


@dataclass(frozen=True)
class Plan:
    """Has either steps or a planner, which `made` asks for them."""

    key: str
    name: str
    description: str = ""
    examples: tuple[str, ...] = ()
    steps: Mapping[str, Step] = field(default_factory=dict)
    planner: Planner | None = None

    def order(self) -> TopologicalSorter[str]:
        """The keys of the steps, those first that need nothing. Not prepared yet."""
        return TopologicalSorter({step.key: step.needs for step in self.steps.values()})

    def table(self) -> Json:
        """What `read_plan` makes it of again, JSON-ready; without its planner."""
        table: Json = {
            "name": self.name,
            "description": self.description,
            "examples": list(self.examples),
            "steps": {key: step.table() for key, step in self.steps.items()},
        }
        return {name: value for name, value in table.items() if value}

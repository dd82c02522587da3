"""Defines plans: the steps, their order, and the message of each step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, structs

from . import message_template

Json = dict[str, Any]
Agents = Mapping[str, Json]
"""The cards of the followed agents by name, as A2A JSON."""

MAX_LINE, MAX_TEXT = 200, 10_000
MAX_TIMEOUT_S = 86_400
MAX_RETRIES = 10

Line = Annotated[str, Meta(pattern=r"\S", max_length=MAX_LINE)]
Text = Annotated[str, Meta(pattern=r"\S", max_length=MAX_TEXT)]


class Step(Struct, frozen=True):
    """One message to one agent.

    Without `agent`, the message goes to the only followed agent that has the `skill`.
    `timeout_s` does not count the time in which the agent waits for a person.
    """

    key: str
    agent: Line | None = None
    skill: Line | None = None
    message: Text = "{request}"
    needs: tuple[Text, ...] = ()
    timeout_s: Annotated[float, Meta(gt=0, le=MAX_TIMEOUT_S)] = 120.0
    # Not retried by default, because nobody wants two invitations.
    retries: Annotated[int, Meta(ge=0, le=MAX_RETRIES)] = 0
    on_failure: Literal["fail", "skip", "ask"] = "fail"

    def render(self, request: str, results: Mapping[str, str]) -> str:
        """Return the message to send. A step without a result is empty text in it."""
        values = {**results, message_template.REQUEST: request}
        return message_template.fill_template(self.message, values)

    def to_table(self) -> Json:
        fields = structs.asdict(self)
        del fields["key"]
        return {name: value for name, value in fields.items() if value is not None}


@dataclass(frozen=True)
class Planner:
    """A function of the user that creates the steps: "my_module:my_function".

    `call` takes the text of the request and the agents. It returns a table like
    `Plan.to_table`, or a coroutine of one.
    """

    name: str
    call: Callable[[str, Agents], object]


class Plan(Struct, frozen=True):
    """Has either steps, or a planner that creates them for each request."""

    key: str
    name: Line
    description: Text = ""
    examples: tuple[Text, ...] = ()
    steps: Mapping[str, Step] = {}
    planner: Planner | None = None

    def order(self) -> TopologicalSorter[str]:
        """Return a sorter of the step keys that is not prepared yet."""
        return TopologicalSorter({step.key: step.needs for step in self.steps.values()})

    def to_table(self) -> Json:
        """Return the JSON-ready table that `parse_plan` reads, without the planner."""
        table: Json = {
            "name": self.name,
            "description": self.description,
            "examples": self.examples,
            "steps": {key: step.to_table() for key, step in self.steps.items()},
        }
        return {name: value for name, value in table.items() if value}

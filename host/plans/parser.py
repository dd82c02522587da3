"""Parses plans from tables. Each error names the key that is wrong.

The tables come from courtside.toml, from planners, and from the log after a restart.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from graphlib import CycleError
from typing import Any, TypeVar

import msgspec

from ..errors import ConfigError
from . import message_template
from .plan import MAX_LINE, MAX_RETRIES, MAX_TEXT, MAX_TIMEOUT_S, Plan, Planner, Step

KEY = re.compile(r"[a-z][a-z0-9_-]{0,31}")
KEY_FORMAT = "a to z, then up to 31 of a to z, 0 to 9, - and _"
MAX_STEPS = 50  # Each update of the host's task carries the plan.
PLAN_FIELDS = Plan.__struct_fields__[1:]  # Without the key.
STEP_FIELDS = Step.__struct_fields__[1:]
LINE = f"text of 1 to {MAX_LINE} characters, not only spaces"
TEXT = f"text of 1 to {MAX_TEXT} characters, not only spaces"
TEXTS = 'a list of texts that are not blank, ["…"]'
VALID_VALUES = {
    "name": LINE,
    "description": TEXT,
    "examples": TEXTS,
    "planner": 'the name of a function, "my_module:my_function"',
    "agent": LINE,
    "skill": LINE,
    "message": TEXT,
    "needs": TEXTS,
    "timeout_s": f"seconds, more than 0, up to {MAX_TIMEOUT_S}",
    "retries": f"a whole number, 0 to {MAX_RETRIES}",
    "on_failure": "fail, skip or ask",
}

Table = Mapping[str, Any]
PlannerLoader = Callable[[str], Planner]
T = TypeVar("T")


class PlanError(ConfigError):
    """The value at `key` is wrong. `why` is a sentence without its subject."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(f"{key} {why}")
        self.key = key
        self.why = why


def parse_plans(
    tables: object, agents: Collection[str], load_planner: PlannerLoader
) -> dict[str, Plan]:
    """Parse the table [plans]. Raises PlanError.

    `agents` are the names that steps may use. `load_planner` imports a planner, or
    raises ConfigError with a sentence without its subject.
    """
    return {
        key: parse_plan(key, table, agents, load_planner, at=f"plans.{key}")
        for key, table in _check_keys(tables, "plans").items()
    }


def parse_plan(
    key: str,
    table: object,
    agents: Collection[str] | None = None,
    load_planner: PlannerLoader | None = None,
    *,
    at: str = "plan",
) -> Plan:
    """Parse the plan at the key path `at`. Raises PlanError.

    Without `agents`, steps may use any name. Without `load_planner`, the plan may not
    have a planner.
    """
    table = _check_table(table, PLAN_FIELDS if load_planner else PLAN_FIELDS[:-1], at)
    texts = {name: table[name] for name in PLAN_FIELDS[:3] if name in table}
    plan = _convert({"name": key} | texts | {"key": key}, Plan, at)
    if load_planner and "planner" in table:
        if "steps" in table:
            why = "cannot be used together with steps: remove one of them"
            raise PlanError(f"{at}.planner", why)
        planner = _load(table["planner"], f"{at}.planner", load_planner)
        about = plan.description or f"{planner.name} chooses the steps."
        return msgspec.structs.replace(plan, planner=planner, description=about)
    steps = _parse_steps(table.get("steps", {}), at, agents)
    about = plan.description or f"Runs {', '.join(steps)}."
    plan = msgspec.structs.replace(plan, steps=steps, description=about)
    _check_cycle(plan, f"{at}.steps")
    return plan


def _load(name: object, at: str, load_planner: PlannerLoader) -> Planner:
    if not isinstance(name, str):
        raise _wrong_value("planner", name, at)
    try:
        return load_planner(name)
    except ConfigError as error:
        raise PlanError(at, str(error)) from error


def _parse_steps(
    tables: object, at: str, agents: Collection[str] | None
) -> dict[str, Step]:
    tables = _check_keys(tables, f"{at}.steps")
    if not tables:
        raise PlanError(at, f"has no steps; add one, for example [{at}.steps.calendar]")
    if len(tables) > MAX_STEPS:
        why = f"has {len(tables)} steps: use at most {MAX_STEPS}"
        raise PlanError(f"{at}.steps", why)
    if message_template.REQUEST in tables:
        why = "is a reserved name, because {request} is the text of the request"
        raise PlanError(f"{at}.steps.request", why)
    return {
        key: _parse_step(key, table, f"{at}.steps.{key}", tables, agents)
        for key, table in tables.items()
    }


def _parse_step(
    key: str,
    table: object,
    at: str,
    steps: Collection[str],
    agents: Collection[str] | None,
) -> Step:
    fields = {**_check_table(table, STEP_FIELDS, at), "key": key}
    retries = fields.get("retries")
    if isinstance(retries, float) and retries.is_integer():
        fields["retries"] = int(retries)  # Protobuf metadata has only floats.
    step = _convert(fields, Step, at)
    if step.agent is None and step.skill is None:
        raise PlanError(at, 'needs an agent or a skill, for example agent = "carly"')
    if step.agent and agents is not None and step.agent not in agents:
        why = f"is {step.agent!r}, which is not a known agent"
        raise PlanError(f"{at}.agent", f"{why}: use {', '.join(agents) or 'skill'}")
    for need in step.needs:
        if need not in steps:
            why = f"has {need[:100]!r}, which is not a step of this plan"
            raise PlanError(f"{at}.needs", f"{why}: use {', '.join(steps)}")
    if error := message_template.find_template_error(step.message, step.needs):
        raise PlanError(f"{at}.message", error)
    return step


def _check_cycle(plan: Plan, at: str) -> None:
    try:
        plan.order().prepare()
    except CycleError as error:
        # graphlib lists each step before the step that needs it.
        cycle: list[str] = error.args[1][::-1]
        why = f"is part of a cycle: {' needs '.join(cycle)}"
        raise PlanError(f"{at}.{cycle[0]}.needs", why) from None


def _check_table(value: object, fields: Sequence[str] | None, at: str) -> Table:
    if not isinstance(value, Mapping):
        raise PlanError(at, f"must be a table: [{at}]")
    for name in value:
        if fields is not None and name not in fields:
            why = f"is unknown: use {', '.join(fields)}"
            raise PlanError(f"{at}.{str(name)[:100]}", why)
    return value


def _check_keys(value: object, at: str) -> Table:
    table = _check_table(value, None, at)
    for key in table:
        if not isinstance(key, str) or not KEY.fullmatch(key):
            why = f"has {key!r:.100}, which is not a valid key: use {KEY_FORMAT}"
            raise PlanError(at, why)
    return table


def _convert(fields: Table, kind: type[T], at: str) -> T:
    try:
        return msgspec.convert(fields, kind)
    except msgspec.ValidationError as error:
        # "Expected `str`, got `int` - at `$.needs[1]`"
        name = str(error).rpartition("`$.")[2].rstrip("`").partition("[")[0]
        raise _wrong_value(name, fields[name], f"{at}.{name}") from None


def _wrong_value(name: str, value: object, at: str) -> PlanError:
    return PlanError(at, f"is {value!r:.100}: use {VALID_VALUES[name]}")

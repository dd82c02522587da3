"""Owns the reading of plans: each key checked, each error naming the one that is wrong.

courtside.toml, a planner and a task taken up again give the tables.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from graphlib import CycleError
from typing import Any, TypeGuard, get_args

from ..errors import ConfigError
from . import message_template
from .plan import RETRIES, TIMEOUT_S, OnFailure, Plan, Planner, Step

PLAN = ("name", "description", "examples", "steps", "planner")
STEP = (
    *("agent", "skill", "message", "needs"),
    *("timeout_s", "retries", "on_failure"),
)
KEY = re.compile(r"[a-z][a-z0-9_-]{0,31}")
# The host's task carries its plan wherever it goes.
MAX_STEPS = 50
MAX_LINE = 200
MAX_TEXT = 10_000
MAX_TIMEOUT_S = 86_400
MAX_RETRIES = 10

Table = Mapping[str, Any]
Load = Callable[[str], Planner]


class PlanError(ConfigError):
    """`key` is the one that is wrong, `why` a sentence without its subject."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(f"{key} {why}")
        self.key = key
        self.why = why


def read_plans(tables: object, agents: Collection[str], load: Load) -> dict[str, Plan]:
    """The table [plans], by key, in its order. Raises PlanError.

    `agents` are the names that a step may use; `load` imports a planner and raises
    ConfigError, a sentence without its subject, where it cannot.
    """
    found = _table(tables, "plans")
    return {
        key: read_plan(key, table, agents, load, f"plans.{_key(key, 'plans')}")
        for key, table in found.items()
    }


def read_plan(
    key: str,
    table: object,
    agents: Collection[str] | None = None,
    load: Load | None = None,
    at: str = "plan",
) -> Plan:
    """One plan; `at` is where it stands. Raises PlanError.

    Without `agents` any name will do, without `load` no planner.
    """
    found = _table(table, at)
    _only(found, PLAN if load else PLAN[:-1], at)
    steps, planner = {}, None
    if load and "planner" in found:
        if "steps" in found:
            raise PlanError(f"{at}.planner", "makes the steps: leave one of both out")
        planner = _planner(found["planner"], f"{at}.planner", load)
        about = f"{planner.name} says what is done."
    else:
        steps = _steps(found, at, agents)
        about = f"Runs {', '.join(steps)}."
    plan = Plan(
        key,
        _text(found.get("name", key), f"{at}.name", MAX_LINE),
        _text(found.get("description", about), f"{at}.description"),
        tuple(_texts(found.get("examples", ()), f"{at}.examples")),
        steps,
        planner,
    )
    _check_cycle(plan, f"{at}.steps")
    return plan


def _planner(name: object, at: str, load: Load) -> Planner:
    text = _text(name, at, MAX_LINE)
    try:
        return load(text)
    except ConfigError as error:
        raise PlanError(at, str(error)) from error


def _steps(plan: Table, at: str, agents: Collection[str] | None) -> dict[str, Step]:
    tables = _table(plan.get("steps", {}), f"{at}.steps")
    if not tables:
        raise PlanError(at, f"has no steps: add one, [{at}.steps.calendar]")
    if len(tables) > MAX_STEPS:
        raise PlanError(
            f"{at}.steps", f"are {len(tables)} steps: use {MAX_STEPS} at most"
        )
    for key in tables:
        if _key(key, f"{at}.steps") == message_template.REQUEST:
            raise PlanError(
                f"{at}.steps.{key}",
                f"cannot be a step's name: {{{key}}} is what was asked for",
            )
    return {
        key: _step(key, table, f"{at}.steps.{key}", tables, agents)
        for key, table in tables.items()
    }


def _step(
    key: str,
    step: object,
    at: str,
    steps: Collection[str],
    agents: Collection[str] | None,
) -> Step:
    table = _table(step, at)
    _only(table, STEP, at)
    if "agent" not in table and "skill" not in table:
        raise PlanError(at, 'needs an agent or a skill: agent = "carly"')
    needs = _needs(table.get("needs", ()), f"{at}.needs", key, steps)
    return Step(
        key,
        _agent(table["agent"], f"{at}.agent", agents) if "agent" in table else None,
        _text(table["skill"], f"{at}.skill", MAX_LINE) if "skill" in table else None,
        _message(table.get("message", "{request}"), f"{at}.message", needs),
        needs,
        _timeout(table.get("timeout_s", TIMEOUT_S), f"{at}.timeout_s"),
        _retries(table.get("retries", RETRIES), f"{at}.retries"),
        _on_failure(table.get("on_failure", "fail"), f"{at}.on_failure"),
    )


def _agent(name: object, at: str, agents: Collection[str] | None) -> str:
    text = _text(name, at, MAX_LINE)
    if agents is not None and text not in agents:
        raise PlanError(
            at, f"is {text!r}, which is no agent: use {', '.join(agents) or 'skill'}"
        )
    return text


def _needs(value: object, at: str, key: str, steps: Collection[str]) -> tuple[str, ...]:
    needs = tuple(dict.fromkeys(_texts(value, at)))
    for need in needs:
        if need == key:
            raise PlanError(at, f"holds {key!r}: a step cannot need itself")
        if need not in steps:
            raise PlanError(
                at,
                f"holds {need[:100]!r}, which is no step of this plan: there are "
                f"{', '.join(steps)}",
            )
    return needs


def _message(value: object, at: str, needs: tuple[str, ...]) -> str:
    text = _text(value, at)
    try:
        message_template.check(text, needs)
    except ConfigError as error:
        raise PlanError(at, str(error)) from None
    return text


def _timeout(value: object, at: str) -> float:
    # Not a number compares as false.
    if not _is_number(value) or not 0 < value <= MAX_TIMEOUT_S:
        raise PlanError(
            at, f"is {_shown(value)}: use seconds, more than 0, up to {MAX_TIMEOUT_S}"
        )
    return float(value)


def _retries(value: object, at: str) -> int:
    # protobuf knows no whole numbers: a plan kept in metadata comes back with 1.0.
    if not _is_number(value) or not 0 <= value <= MAX_RETRIES or int(value) != value:
        raise PlanError(
            at, f"is {_shown(value)}: use a whole number, 0 to {MAX_RETRIES}"
        )
    return int(value)


def _on_failure(value: object, at: str) -> OnFailure:
    for known in get_args(OnFailure):
        if value == known:
            chosen: OnFailure = known
            return chosen
    raise PlanError(at, f"is {_shown(value)}: use {', '.join(get_args(OnFailure))}")


def _check_cycle(plan: Plan, at: str) -> None:
    try:
        plan.order().prepare()
    except CycleError as error:
        # graphlib lists what is needed before what needs it.
        cycle: list[str] = error.args[1][::-1]
        raise PlanError(
            f"{at}.{cycle[0]}.needs",
            f"goes round in a circle: {' needs '.join(cycle)}",
        ) from None


def _table(value: object, at: str) -> Table:
    if not isinstance(value, Mapping):
        raise PlanError(at, f"must be a table: [{at}]")
    return value


def _key(key: object, at: str) -> str:
    if not isinstance(key, str) or not KEY.fullmatch(key):
        raise PlanError(
            at,
            f"holds {_shown(key)}, which is no key: use up to 32 small letters, "
            "digits, dashes and underscores",
        )
    return key


def _only(table: Table, known: tuple[str, ...], at: str) -> None:
    for name in table:
        if name not in known:
            raise PlanError(
                f"{at}.{str(name)[:100]}", f"is unknown: use {', '.join(known)}"
            )


def _text(value: object, at: str, limit: int = MAX_TEXT) -> str:
    if not isinstance(value, str) or not value.strip():
        raise PlanError(at, f"is {_shown(value)}: use text that is not blank")
    if len(value) > limit:
        raise PlanError(at, f"has {len(value)} characters: use {limit} at most")
    return value


def _texts(value: object, at: str) -> list[str]:
    if not isinstance(value, list | tuple):
        raise PlanError(at, f'is {_shown(value)}: use a list of texts, ["…"]')
    return [_text(item, at) for item in value]


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: object) -> str:
    return repr(value)[:100]

"""Owns what a name means: which agent, which of its skills, and what it is told.

The manager asks it with the agents' rows as they are; no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ..errors import AgentUnreachable, UnknownAgent
from ..model.event import AgentEvent
from .errors import UnknownName

Rows = Mapping[str, AgentEvent]


class Wanted(NamedTuple):
    """What `start_task` was given."""

    name: str | None
    agent: str | None
    skill: str | None


class Target(NamedTuple):
    """Who does it; without a skill the agent chooses."""

    agent: str
    skill: str | None


def resolve(wanted: Wanted, rows: Rows, *, settled: bool) -> Target:
    """The one agent that is meant, and connected.

    Raises AgentUnreachable where that may change: the agent is away, or one that has
    never shown its card may be meant. Until `settled` a skill's id alone waits for
    agents that are still connecting: two may have it. Raises UnknownName and
    UnknownAgent where waiting will not help.
    """
    target = _target(wanted, rows, settled)
    row = rows[target.agent]
    if row.connection != "connected":
        raise AgentUnreachable(f"{target.agent} cannot be reached: {_cause(row)}")
    _check_skill(target, row)
    return target


def message_for(target: Target, row: AgentEvent) -> str:
    """What is said where nobody said what: the skill's first example, or its name.

    Without a skill, the first skill's. Raises UnknownName where there is none.
    """
    for skill in row.skills:
        if target.skill in (None, skill.id):
            return next(iter(skill.examples), skill.name)
    raise UnknownName(
        f"{target.agent} names no skills: say what it should do with message="
    )


def _target(wanted: Wanted, rows: Rows, settled: bool) -> Target:
    name, agent, skill = wanted
    if name is not None and agent is not None and skill is not None:
        raise UnknownName(f"{name!r} is one too many: agent= and skill= say all")
    if name is not None and agent is not None:
        return _of(agent, name, rows)
    if name is not None and skill is not None:
        return _of(name, skill, rows)
    if agent is not None:
        return _of(agent, skill, rows)
    if skill is not None:
        return _of_skill(skill, rows, settled)
    if name is None:
        raise UnknownName(f"say what to start; there are: {_listed(rows)}")
    if name in rows:
        skills = {one.id for one in rows[name].skills}
        return Target(name, name if name in skills else None)
    before, slash, after = name.partition("/")
    if slash and before in rows:
        return Target(before, after)
    return _of_skill(name, rows, settled)


def _of(agent: str, skill: str | None, rows: Rows) -> Target:
    if agent not in rows:
        raise UnknownAgent(f"no agent {agent!r}; there are: {_listed(rows)}")
    return Target(agent, skill)


def _of_skill(skill: str, rows: Rows, settled: bool) -> Target:
    connecting = [row.agent for row in rows.values() if _is_new(row)]
    if connecting and not settled:
        raise AgentUnreachable(f"still connecting: {', '.join(connecting)}")
    having = [
        row.agent for row in rows.values() if any(one.id == skill for one in row.skills)
    ]
    if len(having) > 1:
        choices = " or ".join(repr(f"{agent}/{skill}") for agent in having)
        raise UnknownName(f"{skill!r} is not one agent's alone: say {choices}")
    if having:
        return Target(having[0], skill)
    if any(_is_strange(row) for row in rows.values()):
        raise AgentUnreachable(
            f"no agent that was reached has {skill!r}: {_listed(rows)}"
        )
    raise UnknownName(f"no agent and no skill {skill!r}; there are: {_listed(rows)}")


def _check_skill(target: Target, row: AgentEvent) -> None:
    known = [skill.id for skill in row.skills]
    if target.skill is not None and target.skill not in known:
        raise UnknownName(
            f"{target.agent} has no skill {target.skill!r}; it has: "
            f"{', '.join(known) or 'none on its card'}"
        )


def _listed(rows: Rows) -> str:
    return "; ".join(_described(row) for row in rows.values()) or "no agents"


def _described(row: AgentEvent) -> str:
    if _is_strange(row):
        return f"{row.agent} (cannot be reached: {_cause(row)})"
    return f"{row.agent} ({_joined(skill.id for skill in row.skills)})"


def _joined(words: Iterable[str]) -> str:
    return ", ".join(words) or "no skills"


def _cause(row: AgentEvent) -> str:
    return row.cause or f"still connecting to {row.url}"


def _is_strange(row: AgentEvent) -> bool:
    """Whether it has never shown its card."""
    return row.connection != "connected" and row.title is None


def _is_new(row: AgentEvent) -> bool:
    """Whether it has not even failed to show it."""
    return row.connection == "connecting" and row.title is None

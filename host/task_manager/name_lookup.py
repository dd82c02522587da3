"""Finds the agent and the skill that a name means, and the default message. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ..errors import AgentUnreachable, UnknownAgent
from ..model.event import AgentEvent
from .errors import UnknownName

Rows = Mapping[str, AgentEvent]


class NameQuery(NamedTuple):
    """The names in a call of `start_task`."""

    name: str | None
    agent: str | None
    skill: str | None


class Target(NamedTuple):
    """If `skill` is None, the agent chooses."""

    agent: str
    skill: str | None


def resolve(query: NameQuery, rows: Rows, *, settled: bool) -> Target:
    """Return the one agent that the query means. It is connected.

    Raises UnknownName or UnknownAgent if waiting cannot help. Raises AgentUnreachable
    if it can: the agent is lost, or an agent whose card is not known yet may be meant.
    Until `settled`, a skill alone waits for all connecting agents: two may have it.
    """
    target = _find_target(query, rows, settled)
    row = rows[target.agent]
    if row.connection != "connected":
        raise AgentUnreachable(f"{target.agent} cannot be reached: {_cause(row)}")
    skills = _skills(row)
    if target.skill is not None and target.skill not in skills:
        raise UnknownName(
            f"{target.agent} has no skill {target.skill!r}; it has: "
            f"{', '.join(skills) or 'no skills on its card'}"
        )
    return target


def choose_message(target: Target, row: AgentEvent) -> str:
    """Return the first example of the skill, else the skill's name.

    Without a skill it is the agent's first one. Raises UnknownName if it has none.
    """
    for skill in row.skills:
        if target.skill in (None, skill.id):
            return next(iter(skill.examples), skill.name)
    raise UnknownName(f"the card of {target.agent} lists no skills: pass message=")


def _find_target(query: NameQuery, rows: Rows, settled: bool) -> Target:
    name, agent, skill = query
    if None not in query:
        raise UnknownName(f"pass {name!r} or agent= and skill=, not all three")
    if name is not None and agent is not None:
        name, skill = None, name
    elif name is not None and skill is not None:
        name, agent = None, name
    if agent is not None:
        if agent not in rows:
            raise UnknownAgent(f"no agent {agent!r}; there are: {_describe(rows)}")
        return Target(agent, skill)
    if skill is not None:
        return _find_skill(skill, rows, settled)
    if name is None:
        raise UnknownName(f"pass an agent or a skill; there are: {_describe(rows)}")
    if name in rows:
        return Target(name, name if name in _skills(rows[name]) else None)
    before, slash, after = name.partition("/")
    if slash and before in rows:
        return Target(before, after)
    return _find_skill(name, rows, settled)


def _find_skill(skill: str, rows: Rows, settled: bool) -> Target:
    connecting = [row.agent for row in rows.values() if _is_first_attempt(row)]
    if connecting and not settled:
        raise AgentUnreachable(f"still connecting: {', '.join(connecting)}")
    agents = [row.agent for row in rows.values() if skill in _skills(row)]
    if len(agents) > 1:
        choices = " or ".join(repr(f"{agent}/{skill}") for agent in agents)
        raise UnknownName(f"several agents have the skill {skill!r}: pass {choices}")
    if agents:
        return Target(agents[0], skill)
    if any(_has_no_card(row) for row in rows.values()):
        raise AgentUnreachable(f"no connected agent has {skill!r}: {_describe(rows)}")
    raise UnknownName(f"no agent and no skill {skill!r}; there are: {_describe(rows)}")


def _skills(row: AgentEvent) -> list[str]:
    return [skill.id for skill in row.skills]


def _describe(rows: Rows) -> str:
    return "; ".join(_describe_agent(row) for row in rows.values()) or "no agents"


def _describe_agent(row: AgentEvent) -> str:
    if _has_no_card(row):
        return f"{row.agent} (cannot be reached: {_cause(row)})"
    return f"{row.agent} ({', '.join(_skills(row)) or 'no skills'})"


def _cause(row: AgentEvent) -> str:
    return row.cause or f"still connecting to {row.url}"


def _has_no_card(row: AgentEvent) -> bool:
    return row.connection != "connected" and row.title is None


def _is_first_attempt(row: AgentEvent) -> bool:
    return row.connection == "connecting" and row.title is None

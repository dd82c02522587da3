"""Owns what the log has of a task of the host's own: the A2A Task, and where it was.

The orchestrator answers GetTask with it, and takes up a run by it after a restart.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from ..config.agent_settings import HOST_NAME
from ..feed.feed import Feed
from ..model.event import TaskEvent, decode
from ..model.filter import Filter
from .run_state import PLAN

Json = dict[str, Any]

PAGE = 1_000


class Told(NamedTuple):
    """`plan` is the metadata of all updates under PLAN, the later over the earlier."""

    task: Json
    plan: Json


async def told(feed: Feed, row: TaskEvent) -> Told:
    """The task with this row; of one whose first updates are no longer kept, the
    rest."""
    folded = Told(
        {
            "id": row.task_id,
            "contextId": row.context_id or "",
            "status": {"state": row.state, "timestamp": row.at},
            "artifacts": [],
            "history": [],
            "metadata": {},
        },
        {},
    )
    where = Filter(agent=frozenset([HOST_NAME]), task=frozenset([row.task_id]))
    cursor = 0
    while rows := await feed.history(cursor, None, PAGE, where):
        for found in rows:
            raw = await feed.raw(found.id)
            if raw is not None:
                _fold(folded, msgspec.json.decode(raw))
        cursor = rows[-1].id
    return folded


async def last_row(feed: Feed, agent: str, task_id: str) -> TaskEvent | None:
    """Where a task stands: the board forgets one that is over for long."""
    row = feed.board.task(agent, task_id)
    if row is None:
        kind = frozenset(["task"])
        where = Filter(frozenset([agent]), frozenset([task_id]), kind=kind)
        for found in await feed.history(None, None, 1, where):
            event = decode(found.body)
            row = event if isinstance(event, TaskEvent) else None
    return row


def _fold(folded: Told, update: Json) -> None:
    task, plan = folded
    ((kind, said),) = update.items()
    if kind == "artifactUpdate":
        task["artifacts"].append(said["artifact"])
        return
    more = said.get("metadata", {}).get(PLAN, {})
    plan.update(more)
    task["metadata"] |= {**said.get("metadata", {}), PLAN: plan}
    if kind == "task":
        task["history"] = list(said["history"])
    else:
        before = task["status"].get("message")
        now = said["status"].get("message")
        if before and before["messageId"] != now["messageId"]:
            task["history"].append(before)
        if "heard" in more:
            task["history"].append(plan.pop("heard"))
    task["status"] = said["status"]

"""Writes the host's own tasks into the feed, and reads them back.

Each event has its A2A update beside it. Its source is `host/{task_id}`.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, NamedTuple

import msgspec

from ..config.agent_settings import HOST_NAME
from ..errors import LogDamaged
from ..feed.feed import Feed
from ..merging.task_writer import TaskWriter
from ..model.event import Event, TaskEvent, decode
from ..model.filter import Filter
from ..model.timestamps import now
from ..protocol.a2a_objects import Artifact, Status
from ..protocol.event_builders import build_artifact_event, build_row
from ..protocol.messages import build_message
from ..protocol.task_record import TaskRecord
from .run_state import PLAN_URI

Json = dict[str, Any]


class TaskLog:
    """Writes one task. Call `create` or `load` first. Writes return when durable."""

    def __init__(self, task_id: str, context_id: str, feed: Feed) -> None:
        self.task_id = task_id
        self.context_id = context_id
        self.record = TaskRecord(HOST_NAME, task_id)
        self._writer = TaskWriter(HOST_NAME, task_id, feed)

    async def load(self) -> None:
        await self._writer.load(self.record)

    async def create(self, message: Json, metadata: Json) -> bytes:
        """Add the submitted task with the message that asked for it, and return it."""
        task: Json = {
            "id": self.task_id,
            "contextId": self.context_id,
            "status": {"state": "TASK_STATE_SUBMITTED", "timestamp": now()},
            "history": [message],
            "metadata": metadata,
        }
        return await self._add(
            self._build_row(task["status"], metadata), {"task": task}
        )

    async def add_status(self, state: str, text: str, metadata: Json) -> None:
        """Add a status update. The same text in the same state is the same message."""
        row, last = self.record.row, self.record.message
        is_same = row and row.state == state and last and last.equals(text)
        status: Json = {
            "state": state,
            "timestamp": now(),
            "message": build_message(
                "ROLE_AGENT",
                text,
                message_id=row.message_id if row and is_same else None,
                taskId=self.task_id,
                contextId=self.context_id,
            ),
        }
        update = self._ids | {"status": status, "metadata": metadata}
        await self._add(self._build_row(status, metadata), {"statusUpdate": update})

    async def add_artifact(self, name: str, parts: list[Json]) -> None:
        """Add a whole artifact."""
        artifact = {"artifactId": name, "name": name, "parts": parts}
        event = build_artifact_event(
            self.record,
            msgspec.convert(artifact, Artifact),
            context_id=self.context_id,
            received_at=now(),
            last_chunk=True,
        )
        update = self._ids | {"artifact": artifact, "lastChunk": True}
        await self._add(event, {"artifactUpdate": update})

    @property
    def _ids(self) -> Json:
        return {"taskId": self.task_id, "contextId": self.context_id}

    def _build_row(self, status: Json, metadata: Json) -> TaskEvent:
        return build_row(
            self.record,
            msgspec.convert(status, Status),
            context_id=self.context_id,
            metadata=metadata,
            received_at=now(),
        )

    async def _add(self, event: Event, update: Json) -> bytes:
        raw = msgspec.json.encode(update)
        self.record.add([event])
        self._writer.add([event], raw)
        await self._writer.flush()
        return raw


class SavedTask(NamedTuple):
    """`plan` merges the metadata at PLAN_URI of all updates. The latest value wins."""

    task: Json
    plan: Json


async def read_task(feed: Feed, row: TaskEvent) -> SavedTask:
    """Build the A2A task with this row from its updates that are still in the log."""
    task: Json = {
        "id": row.task_id,
        "contextId": row.context_id or "",
        "status": {"state": row.state, "timestamp": row.at},
        "artifacts": [],
        "history": [],
        "metadata": {},
    }
    saved = SavedTask(task, {})
    where = Filter(agent=frozenset([HOST_NAME]), task=frozenset([row.task_id]))
    cursor = 0
    while events := await feed.readable(cursor, where):
        for event in events:
            with suppress(LogDamaged):
                raw = await feed.raw(event.id)
                if raw is not None:
                    _apply(saved, msgspec.json.decode(raw))
        cursor = events[-1].id
    return saved


async def find_row(feed: Feed, agent: str, task_id: str) -> TaskEvent | None:
    """Find a task's last row. The board forgets tasks that ended long ago."""
    row = feed.board.task(agent, task_id)
    if row is None:
        kind = frozenset(["task"])
        where = Filter(frozenset([agent]), frozenset([task_id]), kind=kind)
        for found in await feed.history(None, None, 1, where):
            event = decode(found.body)
            row = event if isinstance(event, TaskEvent) else None
    return row


def _apply(saved: SavedTask, update: Json) -> None:
    task, plan = saved
    ((kind, body),) = update.items()
    if kind == "artifactUpdate":
        task["artifacts"].append(body["artifact"])
        return
    metadata = body.get("metadata", {})
    plan.update(metadata.get(PLAN_URI, {}))
    task["metadata"] |= {**metadata, PLAN_URI: plan}
    if kind == "task":
        task["history"] = list(body["history"])
    else:
        previous = task["status"].get("message")
        if previous and previous["messageId"] != body["status"]["message"]["messageId"]:
            task["history"].append(previous)
        if "heard" in plan:  # A person's reply.
            task["history"].append(plan.pop("heard"))
    task["status"] = body["status"]

"""Owns the events of one task of the host's own: A2A updates, and rows in the feed.

A run tells it what changed; it goes to the log under the source `host/{task_id}`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ..config.agent_settings import HOST_NAME
from ..feed.feed import Feed
from ..following.task_writer import TaskWriter
from ..model.event import Event, TaskEvent
from ..model.timestamps import now
from ..protocol.a2a_objects import Artifact, Status
from ..protocol.event_builders import build_artifact_event, build_row
from ..protocol.messages import build_message
from ..protocol.task_record import TaskRecord

Json = dict[str, Any]


class Journal:
    """`begin` it or `recall` it; what is told is durable when the call returns."""

    def __init__(self, task_id: str, context_id: str, feed: Feed) -> None:
        self.task_id = task_id
        self.context_id = context_id
        self._record = TaskRecord(HOST_NAME, task_id)
        self._writer = TaskWriter(HOST_NAME, task_id, feed)

    @property
    def row(self) -> TaskEvent | None:
        return self._record.row

    async def recall(self) -> None:
        await self._writer.load(self._record)

    async def begin(self, message: Json, metadata: Json) -> bytes:
        """The task as it is submitted, by the A2A message that asked for it; its
        A2A update."""
        task: Json = {
            "id": self.task_id,
            "contextId": self.context_id,
            "status": {"state": "TASK_STATE_SUBMITTED", "timestamp": now()},
            "history": [message],
            "metadata": metadata,
        }
        raw = _encoded({"task": task})
        await self._add(self._row(task["status"], metadata), raw)
        return raw

    async def tell(self, state: str, text: str, metadata: Json) -> None:
        """A status update. The same words in the same state are the same message."""
        row = self.row
        same = row and row.state == state and row.message == text and row.message_id
        status: Json = {
            "state": state,
            "timestamp": now(),
            "message": build_message(
                "ROLE_AGENT",
                text,
                message_id=same or None,
                taskId=self.task_id,
                contextId=self.context_id,
            ),
        }
        raw = self._update("statusUpdate", {"status": status, "metadata": metadata})
        await self._add(self._row(status, metadata), raw)

    async def deliver(self, name: str, parts: list[Json]) -> None:
        """A whole artifact."""
        artifact = {"artifactId": name, "name": name, "parts": parts}
        raw = self._update("artifactUpdate", {"artifact": artifact, "lastChunk": True})
        event = build_artifact_event(
            self._record,
            msgspec.convert(artifact, Artifact),
            context_id=self.context_id,
            received_at=now(),
            last_chunk=True,
        )
        await self._add(event, raw)

    def _update(self, kind: str, fields: Json) -> bytes:
        ids = {"taskId": self.task_id, "contextId": self.context_id}
        return _encoded({kind: ids | fields})

    def _row(self, status: Json, metadata: Json) -> TaskEvent:
        return build_row(
            self._record,
            msgspec.convert(status, Status),
            context_id=self.context_id,
            metadata=metadata,
            received_at=now(),
        )

    async def _add(self, event: Event, raw: bytes) -> None:
        self._record.add([event])
        self._writer.add([event], raw)
        await self._writer.flush()


def _encoded(body: Json) -> bytes:
    return msgspec.json.encode(body)

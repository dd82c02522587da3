"""Holds what the feed already has of one task, so that nothing is written twice.

`translate` compares each update with it. The caller adds the events that it writes.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from msgspec import UNSET, UnsetType

from ..model.event import WAITING, ArtifactEvent, Event, TaskEvent

MAX_MESSAGE_IDS = 10_000  # A task that never ends must not fill the memory.


@dataclass
class ArtifactRecord:
    """What the feed has of one artifact: its parts so far, and whether it is whole."""

    parts: list[dict[str, Any]]
    name: str | None = None
    is_whole: bool = False

    @property
    def text(self) -> str:
        # Chunks of one artifact carry their own spaces and line ends.
        return "".join(part["text"] for part in self.parts if part.get("text"))


@dataclass
class TaskRecord:
    """What the feed has of one task. `sequence` is the number of its last update.

    `parent_task_id` goes into each row from now on.
    """

    agent: str
    task_id: str
    row: TaskEvent | None = None
    sequence: int | None = None
    # An OrderedDict drops its oldest entry in constant time; a dict does not.
    message_ids: OrderedDict[str, None] = field(default_factory=OrderedDict)
    artifacts: dict[str, ArtifactRecord] = field(default_factory=dict)
    parent_task_id: str | UnsetType = UNSET

    @property
    def is_empty(self) -> bool:
        return self.row is None and not self.artifacts

    @property
    def has_ended(self) -> bool:
        return self.row is not None and not self.row.is_open

    @property
    def needs_input(self) -> bool:
        """Whether the task waits for the answer to a question."""
        return self.row is not None and self.row.status in WAITING

    def add(self, events: Iterable[Event]) -> None:
        """Add events of the feed, in their order."""
        for event in events:
            if isinstance(event, TaskEvent):
                self._add_row(event)
            elif isinstance(event, ArtifactEvent):
                self._add_artifact(event)
            else:
                continue
            if event.sequence is not UNSET:
                self.sequence = event.sequence

    def _add_row(self, event: TaskEvent) -> None:
        self.row = event
        if event.parent_task_id is not UNSET:
            self.parent_task_id = event.parent_task_id
        if event.message_id:
            self.message_ids[event.message_id] = None
            if len(self.message_ids) > MAX_MESSAGE_IDS:
                self.message_ids.popitem(last=False)

    def _add_artifact(self, event: ArtifactEvent) -> None:
        artifact = self.artifacts.get(event.artifact_id)
        if artifact is None or not event.append:
            artifact = self.artifacts[event.artifact_id] = ArtifactRecord([])
        artifact.parts.extend(event.parts)
        artifact.name = event.name or artifact.name
        artifact.is_whole = event.last_chunk

    def copy(self) -> TaskRecord:
        """Return a record that can add events without changing this one."""
        artifacts = {
            artifact_id: replace(artifact, parts=list(artifact.parts))
            for artifact_id, artifact in self.artifacts.items()
        }
        return replace(self, message_ids=self.message_ids.copy(), artifacts=artifacts)

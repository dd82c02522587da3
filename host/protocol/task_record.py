"""Holds the state of one task in the feed, so that nothing is written twice.

`translate` compares each update with it. The caller adds the events that it writes.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from msgspec import UNSET, UnsetType

from ..model.event import TERMINAL, WAITING, ArtifactEvent, Event, GapEvent, TaskEvent
from ..model.shorten import count_bytes, cut_text
from .artifact_parts import hash_parts

# A task that never ends must not fill the memory.
MAX_MESSAGE_IDS = 10_000
MAX_STATUSES = 1_000
MAX_EARLIER = 100

StatusKey = tuple[object, ...]


@dataclass
class ArtifactRecord:
    """One artifact in the feed: its parts so far, and whether it is complete.

    `earlier` are the hashes of the contents that it has replaced.
    """

    parts: list[dict[str, Any]]
    name: str | None = None
    is_whole: bool = False
    earlier: frozenset[int] = field(default=frozenset(), compare=False)

    @property
    def text_bytes(self) -> int:
        return sum(count_bytes(text) for text in self._texts())

    def read_text(self, max_bytes: int) -> str:
        """Return the start of its text, at most `max_bytes`."""
        texts, size = [], 0
        for text in self._texts():
            if size >= max_bytes:
                break
            texts.append(cut_text(text, max_bytes))
            size += len(text)
        # Chunks of one artifact carry their own spaces and line ends.
        return cut_text("".join(texts), max_bytes)

    def _texts(self) -> Iterator[str]:
        return (part["text"] for part in self.parts if part.get("text"))


@dataclass
class TaskRecord:
    """What the feed has of one task. `sequence` is the number of its last update.

    `parent_task_id` and `continues` go into each row from now on. `last_message` is the
    text of the agent's last message, `message_ids` has the hash of each text, and
    `task_at` is the latest time of a Task. `news_at` is when the host received the last
    update.
    """

    agent: str
    task_id: str
    row: TaskEvent | None = None
    sequence: int | None = None
    # An OrderedDict drops its oldest entry in constant time; a dict does not.
    message_ids: OrderedDict[str, int] = field(default_factory=OrderedDict)
    artifacts: dict[str, ArtifactRecord] = field(default_factory=dict)
    statuses: OrderedDict[StatusKey, None] = field(default_factory=OrderedDict)
    parent_task_id: str | UnsetType = UNSET
    continues: str | UnsetType = UNSET
    last_message: str | None = None
    task_at: str | None = field(default=None, compare=False)
    news_at: str | None = field(default=None, compare=False)

    @property
    def is_empty(self) -> bool:
        return self.row is None and not self.artifacts

    @property
    def has_ended(self) -> bool:
        row = self.row
        return row is not None and row.status in TERMINAL

    @property
    def needs_input(self) -> bool:
        """Whether the task waits for the answer to a question."""
        return self.row is not None and self.row.status in WAITING

    def add(self, events: Iterable[Event]) -> None:
        """Add events of the feed, in their order."""
        for event in events:
            if isinstance(event, TaskEvent):
                self._add_row(event)
                self.news_at = event.stalled_since or event.received_at
            elif isinstance(event, ArtifactEvent):
                self._add_artifact(event)
                self.news_at = event.received_at
            elif isinstance(event, GapEvent) and event.new_task is True:
                self._begin_other()
                continue
            else:
                continue
            if event.sequence is not UNSET:
                self.sequence = event.sequence

    def _begin_other(self) -> None:
        """Forget the task: another one has its id now."""
        self.__init__(self.agent, self.task_id)  # type: ignore[misc]

    @property
    def last_at(self) -> str | None:
        """The time of the last status, also if the host ended the task without one."""
        if self.row and self.row.at:
            return self.row.at
        times = (key[1] for key in self.statuses)
        return max((at for at in times if isinstance(at, str)), default=None)

    def _add_row(self, event: TaskEvent) -> None:
        self.row = event
        self.last_message = event.message or self.last_message
        if event.at:
            self.statuses[status_key(event)] = None
            if len(self.statuses) > MAX_STATUSES:
                self.statuses.popitem(last=False)
        if event.parent_task_id is not UNSET:
            self.parent_task_id = event.parent_task_id
        if event.continues is not UNSET:
            self.continues = event.continues
        if event.message_id:
            self.message_ids[event.message_id] = hash(event.message or "")
            if len(self.message_ids) > MAX_MESSAGE_IDS:
                self.message_ids.popitem(last=False)

    def _add_artifact(self, event: ArtifactEvent) -> None:
        artifact = self.artifacts.get(event.artifact_id)
        if artifact is None or not event.append:
            earlier = _add_earlier(artifact) if artifact else frozenset()
            artifact = ArtifactRecord([], earlier=earlier)
            self.artifacts[event.artifact_id] = artifact
        artifact.parts.extend(event.parts)
        artifact.name = event.name or artifact.name
        artifact.is_whole = event.last_chunk

    def copy(self) -> TaskRecord:
        """Return a record that can add events without changing this one."""
        artifacts = {
            artifact_id: replace(artifact, parts=list(artifact.parts))
            for artifact_id, artifact in self.artifacts.items()
        }
        return replace(
            self,
            message_ids=self.message_ids.copy(),
            statuses=self.statuses.copy(),
            artifacts=artifacts,
        )


def _add_earlier(artifact: ArtifactRecord) -> frozenset[int]:
    if len(artifact.earlier) >= MAX_EARLIER:
        return artifact.earlier
    return artifact.earlier | {hash_parts(artifact.parts)}


def status_key(row: TaskEvent) -> StatusKey:
    """Return what makes two rows of a task the same status, if they have a time."""
    return row.state, row.at, row.progress, row.message_id, row.message

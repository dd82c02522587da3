"""Holds the state of one task in the feed, so that nothing is written twice.

`translate` compares each update with it. The caller adds the events that it writes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import islice, takewhile
from typing import TypeVar

from msgspec import UNSET, UnsetType

from ..model.event import TERMINAL, WAITING, ArtifactEvent, Event, GapEvent, TaskEvent
from .artifact_parts import hash_parts
from .artifact_record import (
    MAX_AGENT_BYTES,
    MAX_HASHED_BYTES,
    MAX_START_BYTES,
    MAX_TASK_BYTES,
    SMALL_BYTES,
    ArtifactRecord,
    RecordMemory,
    count_memory,
)
from .kept_text import UNCOUNTED, KeptText, keep_text, whole_size, with_kept

# A task that never ends must not fill the memory.
MAX_MESSAGE_IDS = 10_000
MAX_STATUSES = 1_000
MAX_EARLIER = 100
MAX_ID_BYTES = 1024 * 1024  # In memory, of all message ids of a task.
MAX_AGENT_NOTES = 24 * 1024 * 1024  # Of the ids and statuses of an agent's open tasks.
SMALL_NOTES = 8 * 1024  # A task keeps this much of them.
NOTE_OVERHEAD = 200  # An id or a status in memory, without the characters of the id.
MAX_AGENT_TEXTS = 8 * 1024 * 1024  # Then each keeps only the start of its message.
MAX_ARTIFACTS = 5_000  # Later ones are not compared with the agent's Task.

Key = TypeVar("Key")
Value = TypeVar("Value")


@dataclass
class TaskRecord:
    """What the feed has of one task. `sequence` is the number of its last update.

    `row` has only the start of a long message; `message` tells all of it from another.
    `parent_task_id` and `continues` go into each row from now on. `last_message` is the
    text of the agent's last message, `message_ids` has the hash of each text, and
    `task_at` is the latest time of a Task. Progress from before `superseded_at` adds
    nothing: a gap and a newer Task are in the feed. `news_at` is when the host received
    the last update. With `memory`, the tasks of an agent share limits in bytes: call
    `release` at last.
    """

    agent: str
    task_id: str
    row: TaskEvent | None = None
    sequence: int | None = None
    message_ids: dict[str, int] = field(default_factory=dict)
    artifacts: dict[str, ArtifactRecord] = field(default_factory=dict)
    statuses: dict[int, str] = field(default_factory=dict)
    parent_task_id: str | UnsetType = UNSET
    continues: str | UnsetType = UNSET
    message: KeptText | None = None
    last_message: KeptText | None = None
    task_at: str | None = field(default=None, compare=False)
    superseded_at: str | None = field(default=None, compare=False)
    news_at: str | None = field(default=None, compare=False)
    memory: RecordMemory | None = field(default=None, compare=False)
    _bytes: int = field(default=0, compare=False)
    _id_bytes: int = field(default=0, compare=False)
    _note_bytes: int = field(default=0, compare=False)
    _text_bytes: int = field(default=0, compare=False)
    _held_bytes: int = field(default=0, compare=False)
    _is_full: bool = field(default=False, compare=False)

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
        self.release()
        self.__init__(  # type: ignore[misc]
            self.agent, self.task_id, memory=self.memory
        )

    @property
    def last_at(self) -> str | None:
        """The time of the last status, also if the host ended the task without one."""
        if self.row and self.row.at:
            return self.row.at
        return max(self.statuses.values(), default=None)

    def _add_row(self, event: TaskEvent) -> None:
        self.row, text = event, event.message
        if not text:
            self.message = kept = None
        elif event.shortened is UNSET and len(text) <= UNCOUNTED:
            # So it is for nearly all rows.
            self.message = kept = KeptText(text, len(text), hash(text))
        else:
            self.message = kept = self._keep(event, text)
            self.row = with_kept(event, kept)
        self.last_message = kept or self.last_message
        if event.at:
            self.statuses[status_key(event)] = event.at
            if len(self.statuses) > MAX_STATUSES:
                self.statuses = _newer_half(self.statuses)
        if event.parent_task_id is not UNSET:
            self.parent_task_id = event.parent_task_id
        if event.continues is not UNSET:
            self.continues = event.continues
        if event.message_id:
            self._add_message_id(event.message_id, kept.hash if kept else hash(""))
        if self.memory:
            self._limit_notes(self.memory)
        if self._text_bytes or (kept and len(kept.start) > UNCOUNTED):
            self._count_texts()

    def _keep(self, row: TaskEvent, text: str) -> KeptText:
        size, before = whole_size(row), self.message
        if size is None:
            return self._keep_text(text)
        if (
            before
            and before.size == size
            and before.start[:UNCOUNTED] == text[:UNCOUNTED]
        ):
            return before  # The row repeats the message.
        return KeptText(text, -1, hash(text), size)

    def _keep_text(self, text: str) -> KeptText:
        is_full = self.memory is not None and self.memory.texts > MAX_AGENT_TEXTS
        return keep_text(text, only_start=is_full)

    def note_last_message(self, text: str) -> None:
        """Take note that the text of an earlier row is the agent's last message."""
        self.last_message = self._keep_text(text)
        self._count_texts()

    def _count_texts(self) -> None:
        if self.memory:
            kept = {id(one): one for one in (self.message, self.last_message) if one}
            size = sum(sys.getsizeof(one.start) for one in kept.values())
            self.memory.texts += size - self._text_bytes
            self._text_bytes = size

    def has_message(self, row: TaskEvent) -> bool:
        """Return whether `row` has the message of the last row."""
        before, text, kept = self.row, row.message, self.message
        if text is None or kept is None or row.shortened is not UNSET:
            return before is not None and text == before.message
        return text == kept.start if kept.size is None else kept.equals(text)

    def _add_message_id(self, message_id: str, text_hash: int) -> None:
        if message_id not in self.message_ids:
            self._id_bytes += sys.getsizeof(message_id)
        self.message_ids[message_id] = text_hash
        while len(self.message_ids) > 1 and (
            len(self.message_ids) > MAX_MESSAGE_IDS or self._id_bytes > MAX_ID_BYTES
        ):
            self._forget_ids()

    def _forget_ids(self) -> None:
        self.message_ids = _newer_half(self.message_ids)
        self._id_bytes = sum(map(sys.getsizeof, self.message_ids))

    def _limit_notes(self, memory: RecordMemory) -> None:
        """Forget the older ids and statuses if those of the agent are too many."""
        if memory.notes > MAX_AGENT_NOTES and self._note_bytes > SMALL_NOTES:
            self.statuses = _newer_half(self.statuses)
            self._forget_ids()
        count = len(self.message_ids) + len(self.statuses)
        size = count * NOTE_OVERHEAD + self._id_bytes
        memory.notes += size - self._note_bytes
        self._note_bytes = size

    def _add_artifact(self, event: ArtifactEvent) -> None:
        artifact = self.artifacts.get(event.artifact_id)
        if artifact is None and self.memory and self.has_all_artifacts_that_fit:
            return
        if artifact is None or not event.append:
            earlier: frozenset[int] = frozenset()
            if artifact:
                self._count(artifact, 0)
                earlier = _add_earlier(artifact)
            artifact = ArtifactRecord([], earlier=earlier)
            self.artifacts[event.artifact_id] = artifact
        artifact.add(event.parts)
        artifact.name = event.name or artifact.name
        artifact.is_whole = event.last_chunk
        if self.memory is None:
            return
        if artifact.digest:
            self._count(artifact, artifact.count_memory())
        else:
            self._count(artifact, artifact.bytes + count_memory(event.parts))
            if self._bytes > MAX_TASK_BYTES or self.memory.bytes > MAX_AGENT_BYTES:
                self._limit(artifact)
        self._is_full |= self.memory.bytes > MAX_HASHED_BYTES

    @property
    def has_all_artifacts_that_fit(self) -> bool:
        return self._is_full or len(self.artifacts) >= MAX_ARTIFACTS

    def _limit(self, artifact: ArtifactRecord) -> None:
        """Keep a hash of an artifact instead of its parts."""
        if artifact.bytes > SMALL_BYTES:
            others = self.artifacts.values()
            before = takewhile(lambda each: each is not artifact, others)
            limit = MAX_START_BYTES if self._bytes > MAX_TASK_BYTES else SMALL_BYTES
            room = limit - sum(each.text_bytes for each in before)
            artifact.replace_by_digest(max(0, room))
            self._count(artifact, artifact.count_memory())

    def _count(self, artifact: ArtifactRecord, size: int) -> None:
        if self.memory:
            self._bytes += size - artifact.bytes
            self.memory.bytes += size - artifact.bytes
            artifact.bytes = size

    def count_held(self, size: int) -> None:
        """Count an update that is not added yet."""
        if self.memory:
            self.memory.held += size
            self._held_bytes += size

    def release(self) -> None:
        """Stop counting its memory: nobody uses the record any more."""
        if self.memory:
            self.memory.bytes -= self._bytes
            self.memory.texts -= self._text_bytes
            self.memory.notes -= self._note_bytes
            self.memory.held -= self._held_bytes
        self._bytes = self._text_bytes = self._note_bytes = self._held_bytes = 0

    def copy(self) -> TaskRecord:
        """Return a record that can add events without changing this one."""
        artifacts = {
            artifact_id: artifact.copy()
            for artifact_id, artifact in self.artifacts.items()
        }
        return replace(
            self,
            message_ids=self.message_ids.copy(),
            statuses=self.statuses.copy(),
            artifacts=artifacts,
            memory=None,
        )


def _newer_half(entries: dict[Key, Value]) -> dict[Key, Value]:
    """Return the entries without the older half: a dict is slow to drop just one."""
    return dict(islice(entries.items(), len(entries) // 2, None))


def _add_earlier(artifact: ArtifactRecord) -> frozenset[int]:
    if artifact.digest or len(artifact.earlier) >= MAX_EARLIER:
        return artifact.earlier
    return artifact.earlier | {hash_parts(artifact.parts)}


def status_key(row: TaskEvent) -> int:
    """Return what makes two rows of a task the same status, if they have a time.

    It is a hash, because a message may be long. Of a shortened message, it is the same
    however much of it the row has.
    """
    text: object = row.message
    if row.shortened is not UNSET and row.message:
        text = whole_size(row), row.message[:UNCOUNTED]
    return hash((row.state, row.at, row.progress, row.message_id, text))

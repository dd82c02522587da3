"""Owns what the feed already says of one task, so that it is told once.

translate compares each update with it; the follower notes what the feed takes.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

from msgspec import UNSET, UnsetType

from ..model.event import WAITING, ArtifactEvent, Event, TaskEvent

Parts = list[dict[str, Any]]

MAX_MESSAGE_IDS = 10_000  # A task that never ends must not fill the memory.


@dataclass
class Kept:
    """What the feed says of one artifact: its parts so far, and whether all of them."""

    parts: Parts
    name: str | None = None
    is_whole: bool = False

    @property
    def text(self) -> str:
        # Chunks of one artifact carry their own spaces and line ends.
        return "".join(part["text"] for part in self.parts if part.get("text"))


@dataclass
class Known:
    """What the feed already says of one task; `sequence` is the last number told.

    `parent_task_id` goes into each row that is told from now on.
    """

    agent: str
    task_id: str
    row: TaskEvent | None = None
    sequence: int | None = None
    # The latest; of a plain dict it would cost more and more to drop the oldest.
    message_ids: OrderedDict[str, None] = field(default_factory=OrderedDict)
    artifacts: dict[str, Kept] = field(default_factory=dict)
    parent_task_id: str | UnsetType = UNSET

    @property
    def is_nothing(self) -> bool:
        """Whether the feed has never heard of the task."""
        return self.row is None and not self.artifacts

    @property
    def is_over(self) -> bool:
        return self.row is not None and not self.row.is_open

    @property
    def is_waiting(self) -> bool:
        """Whether the task asks somebody something, and waits for it."""
        return self.row is not None and self.row.status in WAITING

    def note(self, events: Iterable[Event]) -> None:
        """Takes in events that the feed has accepted, in their order."""
        for event in events:
            if isinstance(event, TaskEvent):
                self.row = event
                if event.parent_task_id is not UNSET:
                    self.parent_task_id = event.parent_task_id
                if event.message_id:
                    self.message_ids[event.message_id] = None
                    if len(self.message_ids) > MAX_MESSAGE_IDS:
                        self.message_ids.popitem(last=False)
            elif isinstance(event, ArtifactEvent):
                self._note_artifact(event)
            else:
                continue
            if event.sequence is not UNSET:
                self.sequence = event.sequence

    def _note_artifact(self, event: ArtifactEvent) -> None:
        kept = self.artifacts.get(event.artifact_id)
        if kept is None or not event.append:
            kept = self.artifacts[event.artifact_id] = Kept([])
        kept.parts.extend(event.parts)
        kept.name = event.name or kept.name
        kept.is_whole = event.last_chunk

    def copy(self) -> Known:
        """One that can note events without this one knowing."""
        artifacts = {
            artifact_id: Kept(list(kept.parts), kept.name, kept.is_whole)
            for artifact_id, kept in self.artifacts.items()
        }
        return replace(self, message_ids=self.message_ids.copy(), artifacts=artifacts)


def unseen(told: Parts, now: Parts) -> Parts | None:
    """The parts of an artifact, now `now`, that a reader of `told` has not seen.

    None where it is no longer the same, so that only the whole of it will do. An
    agent may keep chunks of text as they were sent or joined: both are the same.
    """
    if now[: len(told)] == told:
        return now[len(told) :]
    rest = _rest(_joined(told), _joined(now))
    if rest is None and _rest(_joined(now), _joined(told)) is not None:
        return []  # The agent kept less than it said.
    return rest


def _rest(start: Parts, parts: Parts) -> Parts | None:
    """What of `parts` follows `start`, within a text too; None if they begin apart."""
    if not start:
        return parts
    place = len(start) - 1
    if len(parts) <= place or parts[:place] != start[:place]:
        return None
    was, here = start[place], parts[place]
    if was == here:
        return parts[place + 1 :]
    if _but_text(was) != _but_text(here) or not here["text"].startswith(was["text"]):
        return None
    grown = {**here, "text": here["text"][len(was["text"]) :]}
    return [grown, *parts[place + 1 :]]


def _joined(parts: Parts) -> Parts:
    """With each run of texts as one part, and none that is empty."""
    joined: Parts = []
    for (is_text, rest), run in groupby(parts, _but_text):
        if not is_text:
            joined.extend(run)
        elif text := "".join(part["text"] for part in run):
            joined.append({"text": text, **rest})
    return joined


def _but_text(part: dict[str, Any]) -> tuple[bool, dict[str, Any]]:
    if "text" not in part:
        return False, part
    return True, {key: value for key, value in part.items() if key != "text"}


def repeats(told: Parts, said: Parts) -> bool:
    """Whether the parts already `told` end with what is `said` now."""
    said = _joined(said)
    end = _joined(told)[-len(said) :]
    if not said or len(end) < len(said) or end[1:] != said[1:]:
        return False
    was, now = end[0], said[0]
    same = _but_text(was) == _but_text(now)
    return same and str(was.get("text", "")).endswith(now.get("text", ""))


def begins(told: Parts, said: Parts) -> bool:
    """Whether the parts `told` begin with what is `said`."""
    said = _joined(said)
    begin = _joined(told)[: len(said)]
    if not said or len(begin) < len(said) or begin[:-1] != said[:-1]:
        return False
    was, now = begin[-1], said[-1]
    same = _but_text(was) == _but_text(now)
    return same and str(was.get("text", "")).startswith(now.get("text", ""))

"""Finds the chunks of a stream that are in the feed already, because a Task had them.

The Task was read from ahead of the stream. Or the stream began with it, and the agent
had opened the stream before it read the Task.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from typing import Any

import msgspec
from msgspec.structs import replace

from ..model.event import ArtifactEvent, Event
from ..protocol.a2a_objects import StreamResponse
from ..protocol.task_record import TaskRecord

MAX_PLACES = 100
MAX_AHEAD_CHARS = 128 * 1024  # A stream that is further behind is no longer used.
MAX_CHECKS = 20  # Then an equal chunk counts as a new one.


class Repeat(Enum):
    """Whether an update of a stream is already in the feed."""

    NO = "no other stream and no Task had it"
    YES = "another stream or a Task had it first"
    PERHAPS = "an equal chunk was first, perhaps before this stream began"


class ChunksAhead:
    """What Tasks have added to the feed from ahead of one stream, by artifact."""

    def __init__(self) -> None:
        self.is_too_large = False
        """Whether the stream is too far behind to be used."""
        self._artifacts: dict[str, _TextAhead] = {}
        self._added = 0

    def __bool__(self) -> bool:
        """Whether the stream may bring a chunk that a Task had."""
        return bool(self._artifacts)

    @property
    def is_unsure(self) -> bool:
        """Whether a chunk was left out that may be a new one."""
        return any(ahead.is_unsure for ahead in self._artifacts.values())

    def left_out(self, response: StreamResponse) -> str:
        """Return the text of the chunks that were left out, of the artifact of a
        chunk."""
        chunk = response.artifact_update
        ahead = self._artifacts.get(chunk.artifact.artifact_id) if chunk else None
        return ahead.unproven if ahead else ""

    def begin(self, record: TaskRecord) -> None:
        """Take note that the stream has brought a Task, which is in `record` now.

        The stream may bring the Task's last chunks too.
        """
        self._artifacts = {
            artifact_id: _TextAhead(text, None, known=len(text), start=len(text))
            for artifact_id, text in _texts(record)
        }

    def find(self, record: TaskRecord) -> None:
        """Find out anew where in the artifacts of `record` the stream is."""
        self._artifacts = {
            artifact_id: _TextAhead(text, None, known=len(text))
            for artifact_id, text in _texts(record)
        }

    def add(self, response: StreamResponse) -> bool:
        """Take note of a chunk that another stream brought first.

        Return False if the stream is past all that a Task had of the artifact.
        """
        chunk = response.artifact_update
        ahead = self._artifacts.get(chunk.artifact.artifact_id) if chunk else None
        if not chunk or not ahead:
            return False
        text = _join(msgspec.to_builtins(chunk.artifact.parts))
        if chunk.append:
            ahead.extend(text)
        else:
            self._artifacts[chunk.artifact.artifact_id] = _TextAhead(text, None)
        self._count(len(text))
        return True

    def _count(self, chars: int) -> None:
        """Count characters that the stream is still to bring. Sum them up rarely."""
        self._added += chars
        if self._added > MAX_AHEAD_CHARS:
            unread = sum(ahead.unread for ahead in self._artifacts.values())
            self.is_too_large = unread > MAX_AHEAD_CHARS
            self._added = 0

    def note(self, events: Iterable[Event], *, is_whole: bool, is_proof: bool) -> None:
        """Take note of what a Task has added while the stream was open.

        `is_whole`: the stream brings all of it. `is_proof`: the Task had all chunks
        that the stream has brought so far.
        """
        added: dict[str, str] = {}
        for event in events:
            if isinstance(event, ArtifactEvent):
                text = added.get(event.artifact_id, "") + _join(event.parts)
                added[event.artifact_id] = text
        for artifact_id, text in added.items():
            ahead = self._artifacts.get(artifact_id)
            if ahead is None:
                places = {0} if is_whole else None
                self._artifacts[artifact_id] = _TextAhead(text, places)
            else:
                ahead.extend(text)
        if is_proof:
            for artifact_id in self._artifacts.keys() - added.keys():
                self._artifacts[artifact_id].extend("")
                self._drop_if_passed(artifact_id)
        self._count(sum(map(len, added.values())))

    def pass_start(self) -> None:
        """Take note that the stream is past the Task that it began with."""
        for artifact_id, ahead in list(self._artifacts.items()):
            ahead.pass_start()
            self._drop_if_passed(artifact_id)

    def take(self, response: StreamResponse, *, is_in_task: bool = False) -> Repeat:
        """Take a chunk of the stream. `is_in_task`: the last Task had it."""
        chunk = response.artifact_update
        ahead = self._artifacts.get(chunk.artifact.artifact_id) if chunk else None
        if not chunk or not ahead:
            return Repeat.NO
        text = _join(msgspec.to_builtins(chunk.artifact.parts))
        if text and chunk.append:
            repeat = ahead.take(text, is_in_task)
        else:
            repeat = ahead.take_first(text)
        if repeat is Repeat.NO:
            del self._artifacts[chunk.artifact.artifact_id]
        else:
            self._drop_if_passed(chunk.artifact.artifact_id)
        return repeat

    def _drop_if_passed(self, artifact_id: str) -> None:
        if self._artifacts[artifact_id].is_passed:
            del self._artifacts[artifact_id]


class _TextAhead:
    """The text of one artifact, and the places in it where the stream may be.

    Equal chunks leave several places; None is any place. A chunk that may also be a
    new one is left out until a Task tells: `unproven` are those chunks.
    """

    def __init__(
        self, text: str, places: set[int] | None, *, known: int = 0, start: int = 0
    ) -> None:
        self._text = text  # Without the first `_offset` characters.
        self._offset = 0
        self._places = places
        self._known = known  # The limits of the record hold for these characters.
        self._start = start
        self.unproven = ""
        self._check_count = 0

    @property
    def is_unsure(self) -> bool:
        return bool(self.unproven)

    @property
    def is_passed(self) -> bool:
        return self._places == {self._end} and not self.unproven

    @property
    def _end(self) -> int:
        return self._offset + len(self._text)

    @property
    def unread(self) -> int:
        """The added characters that the stream is still to bring, at most."""
        return self._end - max(self._known, min(self._places or {0}))

    def extend(self, text: str) -> None:
        """Add what the feed has now. It begins with the unproven chunks, if new."""
        unproven, self.unproven = self.unproven, ""
        if unproven and self._places is not None:
            if text.startswith(unproven):
                self._places.add(self._end + len(unproven))
            elif text:
                # One of several chunks.
                self.unproven = unproven[len(text) :] * unproven.startswith(text)
        self._text += text

    def pass_start(self) -> None:
        if not self._start:
            return
        later = {place for place in self._places or () if place >= self._start}
        self._places = later or {self._start}

    def take_first(self, chunk: str) -> Repeat:
        """Take the first chunk of the artifact, or another artifact in its place."""
        is_possible = self._places is None or 0 in self._places
        if not (chunk and is_possible and self._text.startswith(chunk)):
            return Repeat.NO
        self._places, self.unproven = {len(chunk)}, ""
        return Repeat.YES

    def take(self, chunk: str, is_in_task: bool) -> Repeat:
        end = self._end
        starts = self._places
        if starts is None:
            starts = {end, *_find_all(self._text, chunk)}
        may_be_new = not is_in_task and (end in starts or bool(self.unproven))
        places = {
            place + len(chunk)
            for place in starts
            if self._text.startswith(chunk, place - self._offset)
        }
        if not places or (may_be_new and self._check_count == MAX_CHECKS):
            return Repeat.NO
        self._check_count += may_be_new
        self._places = places
        self.unproven = self.unproven + chunk if may_be_new else ""
        self._forget_passed(min(places) - self._offset)
        return Repeat.PERHAPS if may_be_new else Repeat.YES

    def _forget_passed(self, count: int) -> None:
        if count > len(self._text) // 2:
            self._text = self._text[count:]
            self._offset += count


def find_left_out(
    events: Iterable[Event], response: StreamResponse, left_out: str
) -> Iterator[Event]:
    """Yield what a Task has of the chunks that were left out, of all that it adds.

    The stream still brings the rest, in its place among the other updates. Without
    `left_out`, another stream had the chunks: yields all chunks.
    """
    for event in events:
        if not isinstance(event, ArtifactEvent):
            continue
        if not left_out:
            yield event
        elif event.append and event.artifact_id == _artifact_id(response):
            text = _join(event.parts)
            if text.startswith(left_out):
                yield replace(event, parts=_cut(event.parts, left_out))
            elif left_out.startswith(text):
                yield event


def _cut(parts: list[dict[str, Any]], text: str) -> list[dict[str, Any]]:
    """Return the parts up to the end of `text`, with which they begin."""
    for count in range(1, len(parts)):
        if len(_join(parts[:count])) >= len(text):
            parts = parts[:count]
            break
    *before, last = parts
    end = text.removeprefix(_join(before))
    return [*before, {**last, "text": end}] if "text" in last else parts


def _artifact_id(response: StreamResponse) -> str | None:
    chunk = response.artifact_update
    return chunk.artifact.artifact_id if chunk else None


def _join(parts: Sequence[dict[str, Any]]) -> str:
    """Return the parts as one text, in which all others are as JSON."""
    texts = (
        part["text"] if isinstance(part.get("text"), str) else f"\0{json.dumps(part)}\0"
        for part in parts
    )
    return "".join(texts)


def _texts(record: TaskRecord) -> Iterator[tuple[str, str]]:
    for artifact_id, artifact in record.artifacts.items():
        if text := artifact.end or _join(artifact.parts):
            yield artifact_id, text


def _find_all(text: str, part: str) -> set[int]:
    """Return the last places of `part` in `text`."""
    found: set[int] = set()
    start = text.rfind(part)
    while start >= 0 and len(found) < MAX_PLACES:
        found.add(start)
        start = text.rfind(part, 0, start + len(part) - 1)
    return found

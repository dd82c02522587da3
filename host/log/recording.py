"""Recordings: a feed saved as NDJSON, checked and read as entries for a log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec import Struct

from ..errors import CourtsideError
from ..model.event import decode
from .contract import Entry, source_of


class RecordingError(CourtsideError):
    """The file is not a recording."""


class Recording(NamedTuple):
    """`first` is the id for the first event: its own id if no event is missing."""

    path: Path
    size: int
    first: int
    keeps_ids: bool


class _Id(Struct):
    id: int


_id: msgspec.json.Decoder[_Id] = msgspec.json.Decoder(_Id)


def inspect_recording(path: Path) -> Recording:
    """Read the whole file. Raises RecordingError with the number of the bad line."""
    first = last = count = 0
    for number, event_id, _ in _lines(path):
        if event_id <= last:
            raise RecordingError(
                f"{path}, line {number}: event {event_id} comes after {last}; "
                "the events of a recording must be unique and in order"
            )
        first, last, count = first or event_id, event_id, count + 1
    if not count:
        raise RecordingError(f"{path}: has no events")
    whole = last - first + 1 == count
    return Recording(path, count, first if whole else 1, whole)


def entries(recording: Recording) -> Iterator[Entry]:
    """Yield the events as entries, numbered per source like the host does.

    The A2A updates behind the events are not in the file.
    """
    versions: Counter[str] = Counter()
    for _, _, line in _lines(recording.path):
        event = decode(line)
        source = source_of(event)
        versions[source] += 1
        yield Entry.of(source, versions[source], event)


def _lines(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """Yield line number, event id and text of each line that is not empty."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, _check_line(line, f"{path}, line {number}"), line
    except OSError as error:
        raise RecordingError(f"{path}: cannot be read: {error.strerror}") from error


def _check_line(line: bytes, where: str) -> int:
    try:
        decode(line)
        event_id = _id.decode(line).id
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RecordingError(f"{where} is not a feed event: {error}") from None
    if not 0 < event_id < 2**63:
        raise RecordingError(f"{where}: {event_id} is not a valid event id")
    return event_id

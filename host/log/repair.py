"""Writes a repaired copy of a damaged log.

The copy has the same ids and the same epoch, so cursors stay valid. A lost event
becomes a gap of its task.
"""

from __future__ import annotations

import secrets
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from ..errors import CourtsideError
from ..model.event import Event, GapEvent, MessageEvent, encode
from ..model.filter import Place
from ..model.timestamps import format_timestamp
from .checksums import check_event, check_place
from .contract import place_of, source_of
from .damaged_file import DamagedFile, Found
from .sqlite_file import connect, lock, transaction, wal_of
from .sqlite_schema import EVENTS, create, insert_sources, save_checkpoint

HOST = "host"
NOWHERE = (None, None, None, "")


class RepairFailed(CourtsideError):
    """The log cannot be repaired."""


class Lost(NamedTuple):
    """An event that cannot be read. `agent` and `task` are None if unknown."""

    id: int
    agent: str | None
    task: str | None
    context: str | None
    version: int
    at: float


class Report(NamedTuple):
    """What `repair` did.

    `lost` events became gaps. Those `without_raw` lost only their A2A update.
    """

    events: int
    lost: list[int]
    without_raw: list[int]
    has_board: bool
    has_epoch: bool


def repair(path: Path, output: Path) -> Report:
    """Write a repaired copy of the log at `path` to the new file `output`.

    Raises RepairFailed, LogError if a host has the log open, and OSError.
    """
    if not path.is_file():
        raise RepairFailed(f"{path} does not exist: name the feed.db to repair")
    with closing(lock(path)), tempfile.TemporaryDirectory(dir=output.parent) as folder:
        copy = Path(folder) / "copy.db"
        shutil.copyfile(path, copy)
        if wal_of(path).exists():
            shutil.copyfile(wal_of(path), wal_of(copy))
        draft = Path(folder) / "repaired.db"
        try:
            with closing(connect(copy)) as db:
                report = _Repair(DamagedFile(db)).write(draft)
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise RepairFailed(
                f"{path} cannot be repaired: {error}; restore a backup, or choose "
                "another --data-dir"
            ) from error
        draft.rename(output)
    return report


class _Repair:
    """Copies what can be read, then adds an event for each lost one."""

    def __init__(self, file: DamagedFile) -> None:
        self._file = file
        self._lost: dict[int, Lost] = {}
        self._newest: dict[str, Found] = {}  # The last numbered event of each source.
        self._without_raw: list[int] = []
        self._places: dict[Place, int] = {}

    def write(self, draft: Path) -> Report:
        epoch, first, last = self._file.bounds()
        checkpoint = self._file.checkpoint()
        create(draft, first)
        with closing(connect(draft)) as self._db, transaction(self._db):
            self._copy_events(first, last)
            self._copy_sources()
            for lost in self._lost.values():
                self._add_lost(lost)
            if checkpoint:
                save_checkpoint(self._db, *checkpoint)
            bounds = (epoch or secrets.token_hex(4), first, last)
            self._db.execute("UPDATE bounds SET epoch = ?, first = ?, last = ?", bounds)
        return Report(
            events=last - first + 1 - len(self._lost),
            lost=sorted(self._lost),
            without_raw=self._without_raw,
            has_board=checkpoint is not None,
            has_epoch=epoch is not None,
        )

    def _copy_events(self, first: int, last: int) -> None:
        expected, at = first, 0.0
        for row in self._file.events(first, last):
            self._add_missing(range(expected, row.id), at)
            expected, at = row.id + 1, row.at or at
            if row.event is None:
                agent, task, context, _ = row.place or NOWHERE
                self._lost[row.id] = Lost(row.id, agent, task, context, 0, at)
                continue
            self._insert(row.id, row.version, at, row.event, row.raw, body=row.body)
            if row.raw_is_lost:
                self._without_raw.append(row.id)
            if row.version:
                source = source_of(row.event)
                self._find_lost(source, row.version)
                self._newest[source] = row
        self._add_missing(range(expected, last + 1), at)

    def _add_missing(self, ids: Iterable[int], at: float) -> None:
        for event_id in ids:
            self._lost[event_id] = Lost(event_id, None, None, None, 0, at)

    def _find_lost(self, source: str, version: int) -> None:
        """Find the lost events of a source before `version`: they are numbered.

        An event whose place is unreadable may belong to any source.
        """
        newest = self._newest.get(source)
        if newest is None or newest.place is None or version == newest.version + 1:
            return
        agent, task, context, _ = newest.place
        own = [one for one in self._lost.values() if not one.version > 0]
        own = [one for one in own if one.id > newest.id]
        known = [one for one in own if (one.agent, one.task) == (agent, task)]
        unknown = [one for one in own if one.agent is None]
        count = version - newest.version - 1
        chosen = sorted((known + unknown)[:count])
        for number, one in enumerate(chosen, newest.version + 1):
            self._lost[one.id] = Lost(one.id, agent, task, context, number, one.at)

    def _copy_sources(self) -> None:
        sources = self._file.sources()
        for source, version in sources.items():
            self._find_lost(source, version + 1)
        for source, row in self._newest.items():
            sources[source] = max(row.version, sources.get(source, 0))
        insert_sources(self._db, sources)

    def _add_lost(self, lost: Lost) -> None:
        event = _event_instead(lost)
        self._insert(lost.id, lost.version, lost.at, event, None, body=encode(event))

    def _insert(
        self,
        event_id: int,
        version: int,
        at: float,
        event: Event,
        raw: bytes | None,
        *,
        body: bytes,
    ) -> None:
        place = place_of(event)
        if place not in self._places:
            number = self._places[place] = len(self._places) + 1
            row = (number, *place, check_place(number, place))
            self._db.execute("INSERT INTO place VALUES (?, ?, ?, ?, ?, ?)", row)
        place_id = self._places[place]
        crc = check_event(event_id, place_id, version, body, raw)
        EVENTS.run(self._db, [event_id, place_id, version, at, crc, body, raw])


def _event_instead(lost: Lost) -> Event:
    message = f"event {lost.id} was damaged in the log, and is lost"
    received_at = format_timestamp(lost.at)
    if lost.agent is None or lost.task is None:
        return MessageEvent(
            agent=lost.agent or HOST,
            context_id=lost.context,
            message_id=None,
            message=message,
            received_at=received_at,
        )
    return GapEvent(
        agent=lost.agent,
        task_id=lost.task,
        context_id=lost.context,
        message=message,
        missing=1,
        received_at=received_at,
    )

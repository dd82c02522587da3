"""The log in one SQLite file: WAL, synchronous=FULL, one writer thread.

`append` stores events and the last version of each source in one transaction. Reads use
their own connection and thread.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from ..errors import LogDamaged, LogError
from ..model.filter import ALL, Filter, Place
from .checksums import (
    check_event,
    check_place,
    is_source_intact,
)
from .contract import MAX_ROW_BYTES, Bounds, Entry, Row, refuse_size
from .file_watch import FileWatch
from .private_files import prepare_folder
from .sqlite_file import (
    STORE_ERRORS,
    check,
    connect,
    lock,
    restrict,
    to_log_error,
    transaction,
)
from .sqlite_reader import MAX_CACHED, SqliteReader
from .sqlite_schema import (
    EVENTS,
    create,
    describe_source,
    insert_sources,
    prepare,
    save_checkpoint,
)
from .trimming import delete_before, find_first, used_bytes
from .wal_checkpoint import WalCheckpointer

T = TypeVar("T")

STATEMENT_BYTES = 1024 * 1024  # SQLite copies the values of a statement.
ROW_BYTES = 1024  # An estimate, for rows that are deleted unread.


class SqliteLog:
    """A `Log` in the file at `path`.

    Raises LogError if another process has it open, if it is not a log of Courtside, or
    if a newer Courtside wrote it.
    """

    def __init__(self, path: Path, first: int = 1) -> None:
        """Open the log, or create it with `first` as the id of its first event."""
        self._path = path
        self._last_place = 0
        self._writing = ThreadPoolExecutor(1, "log-writer")
        self._reading = ThreadPoolExecutor(1, "log-reader")
        with ExitStack() as opened:
            try:
                prepare_folder(path.parent)
                opened.callback(lock(path).close)
                if not check(path):
                    create(path, first)
                restrict(path)
                self._writer = connect(path)
                opened.callback(self._writer.close)
                prepare(self._writer)
                self._checkpointer = WalCheckpointer(path, self._writer)
                opened.callback(self._checkpointer.close)
                self._reader = SqliteReader(path)
                opened.callback(self._reader.close)
                self._reader.check_tables()
                self._load()
                self._watch = FileWatch(path)
            except STORE_ERRORS as error:
                raise to_log_error(path, error, "cannot be opened: ") from error
            except LogError as error:
                raise type(error)(f"{path}: {error}") from error
            self._opened = opened.pop_all()

    def _load(self) -> None:
        """Load the counters from the file: at the start, and after a failure."""
        bounds = self._writer.execute(
            "SELECT epoch, first, max(last, coalesce((SELECT max(id) FROM event), 0)) "
            "FROM bounds"
        )
        self._epoch, self._first, self._last = bounds.fetchone()
        newest = self._writer.execute("SELECT coalesce(max(id), 0) FROM place")
        # Readers keep the places that they have seen, so no id is used twice.
        self._last_place = max(self._last_place, newest.fetchone()[0])
        self._versions: dict[str, int] = {}
        self._place_id = lru_cache(MAX_CACHED)(self._find_or_add_place)
        self._in_doubt = False

    async def _run(self, thread: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(thread, work)
        except STORE_ERRORS as error:
            raise to_log_error(self._path, error) from error

    async def append(self, entries: Sequence[Entry]) -> list[int | None]:
        return await self._run(self._writing, lambda: self._append(entries))

    def _append(self, entries: Sequence[Entry]) -> list[int | None]:
        self._watch.check()
        if self._in_doubt:
            self._load()
        ids: list[int | None] = []
        now = time.time()
        last = self._last
        events: list[Any] = []
        size = total = 0
        versions: dict[str, int] = {}
        self._in_doubt = True
        with transaction(self._writer) as db:
            for entry in entries:
                source, version = entry.source, entry.version
                if version <= (versions.get(source) or self._version(source)):
                    ids.append(None)
                    continue
                last += 1
                versions[source] = version
                place = self._place_id(entry.place)
                number, body, raw = entry.number, entry.body, entry.raw
                crc = check_event(last, place, number, body, raw)
                # sqlite3 looks for an adapter of bytes in vain, which takes 0.8 µs.
                blobs = bytearray(body), raw and bytearray(raw)
                events += (last, place, number, now, crc, *blobs)
                ids.append(last)
                if entry.size > MAX_ROW_BYTES:
                    raise refuse_size(entry)
                size += entry.size
                if size > STATEMENT_BYTES:
                    EVENTS.run(db, events)
                    total += size
                    events, size = [], 0
            EVENTS.run(db, events)
            insert_sources(db, versions)
        self._last = last
        self._versions.update(versions)
        self._in_doubt = False
        self._checkpointer.note_commit(total + size)
        return ids

    def _version(self, source: str) -> int:
        known = self._versions.get(source)
        if known is None:
            if len(self._versions) > MAX_CACHED:
                self._versions.clear()
            found = self._writer.execute(
                "SELECT version, crc FROM source WHERE name = ?", (source,)
            ).fetchone()
            version, crc = found or (0, None)
            if found and not is_source_intact(source, version, crc):
                raise LogDamaged(f"{self._path}: {describe_source(source)}")
            known = self._versions[source] = int(version)
        return known

    def _find_or_add_place(self, place: Place) -> int:
        """Return the id of a place. Adds a new one in the append's transaction."""
        # Many places have no context, or no task: an index would find them all.
        task, context = ("task", "+context") if place.task else ("+task", "context")
        found = self._writer.execute(
            f"SELECT id FROM place WHERE agent = ? AND {task} IS ? "  # noqa: S608
            f"AND {context} IS ? AND kind = ?",
            place,
        ).fetchone()
        if found:
            return int(found[0])
        self._last_place += 1
        new = self._last_place
        self._writer.execute(
            "INSERT INTO place VALUES (?, ?, ?, ?, ?, ?)",
            (new, *place, check_place(new, place)),
        )
        return new

    async def read(self, after: int, limit: int, where: Filter = ALL) -> list[Row]:
        last = self._last
        rows = await self._read(lambda reader: reader.read(after, limit, where))
        if where == ALL and limit:
            # `_first` is at most too large: a trim sets it before it deletes.
            due, found = max(after + 1, self._first), rows[0].id if rows else last + 1
            if found > due:
                raise self._reader.report_damage(due)
        return rows

    async def tail(self, before: int, limit: int, where: Filter = ALL) -> list[Row]:
        last = self._last
        rows = await self._read(lambda reader: reader.tail(before, limit, where))
        if where == ALL and limit:
            due, found = min(before - 1, last), rows[-1].id if rows else self._first - 1
            if found < due:
                raise self._reader.report_damage(due)
        return rows

    async def latest(self, after: int, where: Filter) -> list[Row]:
        return await self._read(lambda reader: reader.latest(after, where))

    async def raw(self, event_id: int) -> bytes | None:
        try:
            return await self._read(lambda reader: reader.raw(event_id))
        except KeyError:
            if self._first <= event_id <= self._last:
                raise self._reader.report_damage(event_id) from None
            return None

    async def _read(self, work: Callable[[SqliteReader], T]) -> T:
        return await self._run(self._reading, lambda: work(self._reader))

    async def bounds(self) -> Bounds:
        return Bounds(self._epoch, self._first, self._last)

    async def high_water(self, source: str) -> int:
        def version() -> int:
            if self._in_doubt:
                self._load()
            return self._version(source)

        return await self._run(self._writing, version)

    async def save_checkpoint(self, event_id: int, board: bytes) -> None:
        def save() -> None:
            with transaction(self._writer) as db:
                save_checkpoint(db, event_id, board)
            self._checkpointer.note_commit(len(board))

        await self._run(self._writing, save)

    async def checkpoint(self) -> tuple[int, bytes] | None:
        return await self._read(lambda reader: reader.checkpoint())

    async def size(self) -> int:
        return await self._run(self._writing, lambda: used_bytes(self._writer))

    async def trim(
        self,
        keep_count: int,
        max_age_s: float | None,
        max_bytes: int | None = None,
    ) -> int:
        return await self._run(
            self._writing, lambda: self._trim(keep_count, max_age_s, max_bytes)
        )

    def _trim(
        self, keep_count: int, max_age_s: float | None, max_bytes: int | None
    ) -> int:
        if self._in_doubt:
            self._load()
        before: int = self._first
        first = find_first(
            self._writer,
            before,
            self._last,
            keep_count=keep_count,
            max_age_s=max_age_s,
            max_bytes=max_bytes,
        )
        if first > before:
            self._in_doubt = True
            self._first = first  # Before the events are gone: `read` finds a hole.
            with transaction(self._writer) as db:
                if delete_before(db, first, self._last):
                    self._place_id.cache_clear()
            self._in_doubt = False
            self._checkpointer.note_commit((first - before) * ROW_BYTES)
        return first - before

    async def verify(self) -> None:
        await self._run(self._writing, self._watch.check)

    async def close(self) -> None:
        self._writing.shutdown()
        self._reading.shutdown()
        self._opened.close()

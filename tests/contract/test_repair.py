"""Tests of `courtside repair` on real log files: it works on a copy."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import anyio
import pytest
from click.testing import CliRunner, Result

from host.cli.main import courtside
from host.feed.feed import Feed
from host.log.contract import Row
from host.log.sqlite_file import wal_of
from host.log.sqlite_log import SqliteLog
from host.model.event import GapEvent, MessageEvent, decode
from tests.contract.entries import batch, entry, entry_of_notice, everything, rows
from tests.support.damage import delete_events, flip_bit

CARLY, WALTER = batch(9), batch(9, source="walter/t2")
ENTRIES = [one for pair in zip(CARLY, WALTER, strict=True) for one in pair]
RAWS = [entry(n, "logan/t3", raw=b'{"n":%d}' % n) for n in (1, 2)]
ALL_ENTRIES = [*ENTRIES, *RAWS, entry_of_notice(1), entry(1, "logan")]
PAGE = 4096
OLD_LOGS = Path(__file__).parent / "logs"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A log whose first two events were trimmed: it has 3 to 22."""
    path = tmp_path / "data" / "feed.db"
    anyio.run(_write, path)
    return path


async def _write(path: Path) -> None:
    log = SqliteLog(path)
    await log.append(ALL_ENTRIES)
    feed = Feed(log)
    await feed.open()
    await feed.checkpoint()
    await log.trim(20, None)
    await log.close()


def run_repair(path: Path, *more: str) -> Result:
    return CliRunner().invoke(courtside, ["repair", str(path), *more])


def repair(path: Path) -> str:
    """Repair a log, and expect that it stays unchanged. Return the output."""
    before = {file: file.read_bytes() for file in (path, wal_of(path)) if file.exists()}
    result = run_repair(path)
    assert result.exit_code == 0, (result.output, result.exception)
    for file, content in before.items():
        assert file.read_bytes() == content
    assert sorted(
        file.name for file in path.parent.iterdir() if file not in before
    ) == [
        "feed.db.lock",
        "feed.repaired.db",
    ]
    return result.output


def read_repaired(path: Path) -> list[Row]:
    """Open the copy as a host does, and read it all, with its A2A updates."""
    return anyio.run(_read, path.with_name("feed.repaired.db"))


async def _read(path: Path) -> list[Row]:
    log = SqliteLog(path)
    try:
        feed = Feed(log)
        await feed.open()
        assert feed.fault is None
        found = await everything(log)
        for row in found:
            await log.raw(row.id)
        return found
    finally:
        await log.close()


def test_undamaged_log_is_copied_whole(path: Path) -> None:
    output = repair(path)

    assert "20 events copied" in output
    assert "gaps" not in output
    kept = rows(*ALL_ENTRIES)[2:]
    kept[18] = Row(21, kept[18].place, kept[18].body, 0)
    assert read_repaired(path) == kept


@pytest.mark.parametrize("column", ["body", "crc", "version", "place"])
def test_damaged_event_becomes_a_gap_with_its_id_and_version(
    path: Path, column: str
) -> None:
    flip_bit(path, "event", column, "id = 9")

    assert "1 damaged or missing events are gaps now: 9\n" in repair(path)

    found = read_repaired(path)
    gap = decode(found[6].body)
    assert isinstance(gap, GapEvent)
    assert (gap.agent, gap.task_id, gap.context_id) == ("carly", "t1", "c1")
    assert (found[6].id, found[6].version) == (9, 5)
    others = [row for row in found if row.id not in (9, 21)]
    assert others == [r for r in rows(*ALL_ENTRIES)[2:] if r.id not in (9, 21)]


def test_missing_events_become_gaps_of_the_tasks_whose_versions_are_missing(
    path: Path,
) -> None:
    delete_events(path, "id IN (9, 10, 18)")

    assert "3 damaged or missing events are gaps now: 9, 10, 18" in repair(path)

    found = {row.id: row for row in read_repaired(path)}
    gaps = {(found[at].place.agent, found[at].version) for at in (9, 10, 18)}
    assert gaps == {("carly", 5), ("walter", 5), ("walter", 9)}
    assert {found[at].place.kind for at in (9, 10, 18)} == {"gap"}
    assert list(found) == list(range(3, 23))


def test_bounds_that_are_far_off_are_not_believed(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE bounds SET first = -1099511627776, last = 1099511627776")
        db.commit()

    assert "20 events copied" in repair(path)


def test_event_of_an_unknown_task_becomes_a_message_of_the_host(path: Path) -> None:
    delete_events(path, "id = 22")
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE bounds SET last = 22")
        db.execute("DELETE FROM source WHERE name = 'logan'")
        db.commit()

    repair(path)

    message = decode(read_repaired(path)[-1].body)
    assert isinstance(message, MessageEvent)
    assert message.agent == "host"
    assert "event 22 was damaged" in message.message


def test_damaged_update_is_left_out_of_its_event(path: Path) -> None:
    flip_bit(path, "event", "raw", "id = 19", at=3)

    output = repair(path)

    assert "1 events lost only the A2A update" in output
    assert len(read_repaired(path)) == 20


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("place", "agent"),
        ("place", "crc"),
        ("source", "version"),
        ("checkpoint", "board"),
        ("bounds", "first"),
        ("bounds", "last"),
    ],
)
def test_damaged_table_is_rebuilt_from_the_events(
    path: Path, table: str, column: str
) -> None:
    flip_bit(path, table, column)

    repair(path)

    # With damaged bounds, the copy may have a gap before or after the events.
    kept = [row for row in read_repaired(path) if 3 <= row.id <= 22]
    assert [row.body for row in kept] == [one.body for one in ALL_ENTRIES[2:]]


def test_damaged_pages_lose_only_their_events(tmp_path: Path) -> None:
    path = tmp_path / "data" / "feed.db"
    anyio.run(_write_many, path)
    with path.open("r+b") as file:
        for page in (20, 31, 32):
            file.seek(page * PAGE)
            file.write(b"\xff" * PAGE)

    assert "are gaps now" in repair(path)

    found = read_repaired(path)
    assert [row.id for row in found] == list(range(1, 1_001))
    whole = rows(*batch(1_000))
    intact = sum(row == before for row, before in zip(found, whole, strict=True))
    assert 900 < intact < 1_000
    assert [row.version for row in found] == list(range(1, 1_001))
    assert {row.place.agent for row in found} == {"carly"}


async def _write_many(path: Path) -> None:
    log = SqliteLog(path)
    await log.append(batch(1_000))
    await log.close()


def test_events_in_the_wal_of_a_killed_host_are_kept(path: Path) -> None:
    living = path.parent.parent / "living"

    async def append() -> None:
        shutil.copytree(path.parent, living)
        log = SqliteLog(living / path.name)
        await log.append(batch(1, first=10))
        for file in (path, wal_of(path)):
            shutil.copy(living / file.name, file)
        await log.close()

    anyio.run(append)

    assert "21 events copied" in repair(path)
    assert read_repaired(path)[-1].version == 10


@pytest.mark.parametrize("schema", [1, 2, 3])
def test_old_log_is_repaired_into_the_newest_format(
    tmp_path: Path, schema: int
) -> None:
    path = tmp_path / "feed.db"
    shutil.copy(OLD_LOGS / f"schema-{schema}.db", path)
    flip_bit(path, "event", "body", "id = 4", at=0)
    before = path.read_bytes()

    result = run_repair(path)

    assert "are gaps now: 4\n" in result.output
    assert path.read_bytes() == before
    found = read_repaired(path)
    assert [row.id for row in found] == [2, 3, 4, 5, 6]
    assert decode(found[2].body).agent == "logan"


class TestRefusal:
    def test_while_a_host_has_the_log_open(self, path: Path) -> None:
        log = SqliteLog(path)
        result = run_repair(path)
        anyio.run(log.close)

        assert "another Courtside has this log open" in str(result.exception)
        assert not path.with_name("feed.repaired.db").exists()

    def test_of_a_file_that_is_no_database(self, tmp_path: Path) -> None:
        path = tmp_path / "feed.db"
        path.write_bytes(b"Dear diary" * 1_000)

        assert "cannot be repaired" in str(run_repair(path).exception)
        assert path.read_bytes() == b"Dear diary" * 1_000

    def test_of_an_empty_or_missing_file(self, tmp_path: Path) -> None:
        path = tmp_path / "feed.db"
        assert "does not exist" in str(run_repair(path).exception)
        path.touch()
        assert "no event can be read" in str(run_repair(path).exception)

    def test_to_overwrite_a_file(self, path: Path) -> None:
        assert "already exists" in str(run_repair(path, "-o", str(path)).exception)

"""Random damage to a real log file: events are served right, or LogDamaged is raised.

The damage is flipped bits, overwritten ranges and cut-off ends, in the file or its WAL.
"""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import anyio
import pytest

from host.errors import CourtsideError, LogError
from host.feed.feed import Feed
from host.log.repair import repair
from host.log.sqlite_file import wal_of
from host.log.sqlite_log import SqliteLog
from host.model.event import decode
from host.model.filter import ALL
from tests.contract.entries import batch, entry

ROUNDS = 25
SEEDS = (101, 102, 103)
LAST = 600
RAW = b'{"text":"%b"}' % (b"z" * 400)
ENTRIES = [entry(n, f"carly/t{n % 7}", raw=RAW) for n in range(1, LAST + 1)]
BODIES = {n: one.body for n, one in enumerate(ENTRIES, 1)}


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log with a third of its events in the WAL, as after a kill."""
    folder = tmp_path_factory.mktemp("original")
    anyio.run(_write, folder)
    return folder / "feed.db"


async def _write(folder: Path) -> None:
    log = SqliteLog(folder / "living.db")
    await log.append(ENTRIES[:400])
    feed = Feed(log)
    await feed.open()
    await feed.checkpoint()
    await log.close()
    log = SqliteLog(folder / "living.db")
    await log.append(ENTRIES[400:])
    for suffix in ("", "-wal"):
        shutil.copy(folder / f"living.db{suffix}", folder / f"feed.db{suffix}")
    await log.close()


def damage(path: Path, dice: random.Random) -> str:
    """Damage the file. Return what was done."""
    size = path.stat().st_size
    kind = dice.choice(("flip", "flip", "flip", "overwrite", "cut"))
    content = bytearray(path.read_bytes())
    if kind == "cut":
        content = content[: dice.randrange(size)]
    elif kind == "overwrite":
        start, length = dice.randrange(size), dice.choice((1, 16, 512, 4096))
        content[start : start + length] = dice.randbytes(length)[: size - start]
    else:
        for _ in range(dice.choice((1, 1, 2, 20))):
            content[dice.randrange(size)] ^= 1 << dice.randrange(8)
    path.write_bytes(content)
    return f"{kind} in {path.name}"


async def check_log(path: Path) -> bool:
    """Use the log as a host does. Return whether it could be opened."""
    try:
        log = SqliteLog(path)
    except LogError:
        return False
    try:
        feed = Feed(log)
        await feed.open()
        await _read_all(feed)
        await log.append(batch(3, source="walter/new"))
        await feed.checkpoint()
    except LogError:
        pass
    finally:
        await log.close()
    return True


async def _read_all(feed: Feed) -> None:
    after, last = 0, feed.head
    while after < last:
        try:
            found = await feed.history(after, None, 50, ALL)
        except LogError:
            after += 1
            continue
        assert [row.id for row in found] == list(
            range(after + 1, after + 1 + len(found))
        )
        assert found
        for row in found:
            assert row.body == BODIES[row.id]
            assert row.place == ENTRIES[row.id - 1].place
            assert row.version == ENTRIES[row.id - 1].number
            try:
                assert await feed.raw(row.id) == RAW
            except LogError:
                continue
        after = found[-1].id


@pytest.mark.parametrize("seed", SEEDS)
def test_damage_is_never_served_and_never_a_traceback(
    original: Path, tmp_path: Path, seed: int
) -> None:
    dice = random.Random(seed)  # noqa: S311
    opened = 0
    for number in range(ROUNDS):
        folder = tmp_path / str(number)
        folder.mkdir()
        path = folder / "feed.db"
        for suffix in ("", "-wal"):
            shutil.copy(f"{original}{suffix}", f"{path}{suffix}")
        damaged = wal_of(path) if dice.random() < 0.2 else path
        done = damage(damaged, dice)
        try:
            check_repair(path)
            opened += anyio.run(check_log, path)
        except Exception as error:
            raise AssertionError(f"seed {seed}, round {number}: {done}") from error
        shutil.rmtree(folder)
    assert opened > ROUNDS / 4


def check_repair(path: Path) -> None:
    """Repair a copy of the log. What it has from the events must be right."""
    output = path.with_name("repaired.db")
    try:
        repair(path, output)
    except CourtsideError:
        return
    anyio.run(_check_repaired, output)


async def _check_repaired(path: Path) -> None:
    log = SqliteLog(path)
    feed = Feed(log)
    await feed.open()
    try:
        right = lost = 0
        for row in await log.read(0, 2 * LAST):
            if row.body == BODIES.get(row.id):
                right += 1
            else:
                lost += 1
                assert getattr(decode(row.body), "message", "").endswith("is lost")
        assert feed.fault is None
        assert right or lost
    finally:
        await log.close()

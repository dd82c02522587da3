"""Tests of the feed on a log that fails, and on a checkpoint that it cannot read.

The log is in memory. test_storage_faults.py tests faults of a real disk.
"""

from __future__ import annotations

import anyio
import pytest

from host.errors import LogDamaged, LogError
from host.feed.feed import Feed
from host.log.contract import Row
from host.log.memory_log import MemoryLog
from host.model.filter import ALL, Filter
from tests.contract.entries import batch, entry


class UnreadableLog(MemoryLog):
    """Raises `error` on each read, unless it is None."""

    error: LogError | None = None

    async def read(self, after: int, limit: int, where: Filter = ALL) -> list[Row]:
        if self.error:
            raise self.error
        return await super().read(after, limit, where)


async def open_feed(log: MemoryLog) -> Feed:
    feed = Feed(log)
    await feed.open()
    return feed


@pytest.mark.parametrize(
    ("error", "after"),
    [(LogError("disk I/O error"), None), (LogDamaged("malformed"), "malformed")],
)
async def test_read_error_is_a_fault_and_damage_stays_a_fault(
    error: LogError, after: str | None
) -> None:
    log = UnreadableLog()
    feed = await open_feed(log)
    log.error = error

    with pytest.raises(LogError):
        await feed.history(0, None, 9, ALL)
    assert feed.fault == str(error)
    assert str(error).encode() in feed.fault_frame()

    log.error = None
    await feed.history(0, None, 9, ALL)
    assert feed.fault == after


@pytest.mark.parametrize("board", [b"no JSON", b'{"agents": 7}', b"\xff"])
async def test_unreadable_board_is_rebuilt_from_the_events(
    board: bytes,
) -> None:
    log = MemoryLog()
    await log.append([*batch(3), entry(1, "walter")])
    await log.save_checkpoint(2, board)

    feed = await open_feed(log)

    task = feed.board.task("carly", "t1")
    assert task
    assert task.message == "update 3"
    assert list(feed.board.agents) == ["walter"]


async def test_committed_version_waits_for_submitted_events() -> None:
    feed = await open_feed(MemoryLog())
    feed.submit(batch(2))
    with anyio.move_on_after(0.02) as patience:
        await feed.committed_version("carly/t1")
    assert patience.cancelled_caught
    assert await feed.committed_version("walter/t9") == 0

    async with anyio.create_task_group() as group:
        group.start_soon(feed.write)
        assert await feed.committed_version("carly/t1") == 2
        feed.close()

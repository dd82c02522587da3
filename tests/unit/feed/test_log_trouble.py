"""What the feed says of a log that fails it, and does without a board it can read.

A real feed on a memory log that fails as it is told to; the disk's own faults are tried
in test_storage_faults.py.
"""

from __future__ import annotations

import anyio
import pytest

from host.errors import LogDamaged, LogError
from host.feed.feed import Feed
from host.log.contract import Row
from host.log.memory import MemoryLog
from host.model.filter import ALL, Filter
from tests.contract.entries import batch, entry


class Unreadable(MemoryLog):
    """Raises `error` at each read, while there is one."""

    error: LogError | None = None

    async def read(self, after: int, limit: int, where: Filter = ALL) -> list[Row]:
        if self.error:
            raise self.error
        return await super().read(after, limit, where)


async def opened(log: MemoryLog) -> Feed:
    feed = Feed(log)
    await feed.open()
    return feed


@pytest.mark.parametrize(
    ("error", "after"),
    [(LogError("disk I/O error"), None), (LogDamaged("malformed"), "malformed")],
)
async def test_a_log_that_cannot_be_read_says_so_and_one_that_is_damaged_goes_on(
    error: LogError, after: str | None
) -> None:
    log = Unreadable()
    feed = await opened(log)
    log.error = error

    with pytest.raises(LogError):
        await feed.history(0, None, 9, ALL)
    assert feed.fault == str(error)
    assert str(error).encode() in feed.fault_frame()

    log.error = None
    await feed.history(0, None, 9, ALL)
    assert feed.fault == after


@pytest.mark.parametrize("board", [b"no JSON", b'{"agents": 7}', b"\xff"])
async def test_a_board_that_cannot_be_read_is_made_anew_from_the_events(
    board: bytes,
) -> None:
    log = MemoryLog()
    await log.append([*batch(3), entry(1, "walter")])
    await log.save_checkpoint(2, board)

    feed = await opened(log)

    task = feed.board.task("carly", "t1")
    assert task
    assert task.message == "update 3"
    assert list(feed.board.agents) == ["walter"]


async def test_what_is_given_of_a_source_is_settled_when_it_is_in_the_log() -> None:
    feed = await opened(MemoryLog())
    feed.submit(batch(2))
    with anyio.move_on_after(0.02) as patience:
        await feed.committed_version("carly/t1")
    assert patience.cancelled_caught
    assert await feed.committed_version("walter/t9") == 0

    async with anyio.create_task_group() as group:
        group.start_soon(feed.write)
        assert await feed.committed_version("carly/t1") == 2
        feed.close()

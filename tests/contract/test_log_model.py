"""Property tests of the logs: random appends, trims, reads and restarts, compared
with a model in memory.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from host.log.contract import Entry, Log, Row
from host.log.memory_log import MemoryLog
from host.log.sqlite_log import SqliteLog
from host.model.filter import ALL, Filter
from tests.contract.entries import entry, everything, message, row
from tests.support.harness import THOROUGH

T = TypeVar("T")

some = st.frozensets
filters = st.just(ALL) | st.builds(
    Filter,
    agent=some(st.sampled_from(["carly", "walter"]), max_size=1),
    task=some(st.sampled_from(["t1", "t2"]), max_size=2),
    context=some(st.sampled_from(["c1", "c2"]), max_size=1),
    kind=some(st.sampled_from(["task", "agent", "message"]), max_size=2),
)
contexts = st.sampled_from([None, "c1", "c2"])
sources = st.sampled_from(["carly", "carly/t1", "carly/t2", "walter/t1"])
raws = st.none() | st.binary(max_size=3)
batches = st.lists(
    st.builds(entry, st.integers(1, 9), sources, context=contexts, raw=raws)
    | st.builds(message, st.integers(1, 9), contexts),
    max_size=6,
)
numbers = st.integers(0, 30)


class LogMachine(RuleBasedStateMachine):
    """A log and its model: kept events by id, versions by source, the next id."""

    durable = False

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_800_000_000.0
        self.clock = mock.patch.object(time, "time", lambda: self.now)
        self.clock.start()
        self.loop = asyncio.new_event_loop()
        self.log = self.open()
        self.epoch = self.run(self.log.bounds()).epoch
        self.kept: dict[int, tuple[Entry, float]] = {}
        self.versions: dict[str, int] = {}
        self.last = 0
        self.board: tuple[int, bytes] | None = None

    def open(self) -> Log:
        return MemoryLog()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(coroutine)

    def rows(self, where: Filter = ALL) -> list[Row]:
        rows = [row(event_id, of) for event_id, (of, _) in self.kept.items()]
        return [kept for kept in rows if where.matches(kept.place)]

    def teardown(self) -> None:
        self.run(self.log.close())
        self.loop.close()
        self.clock.stop()

    @rule(entries=batches)
    def append(self, entries: list[Entry]) -> None:
        expected: list[int | None] = []
        for of in entries:
            if of.version <= self.versions.get(of.source, 0):
                expected.append(None)
                continue
            self.versions[of.source] = of.version
            self.last += 1
            self.kept[self.last] = (of, self.now)
            expected.append(self.last)
        assert self.run(self.log.append(entries)) == expected

    @rule(after=numbers, limit=st.integers(0, 5), where=filters)
    def read(self, after: int, limit: int, where: Filter) -> None:
        expected = [kept for kept in self.rows(where) if kept.id > after][:limit]
        assert self.run(self.log.read(after, limit, where)) == expected

    @rule(before=numbers, limit=st.integers(1, 5), where=filters)
    def tail(self, before: int, limit: int, where: Filter) -> None:
        expected = [kept for kept in self.rows(where) if kept.id < before][-limit:]
        assert self.run(self.log.tail(before, limit, where)) == expected

    @rule(event_id=numbers)
    def raw(self, event_id: int) -> None:
        of, _ = self.kept.get(event_id, (None, 0.0))
        assert self.run(self.log.raw(event_id)) == (of.raw if of else None)

    @rule(keep=st.integers(0, 12), age=st.none() | st.sampled_from([5.0, 20.0]))
    def trim(self, keep: int, age: float | None) -> None:
        doomed = list(self.kept)[: max(len(self.kept) - keep, 0)]
        if age is not None:
            old = [i for i, (_, at) in self.kept.items() if at <= self.now - age]
            doomed = max(doomed, old, key=len)
        for event_id in doomed:
            del self.kept[event_id]
        assert self.run(self.log.trim(keep, age)) == len(doomed)

    @rule(passed=st.sampled_from([1.0, 7.0]))
    def time_passes(self, passed: float) -> None:
        self.now += passed

    @rule(board=st.binary(max_size=5))
    def save_checkpoint(self, board: bytes) -> None:
        self.board = (self.last, board)
        self.run(self.log.save_checkpoint(self.last, board))

    @precondition(lambda self: self.durable)
    @rule()
    def reopen(self) -> None:
        self.run(self.log.close())
        self.log = self.open()

    @invariant()
    def agrees_with_the_model(self) -> None:
        first = next(iter(self.kept), self.last + 1)
        assert self.run(self.log.bounds()) == (self.epoch, first, self.last)
        assert self.run(everything(self.log)) == self.rows()
        assert self.run(self.log.checkpoint()) == self.board
        for source, version in self.versions.items():
            assert self.run(self.log.high_water(source)) == version


class SqliteLogMachine(LogMachine):
    durable = True

    def open(self) -> Log:
        if not hasattr(self, "folder"):
            self.folder = Path(tempfile.mkdtemp())
        return SqliteLog(self.folder / "feed.db")

    def teardown(self) -> None:
        super().teardown()
        shutil.rmtree(self.folder)


@pytest.mark.parametrize(
    ("machine", "examples"), [(LogMachine, 100), (SqliteLogMachine, 40)]
)
def test_log_always_agrees_with_the_model(
    machine: type[LogMachine], examples: int
) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples if THOROUGH else examples // 4,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
        ),
    )

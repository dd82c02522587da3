"""Tests of the limits of what following remembers about the tasks of an agent."""

from __future__ import annotations

import time
from typing import cast

import pytest

from host.clients.bindings.types import Update
from host.clients.connection import Connection
from host.discovery.found_tasks import HOLD_S, MAX_FOUND, FoundTasks
from host.merging.task_source import MAX_READS, TaskSource
from tests.support.scripted_list import listed


def test_task_over_the_limit_is_not_remembered_but_followed_and_the_mark_waits() -> (
    None
):
    found = FoundTasks()
    for number in range(MAX_FOUND + 1):
        task = listed(f"t{number}", number)
        assert found.note(task)
        assert found.holds(task)

    assert len(list(found)) == MAX_FOUND


def test_mark_waits_for_a_task_only_for_some_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found, task, now = FoundTasks(), listed("t1", 1), time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    found.note(task)

    monkeypatch.setattr(time, "monotonic", lambda: now + HOLD_S - 1)
    assert found.holds(task)
    monkeypatch.setattr(time, "monotonic", lambda: now + HOLD_S + 1)
    assert not found.holds(task)


class Changing:
    """A connection to an agent. The task changes during its first `changes` reads."""

    def __init__(self, changes: int) -> None:
        self.reads = 0
        self.changes = changes
        self.source = TaskSource(cast("Connection", self), "t1")

    async def get_task(self, task_id: str) -> Update:
        self.reads += 1
        self.source.update_count += self.reads <= self.changes
        return cast("Update", f"read {self.reads}")


@pytest.mark.parametrize(
    ("changes", "reads"), [(0, 1), (MAX_READS - 1, MAX_READS), (MAX_READS, MAX_READS)]
)
async def test_task_that_changes_is_read_again_up_to_the_limit(
    changes: int, reads: int
) -> None:
    agent = Changing(changes)

    assert await agent.source.read() == cast("Update", f"read {reads}")
    assert agent.reads == reads

"""Property tests of discovery: no task stays out of the feed, whatever breaks when.

An agent lists tasks in pages while they are added, changed and deleted. Connections
break between pages, and before the found tasks are in the log. The host restarts. The
sweep of all tasks comes too late to help. COURTSIDE_EXAMPLES sets the number of runs.
"""

from __future__ import annotations

import os
from contextlib import suppress
from functools import partial
from typing import NamedTuple

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import Phase as HypothesisPhase
from hypothesis import strategies as st

from host.discovery import discovery, listed_tasks
from host.errors import AgentUnreachable
from host.feed.feed import Feed
from tests.support.harness import THOROUGH
from tests.support.scripted_list import (
    DONE,
    WORKING,
    Agent,
    Search,
    feed_with,
    listed,
)

EXAMPLES = int(os.environ.get("COURTSIDE_EXAMPLES", 400 if THOROUGH else 50))


PATIENCE_S = 3.0  # A missing task fails the test.


class Phase(NamedTuple):
    """What happens at the agent while it is away, and how the next connection ends.

    It ends at query `lost_after`. Until then, the host records what it finds only if
    `writes` is set, and from one page to the next, `shifts` tasks are deleted, and as
    many are added. Tasks get a timestamp every `step` tasks, so many are equal.
    """

    added: int
    step: int
    ends_open: int
    deleted: int
    lost_after: int
    writes: bool
    restarts: bool
    clock_s: int
    shifts: int


phases = st.lists(
    st.builds(
        Phase,
        added=st.sampled_from([0, 1, 3, 49, 50, 51, 120, 230]),
        step=st.sampled_from([1, 1, 10, 70]),
        ends_open=st.integers(0, 3),
        deleted=st.sampled_from([0, 0, 1, 5]),
        lost_after=st.integers(1, 25),
        writes=st.sampled_from([True, True, False]),
        restarts=st.sampled_from([False, False, True]),
        clock_s=st.integers(0, 200),
        shifts=st.sampled_from([0, 0, 1, 4]),
    ),
    min_size=1,
    max_size=6,
)


class Run:
    def __init__(self, feed: Feed, is_filtering: bool) -> None:
        self._feed = feed
        self._agent = Agent(*(listed(f"old{n}", n) for n in range(70)))
        self._agent.has_filters = is_filtering
        self._second = 100
        self._count = 0
        self._search = Search(feed, saves=True)
        self.expected: set[str] = set()

    @property
    def missing(self) -> set[str]:
        written = self._search.written
        return {task for task in self.expected if written.get(task) != DONE}

    async def play(self, phases: list[Phase]) -> None:
        await self._search.until(self._agent, lambda: len(self._agent.queries) > 9)
        for phase in phases:
            self._change(phase)
            await self._connect(phase)
        self._agent.lost_at = None
        self._agent.before_page = lambda: None
        self._search.writes = True
        self._search.found.clear()
        with suppress(TimeoutError), anyio.fail_after(PATIENCE_S):
            await self._search.until(self._agent, lambda: not self.missing)

    def _change(self, phase: Phase) -> None:
        self._second += phase.clock_s
        tasks = self._agent.tasks
        for number, task in enumerate(tasks):
            if task.state == WORKING and phase.ends_open:
                tasks[number] = listed(task.task_id, self._second, DONE)
                self.expected.add(task.task_id)
        for number in range(phase.added):
            self._second += number % phase.step == 0
            self._add(is_open=number < phase.ends_open)
        for _ in range(phase.deleted):
            self._delete()

    def _add(self, *, is_open: bool = False) -> None:
        self._count += 1
        name, state = f"t{self._count}", WORKING if is_open else DONE
        self._agent.tasks.append(listed(name, self._second, state))
        if not is_open:
            self.expected.add(name)

    def _delete(self) -> None:
        tasks = self._agent.tasks
        self.expected.discard(tasks.pop(len(tasks) * 3 // 4).task_id)

    def _shift(self, count: int) -> None:
        for _ in range(count):
            self._delete()
            self._add()

    async def _connect(self, phase: Phase) -> None:
        if phase.restarts:
            before = self._search
            self._search = Search(self._feed, saves=True)
            self._search.written, self._search.versions = (
                before.written,
                before.versions,
            )
        self._search.writes = phase.writes
        self._search.found.clear()
        self._agent.before_page = partial(self._shift, phase.shifts)
        self._agent.lost_at = len(self._agent.queries) + phase.lost_after
        with pytest.raises(AgentUnreachable):
            await self._search.run(self._agent)


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    report_multiple_bugs=False,
    phases=[HypothesisPhase.explicit, HypothesisPhase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(phases=phases, is_filtering=st.booleans())
def test_every_task_that_ends_is_found(
    phases: list[Phase], is_filtering: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovery, "PAGES_PER_S", 10_000)
    monkeypatch.setattr(listed_tasks, "STARTS_PER_S", 10_000)

    async def check() -> None:
        async with feed_with() as feed:
            run = Run(feed, is_filtering)
            await run.play(phases)
            assert not run.missing

    anyio.run(check)

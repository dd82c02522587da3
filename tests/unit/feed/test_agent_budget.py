"""Tests of host/feed/agent_budget.py: one agent cannot fill the log."""

from __future__ import annotations

import anyio
import pytest

from host.feed import agent_budget
from host.feed.agent_budget import BURST_BYTES, BYTES_PER_S, MIB, SHARE_S, AgentBudget
from host.feed.feed import Feed
from host.log.memory_log import MemoryLog
from host.merging.task_writer import TaskWriter
from host.model.event import GapEvent
from host.model.filter import ALL
from host.protocol.task_record import TaskRecord

DEADLINE_S = 30
KEEP_BYTES = 1024 * MIB


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that sleeping moves."""
    clock = Clock()

    async def sleep(seconds: float) -> None:
        clock.now += seconds

    monkeypatch.setattr(anyio, "sleep", sleep)
    return clock


async def write(budget: AgentBudget, size: int, pieces: int) -> None:
    for _ in range(pieces):
        await budget.wait()
        budget.spend(size // pieces)
    await budget.wait()


async def test_burst_passes_at_once_and_the_rest_at_the_rate(clock: Clock) -> None:
    budget, began = AgentBudget(None, clock), clock.now
    await write(budget, BURST_BYTES, 100)
    assert clock.now == began

    await write(budget, 10 * BYTES_PER_S, 100)
    assert clock.now - began == pytest.approx(10)


async def test_half_of_keep_bytes_passes_in_an_hour(clock: Clock) -> None:
    budget, began = AgentBudget(KEEP_BYTES, clock), clock.now
    await write(budget, KEEP_BYTES // 2, 1_000)
    took_s = clock.now - began
    assert took_s < 20, "at the rate"

    await write(budget, KEEP_BYTES // 2, 1_000)
    assert clock.now - began == pytest.approx(SHARE_S, rel=0.02)


async def test_trouble_names_the_limit_while_updates_wait(clock: Clock) -> None:
    budget = AgentBudget(KEEP_BYTES, clock)
    budget.spend(BURST_BYTES)
    assert budget.trouble is None
    budget.spend(BURST_BYTES)
    assert "more than 32 MiB a second" in (budget.trouble or "")
    budget.spend(KEEP_BYTES)
    assert "512 MiB" in (budget.trouble or "")
    assert "raise keep_bytes" in (budget.trouble or "")

    clock.now += 2 * SHARE_S
    assert budget.trouble is None


async def test_agent_over_its_budget_waits_and_loses_nothing_and_others_do_not_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(agent_budget, "BYTES_PER_S", 20_000)
    monkeypatch.setattr(agent_budget, "BURST_BYTES", 5_000)
    feed = Feed(MemoryLog())
    await feed.open()
    with anyio.fail_after(DEADLINE_S):
        async with anyio.create_task_group() as group:
            group.start_soon(feed.write)
            evil, good = (TaskWriter(a, "t1", feed) for a in ("evil", "good"))
            for writer, name in ((evil, "evil"), (good, "good")):
                await writer.load(TaskRecord(name, "t1"))
            for number in range(10):
                evil.add([gap("evil", f"{number}" * 2_000)])
                await evil.flush() if number < 4 else evil.start(group)
            good.add([gap("good", "here")])
            await good.flush()
            assert [row.place.agent for row in await feed.history(0, None, 99, ALL)][
                -1
            ] == "good"
            assert feed.head < 11
            await evil.flush()
            assert feed.head == 11
            feed.close()


def gap(agent: str, text: str) -> GapEvent:
    return GapEvent(
        agent=agent, task_id="t1", context_id=None, message=text, received_at=""
    )

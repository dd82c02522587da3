"""The share of the event loop's time that the responses of one agent may take."""

from __future__ import annotations

import anyio.lowlevel

from host.clients.loop_budget import BURST_S, BYTES_PER_S, HTTP, JSON, SHARE, LoopBudget


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Connection:
    is_paused = False

    def pause(self) -> None:
        self.is_paused = True

    def go_on(self) -> None:
        self.is_paused = False


def spend(budget: LoopBudget, clock: Clock, seconds: float, reason: str) -> None:
    with budget.spend(reason):
        clock.now += seconds


async def test_all_connections_pause_once_the_share_is_used_up() -> None:
    clock = Clock()
    budget, connections = LoopBudget(clock), [Connection(), Connection()]
    for connection in connections:
        budget.attach(connection)

    spend(budget, clock, BURST_S, HTTP)
    budget.pause_connections()
    assert not any(connection.is_paused for connection in connections)
    spend(budget, clock, 0.01, HTTP)
    budget.pause_connections()
    assert all(connection.is_paused for connection in connections)

    clock.now += 10
    with anyio.fail_after(30):
        while any(connection.is_paused for connection in connections):
            await anyio.lowlevel.checkpoint()


def test_an_agent_gets_no_more_than_its_share_over_a_long_time() -> None:
    clock = Clock()
    budget = LoopBudget(clock)
    used = 0.0
    while clock.now < 60:
        if budget.wait_s:
            clock.now += budget.wait_s
        spend(budget, clock, 0.005, HTTP)
        used += 0.005

    assert used <= clock.now * SHARE + BURST_S + 0.01


def test_bytes_count_as_well_as_time() -> None:
    clock = Clock()
    budget = LoopBudget(clock)

    budget.spend_bytes(BYTES_PER_S)

    assert budget.wait_s > 0.5


async def test_report_names_what_took_most_of_the_time_once() -> None:
    clock = Clock()
    budget = LoopBudget(clock)
    spend(budget, clock, 0.1, HTTP)
    spend(budget, clock, 2.0, JSON)
    assert budget.take_report() is None  # Nobody had to wait for it yet.

    spend(budget, clock, 2.0, JSON)
    budget.pause_connections()
    assert budget.take_report() == f"the host reads it slowly: {JSON}"
    assert budget.take_report() is None

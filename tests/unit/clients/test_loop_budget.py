"""The share of the event loop's time that the responses of one agent may take."""

from __future__ import annotations

import anyio
import anyio.lowlevel
import pytest

from host.clients.loop_budget import (
    BURST_S,
    BYTES_PER_S,
    HTTP,
    JSON,
    REQUESTS,
    SHARE,
    LoopBudget,
)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Connection:
    def __init__(self, budget: LoopBudget) -> None:
        self.is_paused = False
        self.resumed: list[Connection] = []
        budget.attach(self)

    def pause(self) -> None:
        self.is_paused = True

    def go_on(self) -> None:
        self.is_paused = False
        self.resumed.append(self)


def spend(budget: LoopBudget, clock: Clock, seconds: float, reason: str) -> None:
    with budget.spend(reason):
        clock.now += seconds


async def until_resumed(clock: Clock, *connections: Connection) -> None:
    clock.now += 100
    with anyio.fail_after(30):
        while any(connection.is_paused for connection in connections):
            await anyio.sleep(0.01)


async def test_all_connections_pause_once_the_share_is_used_up() -> None:
    clock = Clock()
    budget = LoopBudget(clock)
    connections = [Connection(budget), Connection(budget)]

    spend(budget, clock, BURST_S, HTTP)
    budget.pause_connections(connections[0])
    assert not any(connection.is_paused for connection in connections)
    spend(budget, clock, 0.01, HTTP)
    budget.pause_connections(connections[0])
    assert all(connection.is_paused for connection in connections)

    await until_resumed(clock, *connections)


async def test_connection_that_opens_during_a_pause_waits_as_well() -> None:
    clock = Clock()
    budget = LoopBudget(clock)
    first = Connection(budget)
    spend(budget, clock, BURST_S + 0.01, HTTP)
    budget.pause_connections(first)

    late = Connection(budget)

    assert late.is_paused
    await until_resumed(clock, first, late)


async def test_connection_that_read_last_is_the_last_to_read_after_a_pause() -> None:
    clock = Clock()
    budget = LoopBudget(clock)
    first, second, third = (Connection(budget) for _ in range(3))
    resumed = first.resumed = second.resumed = third.resumed = []

    for reader in (first, second):
        spend(budget, clock, BURST_S + 0.01, HTTP)
        budget.pause_connections(reader)
        await until_resumed(clock, first, second, third)

    assert resumed == [second, third, first, third, first, second]


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


async def test_steps_of_a_coroutine_count_but_not_what_it_waits_for() -> None:
    clock = Clock()
    budget = LoopBudget(clock, cpu_clock=clock)

    async def work() -> str:
        clock.now += 3
        await anyio.lowlevel.checkpoint()  # Here the other task runs.
        clock.now += 4
        return "done"

    async def other() -> None:
        clock.now += 100

    async with anyio.create_task_group() as group:
        group.start_soon(other)
        assert await budget.metered(REQUESTS, work()) == "done"

    assert budget.wait_s == pytest.approx((4 - BURST_S) / SHARE)


async def test_error_in_a_coroutine_reaches_it_and_its_caller() -> None:
    caught = []

    async def work() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            caught.append("cancelled")

    async def meter() -> None:
        await LoopBudget().metered(REQUESTS, work())

    async with anyio.create_task_group() as group:
        group.start_soon(meter)
        await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()

    assert caught == ["cancelled"]


def test_bytes_count_as_well_as_time() -> None:
    clock = Clock()
    budget = LoopBudget(clock)

    budget.spend_bytes(BYTES_PER_S)

    assert budget.wait_s > 0.5


async def test_report_names_what_took_most_of_the_time_once() -> None:
    clock = Clock()
    budget = LoopBudget(clock)
    connection = Connection(budget)
    spend(budget, clock, 0.1, HTTP)
    spend(budget, clock, 2.0, JSON)
    assert budget.take_report() is None  # Nobody had to wait for it yet.

    spend(budget, clock, 2.0, JSON)
    budget.pause_connections(connection)
    assert budget.take_report() == f"the host reads it slowly: {JSON}"
    assert budget.take_report() is None


async def test_wait_for_something_that_was_reported_before_is_no_report() -> None:
    clock = Clock()
    budget = LoopBudget(clock)
    spend(budget, clock, 2.0, HTTP)
    assert budget.take_report() is None

    budget.pause_connections(Connection(budget))

    assert budget.take_report() is None

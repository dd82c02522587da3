"""Tests the fan-out with random readers that block, fail and leave at any time.

Covers host/feed/sse_fanout.py and cohort.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import anyio
from hypothesis import given, settings
from hypothesis import strategies as st

from host.model.filter import ALL, Filter
from tests.support.fanout_run import (
    ONLY_CARLY,
    ONLY_WALTER,
    Client,
    FanoutRun,
    run_fanout,
    run_loop,
    small_limits,
    wait_until,
)

reader_index = st.integers(0, 7)
steps = st.one_of(
    st.tuples(
        st.just("publish"),
        st.lists(st.sampled_from(["carly", "walter"]), min_size=1, max_size=5),
        st.sampled_from([0, 0, 0, 150, 1_500]),
    ),
    st.tuples(
        st.just("join"),
        st.sampled_from([ALL, ALL, ONLY_CARLY, ONLY_WALTER]),
        st.integers(0, 12),
        st.sampled_from([0, 0, 0.0001]),
    ),
    st.tuples(st.sampled_from(["block", "unblock", "leave", "fail"]), reader_index),
    st.tuples(st.just("block"), reader_index),
    st.tuples(st.just("run_loop"), st.integers(1, 6)),
    st.tuples(st.just("trim"), st.integers(0, 5)),
)


class Scenario:
    """Runs the steps that Hypothesis draws, and checks what each reader got."""

    def __init__(self, run: FanoutRun) -> None:
        self.run = run
        self.readers: list[tuple[Client, Filter, int]] = []
        self.has_trimmed = False

    async def step(self, name: str, *args: Any) -> None:
        if name == "publish":
            agents, size = args
            await self.run.publish(*agents, size=size)
        elif name == "join":
            await self._join(*args)
        elif name == "run_loop":
            await run_loop(args[0])
        elif name == "trim":
            self.has_trimmed |= bool(await self.run.log.trim(args[0], None))
        elif self.readers:
            client, _, _ = self.readers[args[0] % len(self.readers)]
            {
                "block": client.block,
                "unblock": client.unblock,
                "leave": client.disconnect,
                "fail": partial(
                    setattr, client, "error_on_send", OSError("broken pipe")
                ),
            }[name]()

    async def _join(self, where: Filter, back: int, every_s: float) -> None:
        kept = await self.run.log.bounds()
        cursor = max(self.run.feed.head - back, kept.first - 1)
        client = await self.run.join(where, cursor, every_s)
        self.readers.append((client, where, cursor))

    async def end(self) -> None:
        for client, _, _ in self.readers:
            client.unblock()
        for client, where, cursor in self.readers:
            await self._check(client, self.run.frames_after(cursor, where))
        self.run.fanout.stop()
        await wait_until(lambda: all(client.is_done for client, _, _ in self.readers))
        assert [
            client.violations for client, _, _ in self.readers if client.violations
        ] == []

    async def _check(self, client: Client, expected: list[bytes]) -> None:
        is_reading = not (client.has_left or client.error_on_send)
        if is_reading:
            await wait_until(
                lambda: client.is_done or len(client.frames) >= len(expected)
            )
        assert client.frames == expected[: len(client.frames)]
        if is_reading and client.frames != expected:
            assert self.has_trimmed


@settings(max_examples=300, deadline=None)
@given(plan=st.lists(steps, max_size=40), pinging=st.booleans())
def test_every_reader_gets_its_events_in_order_and_once(
    plan: Sequence[tuple[Any, ...]], pinging: bool
) -> None:
    async def run_scenario() -> None:
        async with run_fanout() as run:
            scenario = Scenario(run)
            for step in plan:
                await scenario.step(*step)
            await scenario.end()

    with small_limits(pinging=pinging):
        anyio.run(run_scenario)

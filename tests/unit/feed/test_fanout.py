"""Fan-out: each reader gets what it should, in order, once, whatever others do.

A real feed on a memory log; what is faked is the server's side of each response.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import math
import re
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any
from unittest import mock

import anyio
import pytest
from anyio.abc import TaskGroup
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.types import Message

import host.feed.cohort
import host.feed.fanout
import host.feed.feed
import host.feed.ring
from host.feed.cohort import COHORT, Channel, Cohort, Reader
from host.feed.fanout import Fanout
from host.feed.feed import Feed
from host.feed.ring import BLOCK_BYTES, Ring
from host.log.memory import MemoryLog
from host.model.filter import ALL, Filter, Place
from host.model.sse import PING, feed_frame
from tests.contract.entries import message

DEADLINE_S = 60.0
TURNS = 30
"""Of the event loop: more than anything takes that does not wait."""
ONLY_CARLY = Filter(agent=frozenset({"carly"}))
ONLY_WALTER = Filter(agent=frozenset({"walter"}))


class Wire:
    """One response as uvicorn keeps it: a send that must wait has written nothing."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.calls = 0
        self.ended = self.served = self.left = False
        self.raises: BaseException | None = None
        self.wrong: list[str] = []
        self.look: Callable[[], None] | None = None
        self._writable, self._heard = asyncio.Event(), asyncio.Event()
        self._writable.set()

    async def send(self, message: Message) -> None:
        self.calls += 1
        if self.served:
            self.wrong.append(f"called after its request was over: {message}")
        if self.raises:
            raise self.raises
        if not self.left:
            await self._writable.wait()
        if self.left:
            return
        if self.ended:
            self.wrong.append(f"written after the end: {message}")
        if self.look:
            self.look()
        self.bodies.append(message["body"])
        if not message.get("more_body"):
            self.ended = True
            self._heard.set()

    async def receive(self) -> Message:
        await self._heard.wait()
        return {"type": "http.disconnect"}

    def block(self) -> None:
        self._writable.clear()

    def unblock(self) -> None:
        self._writable.set()

    def disconnect(self) -> None:
        """In the order of uvicorn's connection_lost."""
        self.left = True
        self._heard.set()
        self._writable.set()

    def has_pings(self, count: int) -> bool:
        return self.bodies == [PING] * count

    @property
    def data(self) -> bytes:
        return b"".join(self.bodies)

    @property
    def frames(self) -> list[bytes]:
        """The complete events."""
        *whole, _ = self.data.split(b"\n\n")
        return [each + b"\n\n" for each in whole if each.startswith(b"id: ")]

    @property
    def ids(self) -> list[int]:
        found = re.findall(rb"^id: \w+-(\d+)$", self.data, re.MULTILINE)
        return [int(event_id) for event_id in found]


class Stage:
    """A feed, its fan-out and the readers that a test lets come."""

    def __init__(self, feed: Feed, log: MemoryLog, group: TaskGroup) -> None:
        self.feed, self.log = feed, log
        self.fanout = Fanout(feed)
        self.told: list[tuple[Place, bytes]] = []
        """Each event's place and frame."""
        self._group = group
        group.start_soon(feed.write)
        group.start_soon(self.fanout.run)

    async def publish(self, *agents: str, size: int = 0) -> None:
        """One event for each of the agents named, as one batch."""
        entries = []
        for agent in agents:
            number = len(self.told) + 1
            entry = message(number, "x" * size, agent)
            entries.append(entry)
            epoch = self.feed.epoch
            self.told.append((entry.place, feed_frame(epoch, number, entry.body)))
        await self.feed.append(entries)

    async def join(
        self, where: Filter = ALL, cursor: int | None = None, every_s: float = 0
    ) -> Wire:
        wire = Wire()
        at = self.feed.head if cursor is None else cursor
        self._group.start_soon(self._serve, wire, where, at, every_s)
        await asyncio.sleep(0)
        return wire

    async def _serve(
        self, wire: Wire, where: Filter, cursor: int, every_s: float
    ) -> None:
        await self.fanout.serve(where, cursor, wire.receive, wire.send, every_s)
        wire.served = True

    def after(self, cursor: int, where: Filter) -> list[bytes]:
        return [told for place, told in self.told[cursor:] if where.matches(place)]


@asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    log = MemoryLog()
    feed = Feed(log)
    await feed.open()
    # On a busy machine a round is slow, and the rest after it would be in real time.
    with mock.patch.object(host.feed.fanout, "REST_FROM_S", math.inf):
        async with anyio.create_task_group() as group:
            yield Stage(feed, log, group)
            group.cancel_scope.cancel()


async def until(true: Callable[[], Any], what: str = "") -> None:
    end = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < end, f"waited {DEADLINE_S} s for {what or true}"
        await asyncio.sleep(0)


async def turns(count: int = TURNS) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def alive(kind: type) -> int:
    """How many of a kind there are, cycles collected."""
    gc.collect()
    return sum(type(each) is kind for each in gc.get_objects())


@contextmanager
def small_house(*, pinging: bool = False) -> Iterator[None]:
    """Sizes so small that a few events leave a block, the ring, a page."""
    with (
        mock.patch.object(host.feed.ring, "BLOCK_BYTES", 400),
        mock.patch.object(host.feed.fanout, "BLOCK_BYTES", 400),
        mock.patch.object(host.feed.feed, "Ring", partial(Ring, max_bytes=1_200)),
        mock.patch.object(host.feed.feed, "PAGE", 3),
        mock.patch.object(host.feed.cohort, "COHORT", 3),
        mock.patch.object(host.feed.fanout, "PING_S", 0.0 if pinging else 60.0),
    ):
        yield


# --- any interleaving -------------------------------------------------------------

which = st.integers(0, 7)
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
    st.tuples(st.sampled_from(["block", "unblock", "leave", "fail"]), which),
    st.tuples(st.just("block"), which),
    st.tuples(st.just("turns"), st.integers(1, 6)),
    st.tuples(st.just("trim"), st.integers(0, 5)),
)


class Play:
    """Steps drawn by Hypothesis, and what each reader must have got by them."""

    def __init__(self, on: Stage) -> None:
        self.on = on
        self.readers: list[tuple[Wire, Filter, int]] = []
        self.trimmed = False

    async def step(self, name: str, *of: Any) -> None:
        if name == "publish":
            agents, size = of
            await self.on.publish(*agents, size=size)
        elif name == "join":
            await self._join(*of)
        elif name == "turns":
            await turns(of[0])
        elif name == "trim":
            self.trimmed |= bool(await self.on.log.trim(of[0], None))
        elif self.readers:
            wire, _, _ = self.readers[of[0] % len(self.readers)]
            {
                "block": wire.block,
                "unblock": wire.unblock,
                "leave": wire.disconnect,
                "fail": partial(setattr, wire, "raises", OSError("broken pipe")),
            }[name]()

    async def _join(self, where: Filter, back: int, every_s: float) -> None:
        kept = await self.on.log.bounds()
        cursor = max(self.on.feed.head - back, kept.first - 1)
        wire = await self.on.join(where, cursor, every_s)
        self.readers.append((wire, where, cursor))

    async def end(self) -> None:
        for wire, _, _ in self.readers:
            wire.unblock()
        for wire, where, cursor in self.readers:
            await self._check(wire, self.on.after(cursor, where))
        self.on.fanout.stop()
        await until(lambda: all(wire.served for wire, _, _ in self.readers))
        assert [wire.wrong for wire, _, _ in self.readers if wire.wrong] == []

    async def _check(self, wire: Wire, wanted: list[bytes]) -> None:
        stays = not (wire.left or wire.raises)
        if stays:
            await until(lambda: wire.served or len(wire.frames) >= len(wanted))
        assert wire.frames == wanted[: len(wire.frames)]
        if stays and wire.frames != wanted:
            assert self.trimmed


@settings(max_examples=300, deadline=None)
@given(plan=st.lists(steps, max_size=40), pinging=st.booleans())
def test_every_reader_that_stays_gets_what_it_should_in_order_and_once(
    plan: Sequence[tuple[Any, ...]], pinging: bool
) -> None:
    async def play() -> None:
        async with stage() as on:
            played = Play(on)
            for step in plan:
                await played.step(*step)
            await played.end()

    with small_house(pinging=pinging):
        anyio.run(play)


# --- one that wants its events together -------------------------------------------


async def test_what_comes_while_a_reader_rests_goes_together_the_first_at_once() -> (
    None
):
    async with stage() as on:
        wire = await on.join(every_s=0.2)
        await on.publish("carly")
        await until(lambda: wire.ids == [1])
        for agent in ("walter", "carly", "walter"):
            await on.publish(agent)
            await turns()
        assert (wire.ids, on.fanout.count()) == ([1], (1, 0))
        await until(lambda: len(wire.ids) == 4)
        assert wire.frames == on.after(0, ALL)
        assert wire.calls == 2


async def test_one_that_rests_joins_the_others_that_want_the_same_again() -> None:
    async with stage() as on:
        wires = [await on.join(every_s=0.001) for _ in range(10)]
        for _ in range(5):
            await on.publish("carly")
            await until(lambda: all(len(wire.ids) == len(on.told) for wire in wires))
            await until(lambda: alive(Cohort) == 1, "one cohort of all ten")
        shared = wires[0].bodies[-1]
        assert all(wire.bodies[-1] is shared for wire in wires)


async def test_one_that_rests_ends_at_once_when_it_leaves_or_the_host_stops() -> None:
    async with stage() as on:
        leaves, stays = await on.join(every_s=60), await on.join(every_s=60)
        await on.publish("carly")
        await until(lambda: leaves.ids == stays.ids == [1])
        leaves.disconnect()
        await until(lambda: leaves.served)
        on.fanout.stop()
        await until(lambda: stays.served)
        assert leaves.wrong == stays.wrong == []


# --- what it costs ----------------------------------------------------------------


async def test_readers_at_one_cursor_get_the_very_same_bytes() -> None:
    async with stage() as on:
        wires = [await on.join() for _ in range(3 * COHORT)]
        await on.publish("carly", "walter")
        await until(lambda: all(len(wire.frames) == 2 for wire in wires))
        shared = wires[0].bodies[-1]
        assert all(wire.bodies[-1] is shared for wire in wires)
        assert all(wire.calls == 1 for wire in wires)


async def test_a_reader_of_one_agent_is_not_called_for_the_events_of_others() -> None:
    async with stage() as on:
        walters = await on.join(ONLY_WALTER)
        everyones = await on.join()
        for _ in range(10):
            await on.publish("carly")
            await turns()
        await until(lambda: len(everyones.frames) == 10)
        assert walters.calls == 0
        await on.publish("walter")
        await until(lambda: walters.ids == [11])
        assert walters.calls == 1


async def test_a_send_that_does_not_block_costs_no_task() -> None:
    async with stage() as on:
        wires = [await on.join() for _ in range(50)]
        await turns()
        before = len(asyncio.all_tasks())
        during: list[int] = []
        for wire in wires:
            wire.look = lambda: during.append(len(asyncio.all_tasks()))
        await on.publish("carly")
        await until(lambda: all(wire.frames for wire in wires))
        assert during == [before] * len(wires)
        assert len(asyncio.all_tasks()) == before


async def test_cohorts_that_departures_thin_out_are_merged() -> None:
    async with stage() as on:
        wires = [await on.join() for _ in range(10 * COHORT)]
        assert alive(Cohort) == 10
        for wire in wires[::2]:
            wire.disconnect()
        await until(lambda: all(wire.served for wire in wires[::2]))
        await on.publish("carly")
        await until(lambda: all(wire.frames for wire in wires[1::2]))
        await on.publish("carly")
        await until(lambda: all(len(wire.frames) == 2 for wire in wires[1::2]))
        assert alive(Cohort) == 5


async def test_a_cohort_that_was_merged_away_has_no_readers_left() -> None:
    """The pinger may still hold it, and a reader must not be written to twice."""
    feed = Feed(MemoryLog())
    await feed.open()
    channel = Channel(feed, ALL)
    readers = [Reader(Wire().send, ALL, 0) for _ in range(COHORT + 1)]
    for reader in readers:
        channel.join(reader)
    first, second = channel.cohorts
    del first.readers[readers[0]]
    channel.compact()
    assert channel.cohorts == [first]
    assert second.readers == {}
    assert readers[-1].cohort is first


async def test_nothing_is_left_of_readers_that_have_left() -> None:
    async with stage() as on:
        wires = [await on.join(where) for where in (ALL, ONLY_CARLY) for _ in range(9)]
        await on.publish("carly", "walter")
        wires[0].block()
        await on.publish("carly", "walter")
        wires += [await on.join(Filter(task=frozenset({f"t{n}"}))) for n in range(9)]
        await turns()
        for wire in wires:
            wire.disconnect()
        await until(lambda: all(wire.served for wire in wires))
        await turns()
        assert [alive(kind) for kind in (Reader, Cohort, Channel)] == [0, 0, 0]


async def test_a_large_event_goes_out_in_pieces_a_server_can_hold() -> None:
    async with stage() as on:
        normal, stalled = await on.join(), await on.join()
        stalled.block()
        await on.publish("carly", size=20 * BLOCK_BYTES)
        await on.publish("walter")
        await until(lambda: normal.frames == on.after(0, ALL))
        assert max(len(body) for body in normal.bodies) <= BLOCK_BYTES
        assert stalled.calls == 1
        stalled.unblock()
        await until(lambda: stalled.frames == on.after(0, ALL))


# --- one that fails or stalls -----------------------------------------------------


@pytest.mark.parametrize("error", [OSError, asyncio.CancelledError])
async def test_a_send_that_raises_ends_its_reader_and_disturbs_no_other(
    error: type[BaseException],
) -> None:
    async with stage() as on:
        wires = [await on.join() for _ in range(9)]
        wires[4].raises = error()
        await on.publish("carly")
        await until(lambda: wires[4].served)
        wires[4].raises = None  # It may not go on with a hole in what it got.
        await on.publish("carly", "walter")
        others = [wire for wire in wires if wire is not wires[4]]
        await until(lambda: all(wire.ids == [1, 2, 3] for wire in others))
        assert (wires[4].calls, wires[4].wrong) == (1, [])


async def test_a_blocked_reader_catches_up_and_stands_with_the_others_again() -> None:
    with small_house():
        async with stage() as on:
            normal, slow = await on.join(), await on.join()
            await turns()
            before = len(asyncio.all_tasks())
            for behind in (2, 30):  # In the ring, and far out of it.
                slow.block()
                for _ in range(behind):
                    await on.publish("carly")
                    await turns(3)
                assert len(asyncio.all_tasks()) == before + 1
                slow.unblock()
                await until(lambda: slow.frames == on.after(0, ALL))
                await turns()
                assert len(asyncio.all_tasks()) == before
                await on.publish("walter")
                await until(lambda: slow.frames == normal.frames == on.after(0, ALL))
                assert slow.bodies[-1] is normal.bodies[-1]


async def fall_out_of_the_log(on: Stage) -> None:
    for _ in range(40):
        await on.publish("carly")
        await turns(3)
    await on.log.trim(5, None)


async def test_one_that_wakes_up_out_of_the_log_is_told_so_with_its_last_bytes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with small_house():
        async with stage() as on:
            slow = await on.join()
            slow.block()
            await fall_out_of_the_log(on)
            slow.unblock()
            await until(lambda: slow.served)
            assert slow.ended
            assert slow.frames == on.after(0, ALL)[:1]
            assert slow.bodies[-1] == b": cut: events up to 35 are no longer kept\n\n"
            (line,) = cuts(caplog)
            assert "cursor=1 " in line and "up to 35" in line


async def test_one_that_stalls_for_good_is_hung_up_once_the_log_is_trimmed_past_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with small_house(pinging=True):
        async with stage() as on:
            kept, stalled = await on.join(), await on.join()
            stalled.block()
            await turns()  # A ping is what finds it.
            assert not stalled.served
            await fall_out_of_the_log(on)
            await until(lambda: stalled.served)
            await turns()
            assert stalled.bodies == []
            assert kept.frames == on.after(0, ALL)
            (line,) = cuts(caplog)
            assert "cursor=0 " in line and "stalled" in line and "up to 35" in line
            kept.disconnect()
            await until(lambda: kept.served)
            assert alive(Reader) == 0


async def test_one_that_stalls_but_can_go_on_from_the_ring_is_not_cut() -> None:
    with mock.patch.object(host.feed.fanout, "PING_S", 0.0):
        async with stage() as on:
            stalled = await on.join()
            stalled.block()
            await fall_out_of_the_log(on)
            await turns()
            stalled.unblock()
            await until(lambda: stalled.frames == on.after(0, ALL))


def cuts(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        record.getMessage()
        for record in caplog.records
        if record.levelno >= logging.WARNING
    ]


async def test_one_that_disconnects_while_it_lags_is_let_go_at_once() -> None:
    async with stage() as on:
        gone = await on.join()
        gone.block()
        await on.publish("carly")
        await turns()
        gone.disconnect()
        await until(lambda: gone.served)
        await turns()
        assert alive(Reader) == 0
        await on.publish("carly")
        await turns()
        assert (gone.calls, gone.wrong) == (1, [])


async def test_a_request_that_was_hung_up_is_not_left_as_one_that_was_cancelled() -> (
    None
):
    """Else a timeout around it would take its own end for somebody's cancel."""
    async with stage() as on:
        broken = Wire()
        broken.raises = OSError("gone")
        cancels: list[int] = []

        async def request() -> None:
            await on.fanout.serve(ALL, on.feed.head, broken.receive, broken.send)
            task = asyncio.current_task()
            if task and sys.version_info >= (3, 11):
                cancels.append(task.cancelling())
            else:
                cancels.append(0)

        async with anyio.create_task_group() as group:
            group.start_soon(request)
            await turns()
            await on.publish("carly")
            await until(lambda: cancels)
        assert cancels == [0]


async def test_a_cancelled_request_is_not_taken_for_one_that_was_is_disconnected() -> (
    None
):
    async with stage() as on:
        wire, ended = Wire(), False

        async def request() -> None:
            nonlocal ended
            await on.fanout.serve(ALL, 0, wire.receive, wire.send)
            ended = True

        async with anyio.create_task_group() as group:
            group.start_soon(request)
            await turns()
            group.cancel_scope.cancel()
        assert not ended
        assert alive(Reader) == 0


# --- pings and the end ------------------------------------------------------------


async def test_only_a_reader_that_hears_nothing_for_long_is_pinged() -> None:
    now = 1_000.0
    with (
        mock.patch.object(host.feed.fanout, "PING_S", 0.001),
        mock.patch.object(host.feed.fanout, "perf_counter", lambda: now),
        mock.patch.object(host.feed.cohort, "perf_counter", lambda: now),
    ):
        async with stage() as on:
            busy, quiet = await on.join(), await on.join(ONLY_WALTER)
            for count in range(1, 6):
                now += 0.0007
                await on.publish("carly")
                now += 0.0007
                await until(partial(quiet.has_pings, count))
            assert PING not in busy.bodies
            now += 0.0011
            await until(lambda: busy.bodies[-1] == PING)
            assert busy.ids == [1, 2, 3, 4, 5]


async def test_stop_ends_every_reader_and_nothing_follows() -> None:
    async with stage() as on:
        cohort = [await on.join() for _ in range(3)]
        slow, waking = await on.join(), await on.join()
        slow.block()
        waking.block()
        await on.publish("carly")
        await turns()
        waking.unblock()
        on.fanout.stop()
        late = await on.join(cursor=0)
        slow.unblock()
        wires = [*cohort, slow, waking, late]
        await until(lambda: all(wire.served for wire in wires))
        await on.publish("carly")
        await turns()
        for wire in wires:
            assert wire.bodies[-1] == b""
            assert (wire.ended, wire.wrong) == (True, [])
        assert cohort[0].ids == [1]
        assert alive(Reader) == 0


async def test_stop_does_not_wait_for_a_reader_that_takes_nothing() -> None:
    with mock.patch.object(host.feed.fanout, "END_S", 0.01):
        async with stage() as on:
            stalled, behind = await on.join(), await on.join()
            behind.block()
            await on.publish("carly")
            await until(lambda: stalled.frames)
            stalled.block()
            on.fanout.stop()
            await until(lambda: stalled.served and behind.served)
            assert (stalled.ids, behind.bodies) == ([1], [])
            assert alive(Reader) == 0


async def test_stop_after_the_fan_out_itself_has_ended_still_ends_its_readers() -> None:
    feed = Feed(MemoryLog())
    await feed.open()
    fanout = Fanout(feed)
    wires = [Wire() for _ in range(3)]
    served: list[Wire] = []

    async def request(wire: Wire) -> None:
        await fanout.serve(ALL, 0, wire.receive, wire.send)
        served.append(wire)

    async with anyio.create_task_group() as requests:
        async with anyio.create_task_group() as group:
            group.start_soon(feed.write)
            group.start_soon(fanout.run)
            for wire in wires:
                requests.start_soon(request, wire)
            await turns()
            wires[1].block()
            await feed.append([message(1, None)])
            await until(lambda: wires[0].frames)
            wires[2].block()
            group.cancel_scope.cancel()
        fanout.stop()
        await until(lambda: len(served) == len(wires))
    assert [wire.ended for wire in wires] == [True, False, False]

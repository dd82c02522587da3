"""Starts tasks, and injects faults into agents and host at the same time."""

from __future__ import annotations

import json
import time
import uuid
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import anyio
import anyio.to_thread
import httpx

from tests.support.a2a_client import agent_at
from tests.support.delivery_check import KILLED, RunReport, count_lost, count_updates
from tests.support.exactly_once import (
    UPDATES,
    FaultActions,
    FaultRounds,
    ProxiedAgent,
)
from tests.support.fault_proxy import Faults
from tests.support.faulty_libc import FaultyLibc
from tests.support.feed_reader import FeedReader, read_log
from tests.support.full_disk import FullDisk
from tests.support.host_client import TERMINAL_STATUSES, Json, host_at
from tests.support.stack import Stack
from tests.support.waiting import wait_until

TASK_EVERY_S = 1.0
SETTLE_S = 60.0
SLOW_BYTES_PER_S = 20_000
CLOCKS_S = (-86_400.0, -3_600.0, -5.0, 0.0, 5.0, 3_600.0, 86_400.0)


class TrackingReader(FeedReader):
    """Also tracks in which contexts a task has started and ended."""

    def __init__(self, port: int, target: str) -> None:
        super().__init__(port, target)
        self.begun: set[str] = set()
        self.over: set[str] = set()

    def on_event(self, event_id: int, body: bytes) -> None:
        super().on_event(event_id, body)
        event = json.loads(body)
        if event["kind"] == "task":
            self.begun.add(event["context_id"])
            if event["status"] in TERMINAL_STATUSES:
                self.over.add(event["context_id"])


class Chaos(FaultRounds):
    """Injects faults (`run_for`), then waits for the end of all tasks (`settle`).

    `begun` maps the context of each requested task to its agent.
    """

    def __init__(
        self,
        stack: Stack,
        agents: Sequence[ProxiedAgent],
        seed: int,
        disk: FullDisk | None,
        libc: FaultyLibc | None,
    ) -> None:
        super().__init__(stack, agents, seed)
        port = int(stack.url.rpartition(":")[2])
        self.first = TrackingReader(port, "/feed")
        self.stalling = FeedReader(port, "/feed")
        self.readers = [
            self.first,
            self.stalling,
            FeedReader(port, "/feed", slow=True),
            FeedReader(port, f"/feed?agent={agents[0].name}"),
            FeedReader(port, "/tasks/stream"),
        ]
        self.begun: dict[str, ProxiedAgent] = {}
        self._disk, self._libc = disk, libc
        self._on_agents |= {"slow": self._slow, "agent killed": self._kill_agent}
        self._on_host |= {
            "host stopped": self._stop_host,
            "reader stalled": self._stall_reader,
            **({"disk full": self._fill_disk} if disk else {}),
            **({"clock set": self._set_clock} if libc else {}),
        }

    async def run_for(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        async with anyio.create_task_group() as group:
            group.start_soon(self._inject_faults, self._on_agents, end)
            group.start_soon(self._inject_faults, self._on_host, end)
            while time.monotonic() < end:
                for agent in self._agents:
                    by_host = self._random.random() < 0.5
                    group.start_soon(self._start, agent, by_host)
                await anyio.sleep(TASK_EVERY_S)

    async def _inject_faults(self, actions: FaultActions, end: float) -> None:
        while True:
            order = list(actions.items())
            self._random.shuffle(order)
            for name, inject in order:
                await self._some_time(0.5)
                if time.monotonic() > end:
                    return
                await inject()
                self.fault_counts[name] += 1

    async def _start(self, agent: ProxiedAgent, by_host: bool) -> None:
        """Request a task. The journal and the feed show whether it started."""
        context = str(uuid.uuid4())
        self.begun[context] = agent
        asked = f"{UPDATES} {context}"
        with suppress(httpx.TransportError):
            if by_host:
                async with host_at(self._stack.url) as host:
                    await host.send(agent.name, asked, contextId=context)
            else:
                async with agent_at(agent.url) as direct:
                    await direct.send(asked, wait=False, contextId=context)

    async def _slow(self) -> None:
        for agent in self._agents:
            agent.proxy.set_faults(Faults(bytes_per_s=SLOW_BYTES_PER_S))
        await self._some_time(1.5)
        for agent in self._agents:
            agent.proxy.clear_faults()

    async def _kill_agent(self) -> None:
        """Kill and restart one agent. Its tasks are lost."""
        doomed = self._random.choice(self._agents)
        doomed.process.kill()
        await self._some_time(0.5)
        await anyio.to_thread.run_sync(doomed.process.restart, SETTLE_S)

    async def _stop_host(self) -> None:
        self._stack.host.pause()
        await self._some_time(2.0)
        self._stack.host.resume()

    async def _stall_reader(self) -> None:
        self.stalling.is_paused = True
        await self._some_time(3.0)
        self.stalling.is_paused = False

    async def _fill_disk(self) -> None:
        assert self._disk
        self._disk.fill()
        await self._some_time(2.0)
        killed = self._random.random() < 0.5
        if killed:
            self._stack.host.kill()
        self._disk.free()
        if killed:
            await anyio.to_thread.run_sync(self._stack.host.restart, SETTLE_S)
        await self._wait_healthy()

    async def _set_clock(self) -> None:
        assert self._libc
        self._libc.set_clock(self._random.choice(CLOCKS_S))
        await self._some_time(0.5)

    async def _wait_healthy(self) -> None:
        """Wait for the host, which must recover without a restart."""

        async def is_healthy() -> bool:
            with suppress(httpx.TransportError):
                async with host_at(self._stack.url) as host:
                    return (await host.http.get("/healthz")).status_code == 200
            return False

        await wait_until(is_healthy, "the host to recover", SETTLE_S)

    async def settle(self) -> dict[int, bytes]:
        """Wait for all tasks and readers. Return the whole log."""
        for reader in self.readers:
            reader.slow = False

        async def are_over() -> bool:
            known = {context for context in self.begun if await self._task_in(context)}
            return known | self.first.begun <= self.first.over

        # A task that never ends counts as unreported.
        with suppress(AssertionError):
            await wait_until(are_over, "the end of every task", SETTLE_S)
        log = await read_log(self._stack.url, SETTLE_S)
        ends = {reader: reader.expected_from(log)[-1][0] for reader in self.readers}

        async def have_caught_up() -> bool:
            return all(end in reader.ids[-1:] for reader, end in ends.items())

        with suppress(AssertionError):
            await wait_until(have_caught_up, "the readers to reach the end", SETTLE_S)
        return log

    async def _task_in(self, context: str) -> Json | None:
        """Return the task from its agent, or None if the agent lost it."""
        async with agent_at(self.begun[context].url) as agent:
            found = await agent.tasks(contextId=context)
            return await agent.get(found[0]["id"]) if found else None

    async def check(
        self, report: RunReport, log: dict[int, bytes], journal: Path
    ) -> None:
        """Compare each reader with the log, and the log with the journal."""
        if list(log) != list(range(1, len(log) + 1)):
            report.reader_wrong.append("the log's ids are not 1, 2, 3 …")
        for number, reader in enumerate(self.readers):
            wanted = reader.expected_from(log)
            if list(zip(reader.ids, reader.bodies, strict=True)) != wanted:
                report.reader_wrong.append(f"reader {number} ({reader.target}) differs")
            if reader.unexpected:
                report.reader_wrong.append(
                    f"reader {number} got {reader.unexpected[:3]}"
                )
        emitted = _emitted(journal)
        feeds = _by_context(log)
        for context, agent in self.begun.items():
            task, feed = await self._task_in(context), feeds[context]
            if task:
                report.add(agent.name, context, count_updates(feed, task), feed)
            elif feed or context in emitted:
                counts = count_lost(feed, emitted.get(context, 0))
                report.add(agent.name + KILLED, context, counts, feed)


def _emitted(journal: Path) -> dict[str, int]:
    """Return the number of the last update in the journal, by context."""
    lines = (line.split() for line in journal.read_text().splitlines())
    return {context: int(number) for context, number in lines}


def _by_context(log: dict[int, bytes]) -> dict[str, list[Json]]:
    """Return the events of each context."""
    found: defaultdict[str, list[Json]] = defaultdict(list)
    for line in log.values():
        event = json.loads(line)
        if event.get("context_id"):
            found[event["context_id"]].append(event)
    return found

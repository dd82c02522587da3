"""Exactly-once rounds: numbered agents, a host, and faults in both.

`python -m tests.support.exactly_once` prints the result (scripts/exactly-once runs it);
test_exactly_once.py runs a few rounds and checks them. delivery_check.py counts.

        numbered_agents.py ⇒ fault_proxy.py ⇒ host ⇒ a reader of its feed
        stopped,       cut, stalled,    killed   comes back with
        continued      refused          with -9  its last id

Each round starts a task at every agent and injects one fault while the tasks run. Tasks
of several rounds overlap. At the end, the feed is compared with the agents' tasks.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path

import anyio
import httpx

from tests.support.a2a_client import agent_at
from tests.support.delivery_check import RunReport, count_updates
from tests.support.fault_proxy import FaultProxy, Faults
from tests.support.harness import NO_TLS, Server, free_port
from tests.support.host_client import HostClient, Json, Watcher, host_at, watch_feed
from tests.support.stack import Stack
from tests.support.waiting import WaitTimeout

ALL = tuple(
    (kind, binding)
    for kind in ("resumable", "plain")
    for binding in ("JSONRPC", "HTTP+JSON", "GRPC")
)
UPDATES = 60
JOURNAL = "journal.txt"
END_S = 30.0
START_S = 60.0
"""Six busy agents leave little CPU time to a starting host."""
MOST_CUT_BYTES = 12_000
"""About half of what one task sends."""


FaultAction = Callable[[], Awaitable[None]]
FaultActions = dict[str, FaultAction]


class ProxiedAgent:
    """A numbered agent behind its own fault proxy. The host knows only the proxy."""

    def __init__(
        self, kind: str, binding: str, proxy: FaultProxy, port: int, grpc: str, to: Path
    ) -> None:
        self.name = f"{kind}-{binding.partition('+')[0].lower()}"
        self.kind = kind
        self.proxy = proxy
        self.url = f"http://127.0.0.1:{port}"
        is_grpc = binding == "GRPC"
        # The proxy forwards one port. For gRPC, the host gets the card directly.
        self.url_for_host = self.url if is_grpc else proxy.url
        offered = proxy.url.removeprefix("http://") if is_grpc else proxy.url
        self.process = Server(
            self.name,
            [
                sys.executable,
                "-m",
                "tests.support.numbered_agents",
                kind,
                binding,
                str(port),
                offered,
                grpc,
            ],
            folder=to,
            env={"NUMBERED_JOURNAL": str(to / JOURNAL)},
            url=self.url,
            ready_path="/.well-known/agent-card.json",
        )


@contextmanager
def run_proxied_agents(
    folder: Path, which: Sequence[tuple[str, str]]
) -> Iterator[list[ProxiedAgent]]:
    """Run these agents, each behind its proxy."""
    with ExitStack() as stack:
        agents = []
        for kind, binding in which:
            port, grpc_port = free_port(), free_port()
            target = grpc_port if binding == "GRPC" else port
            proxy = stack.enter_context(FaultProxy(target))
            agent = ProxiedAgent(kind, binding, proxy, port, str(grpc_port), folder)
            agent.process.start()
            stack.callback(agent.process.kill)
            agents.append(agent)
        for agent in agents:
            agent.process.wait_ready(agent.process.ready_url, START_S)
        yield agents


class FaultRounds:
    """Runs rounds with one fault each, and records the tasks."""

    def __init__(self, stack: Stack, agents: Sequence[ProxiedAgent], seed: int) -> None:
        self.tasks: list[tuple[ProxiedAgent, str]] = []
        self.fault_counts: Counter[str] = Counter()
        self._stack = stack
        self._agents = agents
        self._random = random.Random(seed)  # noqa: S311 - repeatable
        self._on_agents: FaultActions = {
            "cut": self._cut,
            "cut at some byte": self._cut_at_some_byte,
            "stalled, then cut": self._stall,
            "refused": self._refuse,
            "agents stopped": self._stop_agents,
        }
        self._on_host: FaultActions = {"host killed": self._kill_host}

    async def run(self, rounds: int) -> None:
        """Run each fault equally often, in random order."""
        while rounds > 0:
            order = list((self._on_agents | self._on_host).items())
            self._random.shuffle(order)
            for name, inject in order[:rounds]:
                await self._round(name, inject)
            rounds -= len(order)

    async def _round(self, name: str, inject: FaultAction) -> None:
        async with anyio.create_task_group() as group:
            for agent in self._agents:
                group.start_soon(self._start, agent, self._random.random() < 0.5)
            await self._some_time(0.3)
            await inject()
        self.fault_counts[name] += 1

    async def _start(self, agent: ProxiedAgent, by_host: bool) -> None:
        """Start one task, through the host or directly at the agent.

        The host can lose its connection or be killed during the start. So the test
        asks the agent whether the task was started.
        """
        context = str(uuid.uuid4())
        if by_host:
            async with host_at(self._stack.url) as host:
                with suppress(httpx.TransportError):
                    await host.send(agent.name, str(UPDATES), contextId=context)
        async with agent_at(agent.url) as direct:
            begun = await direct.tasks(contextId=context)
            task_id = (
                begun[0]["id"]
                if begun
                else await direct.start(str(UPDATES), contextId=context)
            )
        self.tasks.append((agent, task_id))

    async def _cut(self) -> None:
        for agent in self._agents:
            agent.proxy.cut()
            await self._some_time(0.05)

    async def _cut_at_some_byte(self) -> None:
        for agent in self._agents:
            after = self._random.randint(1, MOST_CUT_BYTES)
            agent.proxy.set_faults(Faults(cut_after=after))
        await self._some_time(0.5)

    async def _stall(self) -> None:
        for agent in self._agents:
            after = self._random.randint(1, MOST_CUT_BYTES // 4)
            agent.proxy.set_faults(Faults(stall_after=after))
        await self._some_time(0.5)
        for agent in self._agents:
            agent.proxy.cut()
            agent.proxy.clear_faults()

    async def _refuse(self) -> None:
        for agent in self._agents:
            agent.proxy.set_faults(Faults(refuse=True))
            agent.proxy.cut()
        await self._some_time(0.5)
        for agent in self._agents:
            agent.proxy.clear_faults()

    async def _stop_agents(self) -> None:
        """Pause the agents, cut some connections at random, and resume the agents."""
        for agent in self._agents:
            agent.process.pause()
        try:
            await self._some_time(0.3)
            for agent in self._agents:
                if self._random.random() < 0.5:
                    agent.proxy.cut()
            await self._some_time(0.3)
        finally:
            for agent in self._agents:
                agent.process.resume()

    async def _kill_host(self) -> None:
        self._stack.host.kill()
        await anyio.to_thread.run_sync(self._stack.host.restart, START_S)

    async def _some_time(self, most_s: float) -> None:
        await anyio.sleep(self._random.uniform(0, most_s))


async def run(
    folder: Path, rounds: int, seed: int, which: Sequence[tuple[str, str]] = ALL
) -> RunReport:
    """Run `rounds` rounds with logs in `folder`. Return the report."""
    began = time.monotonic()
    with run_proxied_agents(folder, which) as agents:
        urls = {agent.name: agent.url_for_host for agent in agents}
        with Stack(folder, (), extra_agents=urls) as stack:
            stack.wait_connected(*urls)
            fault_rounds = FaultRounds(stack, agents, seed)
            async with watch_feed(f"{stack.url}/feed?after=0") as reader:
                await fault_rounds.run(rounds)
                # A task that never ends counts as unreported.
                with suppress(WaitTimeout):
                    await reader.until(
                        lambda: reader.is_over(
                            *(task for _, task in fault_rounds.tasks)
                        ),
                        "the end of every task",
                        END_S,
                    )
                report = RunReport(
                    seed, f"{rounds} rounds", fault_counts=fault_rounds.fault_counts
                )
                async with host_at(stack.url) as host:
                    await _check_reader(report, reader, host)
                await _count_updates(report, fault_rounds.tasks, reader)
        report.cuts = sum(agent.proxy.counts.cuts for agent in agents)
    report.took_s = time.monotonic() - began
    return report


async def _check_reader(report: RunReport, reader: Watcher, host: HostClient) -> None:
    """Check that the reader, which reconnected often, has the whole log once."""
    head = await host.head()
    await reader.until(lambda: reader.ids[-1:] >= [head], f"event {head}")
    report.reader_connections = reader.connections
    report.events = len(reader.ids)
    if reader.ids != list(range(1, len(reader.ids) + 1)):
        report.reader_wrong.append("the ids are not 1, 2, 3 …")
    if any(got.event == "snapshot" for got in reader.seen):
        report.reader_wrong.append("it got a snapshot, so its cursor was not usable")


async def _count_updates(
    report: RunReport, tasks: Sequence[tuple[ProxiedAgent, str]], reader: Watcher
) -> None:
    feeds: dict[str, list[Json]] = {task_id: [] for _, task_id in tasks}
    for event in reader.events:
        if event.get("task_id") in feeds:
            feeds[event["task_id"]].append(event)
    async with _directly() as http:
        for agent, task_id in tasks:
            answer = await http.get(f"{agent.url}/tasks/{task_id}")
            counts = count_updates(feeds[task_id], answer.raise_for_status().json())
            report.add(agent.name, task_id, counts, feeds[task_id])


@asynccontextmanager
async def _directly() -> AsyncIterator[httpx.AsyncClient]:
    headers = {"A2A-Version": "1.0"}
    async with httpx.AsyncClient(
        headers=headers, trust_env=False, verify=NO_TLS
    ) as http:
        yield http


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="scripts/exactly-once", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument(
        "--seed", type=int, default=1, help="the same seed repeats the faults of a run"
    )
    parser.add_argument("--keep", type=Path, help="folder for logs and wrong feeds")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="exactly-once-") as temporary:
        folder = given.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        report = anyio.run(run, folder, given.rounds, given.seed)
    sys.stdout.write(f"{report}\n")
    if report.wrong:
        if given.keep:
            (given.keep / "wrong.json").write_text(json.dumps(report.feeds, indent=1))
        sys.exit(f"Wrong: {', '.join(report.wrong)}")


if __name__ == "__main__":
    main()

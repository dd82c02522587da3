"""Exactly once: each update of a numbered agent is in the feed once, despite faults.

Runs a few rounds of tests/support/exactly_once.py. scripts/exactly-once runs 200.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.support.a2a_client import agent_at
from tests.support.delivery_check import UpdateCounts, count_updates, is_wrong
from tests.support.exactly_once import run, run_proxied_agents
from tests.support.fault_proxy import Faults
from tests.support.harness import THOROUGH
from tests.support.host_client import host_at
from tests.support.in_process_agent import wait_for_state
from tests.support.stack import Stack

ROUNDS = 20 if THOROUGH else 6
"""Each fault at least three times, or once."""
AGENTS = (("resumable", "JSONRPC"), ("resumable", "GRPC"), ("plain", "HTTP+JSON"))


async def test_no_update_is_repeated_or_silently_lost_during_faults(
    tmp_path: Path,
) -> None:
    seed = random.randrange(1_000_000)  # noqa: S311

    report = await run(tmp_path, ROUNDS, seed, AGENTS)

    assert report.fault_counts.total() == ROUNDS
    assert report.cuts > ROUNDS
    assert not report.reader_wrong, report
    wrong = [name for name, counts in report.counts.items() if is_wrong(name, counts)]
    assert not wrong, f"{report}\n{report.feeds}"
    plain = report.counts["plain-http"]
    assert plain.delivered < plain.updates, "the test broke no stream"


@pytest.mark.parametrize("binding", ["JSONRPC", "HTTP+JSON", "GRPC"])
async def test_gap_counts_updates_that_a_resumable_agent_no_longer_has(
    tmp_path: Path, binding: str
) -> None:
    with run_proxied_agents(tmp_path, [("forgetful", binding)]) as (agent,):
        urls = {agent.name: agent.url_for_host}
        with Stack(tmp_path, (), extra_agents=urls) as stack:
            stack.wait_connected(agent.name)
            async with host_at(stack.url) as host, agent_at(agent.url) as direct:
                task_id = await host.start(agent.name, "60")
                await host.row_with(task_id, "running")
                agent.proxy.set_faults(Faults(refuse=True))
                agent.proxy.cut()
                task = await wait_for_state(direct, task_id, "TASK_STATE_COMPLETED")
                agent.proxy.clear_faults()
                await host.row_with(task_id, "completed", deadline_s=60)
                events = await host.history(after=0, task=task_id)

    counts = count_updates(events, task)
    (gap,) = [event for event in events if event["kind"] == "gap"]
    assert not counts.wrong, events
    assert counts.in_gap
    # An upper bound: the agent may still have updates that it cannot replay.
    assert counts.in_gap <= gap["missing"] <= counts.updates


def test_resumable_agent_may_lose_nothing_even_in_a_gap() -> None:
    lossy = UpdateCounts(tasks=1, gaps=1, updates=61, delivered=60, in_gap=1)

    assert is_wrong("resumable-grpc", lossy)
    assert not is_wrong("plain-grpc", lossy)

"""All agents of tests/support/limit_agents.py that are beyond a limit, at one host.

Another agent is followed beside them, and the memory grows little.
"""

from __future__ import annotations

from pathlib import Path

from tests.support.agent_events import wait_for_events, wait_for_row
from tests.support.host_client import host_at, watch_feed
from tests.support.limit_agents import KINDS
from tests.support.limit_stack import follow_one, limit_agents
from tests.support.process_memory import memory_mb
from tests.support.stack import Stack

LONG_S = 180.0
MAX_GROWTH_MB = 192
"""Of some 20 agents together. The largest one sends 64 MiB without an end."""
REPORTED = {
    "card": "too large",
    "head": "bad HTTP",
    "redirects": "a redirect loop",
    "list": "too large",
    "endless": "an event without end",
    "requirements": "the card asks for",
    "streams": "of its tasks are open",
}
READ = ("event", "depth", "history", "result", "artifacts")


async def test_agents_beyond_all_limits_disturb_no_other_agent(tmp_path: Path) -> None:
    with limit_agents(tmp_path) as url, Stack(tmp_path, ["carly"]) as stack:
        async with host_at(stack.url) as host:
            before = memory_mb(stack.host.pid)
            for kind in KINDS:
                await follow_one(host, url, f"{kind}-beyond")
            async with watch_feed(f"{stack.url}/feed?agent=carly") as reader:
                task_id = await host.start("carly")
                await reader.until_over(task_id)
            for kind, words in REPORTED.items():
                await wait_for_row(host, f"{kind}-beyond", words, LONG_S)
            for kind in READ:
                last = "after" if kind in ("event", "depth") else "last"
                await wait_for_events(host, f"{kind}-beyond", last)
            readiness = await host.http.get("/readyz")
            growth = memory_mb(stack.host.pid) - before
        output = stack.host.output()

    kinds = {event["kind"] for event in reader.of_task(task_id)}
    assert kinds == {"task", "artifact"}
    assert readiness.status_code == 200
    assert growth < MAX_GROWTH_MB
    assert "Traceback" not in output

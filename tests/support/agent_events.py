"""Waits for what the feed says about an agent."""

from __future__ import annotations

from tests.support.host_client import HostClient, Json
from tests.support.waiting import TIMEOUT_S, wait_until


async def wait_for_row(
    host: HostClient, agent: str, words: str, deadline_s: float = TIMEOUT_S
) -> Json:
    """Return the first row of the agent with these words in its cause or trouble.

    The trouble may already be over: the feed still has its row.
    """

    async def found() -> Json | None:
        rows = await host.history(after=0, agent=agent, kind="agent")
        return next(
            (r for r in rows if words in f"{r.get('cause')} {r.get('trouble')}"), None
        )

    row = await wait_until(found, f"the row of {agent} to have {words!r}", deadline_s)
    assert row
    return row


async def wait_for_events(
    host: HostClient, agent: str, last: str, deadline_s: float = 60
) -> list[Json]:
    """Return the events of an agent's task, once it has the message `last`."""

    async def found() -> list[Json] | None:
        events = await host.history(after=0, agent=agent)
        ours = [event for event in events if event["kind"] in ("task", "gap")]
        return ours if any(event["message"] == last for event in ours) else None

    events = await wait_until(found, f"{agent} to say {last!r}", deadline_s)
    assert events
    return events

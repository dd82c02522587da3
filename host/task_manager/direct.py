"""Owns the way straight to agents: a small host within the process.

The manager speaks through it; its events go to the manager's ledger.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import aclosing, contextmanager
from functools import partial

import anyio
from a2a.types import a2a_pb2 as pb
from a2a.utils.error_handlers import build_rest_error_payload
from a2a.utils.errors import A2AError
from google.protobuf.json_format import ParseDict

from ..config.agent_settings import AgentSettings
from ..feed.feed import Feed
from ..feed.watch import watch
from ..following.collector import Collector
from ..log.memory import MemoryLog
from ..model.event import AgentEvent, with_id
from ..model.filter import ALL
from ..model.timestamps import now
from ..protocol.a2a_objects import StreamResponse
from .errors import Refused
from .task_table import Key, Ledger, Update

# The ledger reads right behind the feed, and keeps what is its own.
KEEP_EVENTS = 20_000


class Straight:
    """A `Way` with a feed in memory and a collector for each agent."""

    def __init__(self, agents: Mapping[str, AgentSettings]) -> None:
        self._agents = agents
        self._collectors: dict[str, Collector] = {}

    async def run(self, ledger: Ledger) -> None:
        feed = Feed(MemoryLog(), KEEP_EVENTS)
        await feed.open()
        async with anyio.create_task_group() as group:
            group.start_soon(feed.write)
            group.start_soon(feed.maintain)
            for name, settings in self._agents.items():
                wants = partial(_is_own, ledger, name)
                collector = Collector(name, settings, feed, wants=wants)
                self._collectors[name] = collector
                ledger.set_agent(_unmet(name, settings))
                group.start_soon(collector.run)
            ledger.ready()
            async with aclosing(watch(feed, ALL, 0)) as rows:
                async for row in rows:
                    ledger.take(with_id(row.id, row.body))

    async def send(self, agent: str, body: Update) -> StreamResponse:
        request = ParseDict(body, pb.SendMessageRequest())
        with _refusals(agent):
            return (await self._collectors[agent].send(request)).response

    async def cancel(self, agent: str, task_id: str) -> str:
        with _refusals(agent):
            update = await self._collectors[agent].cancel(task_id)
        task = update.response.task
        return task.status.state if task else "TASK_STATE_UNSPECIFIED"


def _is_own(ledger: Ledger, agent: str, task_id: str) -> bool:
    """A script does not follow what thousands of others do there."""
    return Key(agent, task_id) in ledger.own


def _unmet(name: str, settings: AgentSettings) -> AgentEvent:
    return AgentEvent(
        agent=name, url=settings.url, connection="connecting", received_at=now()
    )


@contextmanager
def _refusals(agent: str) -> Iterator[None]:
    """The agent's own word, with the reason that HTTP+JSON gives for it."""
    try:
        yield
    except A2AError as error:
        told = build_rest_error_payload(error)["error"]
        reason = told["details"][0]["reason"]
        raise Refused(f"{agent} refuses: {told['message']}", reason) from error

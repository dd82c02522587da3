"""Talks to agents directly: a feed in memory, and a collector for each agent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import aclosing, contextmanager
from functools import partial

import anyio
from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import A2AError
from google.protobuf.json_format import ParseDict

from ..api.responses import describe_error
from ..config.agent_settings import AgentSettings
from ..feed.feed import Feed
from ..feed.local_reader import watch
from ..feed.maintenance import maintain
from ..following.collector import Collector
from ..log.memory_log import MemoryLog
from ..model.event import AgentEvent, with_id
from ..model.filter import ALL
from ..model.timestamps import now
from ..protocol.a2a_objects import StreamResponse
from .errors import Refused
from .task_table import TaskTable, Update

# The table reads each event at once, and keeps what it needs.
KEEP_EVENTS = 20_000


class DirectTransport:
    """A Transport without a host."""

    def __init__(self, agents: Mapping[str, AgentSettings]) -> None:
        self._agents = agents
        self._collectors: dict[str, Collector] = {}

    async def run(self, table: TaskTable) -> None:
        feed = Feed(MemoryLog(), KEEP_EVENTS)
        await feed.open()
        async with anyio.create_task_group() as group:
            group.start_soon(feed.write)
            group.start_soon(maintain, feed)
            for name, settings in self._agents.items():
                # A script does not follow the tasks of other clients.
                wants = partial(table.has_task, name)
                collector = Collector(name, settings, feed, wants=wants)
                self._collectors[name] = collector
                table.set_agent(
                    AgentEvent(
                        agent=name,
                        url=settings.url,
                        connection="connecting",
                        received_at=now(),
                    )
                )
                group.start_soon(collector.run)
            table.set_ready()
            async with aclosing(watch(feed, ALL, 0)) as rows:
                async for row in rows:
                    table.add_event(with_id(row.id, row.body))

    async def send(self, agent: str, body: Update) -> StreamResponse:
        request = ParseDict(body, pb.SendMessageRequest())
        with _convert_errors(agent):
            answer = await self._collectors[agent].send(request)
            return (await answer.settle()).response

    async def cancel(self, agent: str, task_id: str) -> str:
        with _convert_errors(agent):
            update = await self._collectors[agent].cancel(task_id)
        task = update.response.task
        return task.status.state if task else "TASK_STATE_UNSPECIFIED"


@contextmanager
def _convert_errors(agent: str) -> Iterator[None]:
    """Raise Refused for an A2AError, with the same reason as over HTTP+JSON."""
    try:
        yield
    except A2AError as error:
        status, _ = describe_error(error)
        reason = status.details[0]["reason"]
        raise Refused(f"{agent} refuses: {status.message}", reason) from error

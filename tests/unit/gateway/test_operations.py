"""Tests of operations.py that need an agent with exact timing."""

from __future__ import annotations

import anyio
import pytest
from a2a.types import a2a_pb2 as pb

from host.clients.answer import Answer
from host.clients.bindings.json_errors import UpdatesGone
from host.clients.bindings.types import Update
from host.feed.feed import Feed
from host.gateway import operations as module
from host.gateway.operations import Call, Operations
from host.protocol.a2a_objects import Status, StreamResponse, Task
from tests.unit.feed.test_local_reader import running_feed
from tests.unit.gateway.test_task_stream import add_updates, end


class FinishedAgent:
    """Its task t1 has ended. `feed_late` puts the task in the feed after GetTask."""

    name = "carly"
    card = pb.AgentCard()

    def __init__(self, feed: Feed, *, feed_late: bool) -> None:
        self._feed = feed
        self._feed_late = feed_late

    async def get_task(self, task_id: str) -> Update:
        if self._feed_late:
            await add_updates(self._feed, 1, 2)
            await self._feed.append([end(3)])
        status = Status("TASK_STATE_COMPLETED")
        task = Task(id=task_id, status=status)
        return Update(StreamResponse(task=task), b"")

    async def send(self, request: pb.SendMessageRequest) -> Answer:
        raise NotImplementedError

    async def cancel(self, task_id: str) -> Update:
        raise NotImplementedError


async def numbers_after_0(feed: Feed, agent: FinishedAgent) -> list[int | None]:
    operations = Operations(feed, lambda _: agent)
    call = Call("carly", pb.SubscribeToTaskRequest(id="t1"), last_event_id="0")
    with anyio.fail_after(30):
        return [
            update.number
            async for batch in operations.subscribe(call)
            for update in batch
        ]


async def test_subscriber_gets_all_updates_of_a_task_that_ends_before_it_is_fed() -> (
    None
):
    async with running_feed() as feed:
        agent = FinishedAgent(feed, feed_late=True)
        assert await numbers_after_0(feed, agent) == [1, 2, 3]


async def test_updates_of_a_task_that_ended_without_the_host_are_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "FEED_TIMEOUT_S", 0.01)
    async with running_feed() as feed:
        with pytest.raises(UpdatesGone, match="ended before the host found it"):
            await numbers_after_0(feed, FinishedAgent(feed, feed_late=False))

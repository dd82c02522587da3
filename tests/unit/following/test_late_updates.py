"""Updates with numbers that come after the end of a task are held, with a limit."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import anyio.lowlevel
import pytest

from host.clients.bindings.types import Batch
from host.merging import task_end
from host.model.event import ArtifactEvent, TaskEvent
from host.protocol.artifact_record import RecordMemory
from tests.support.scripted_agent import (
    ScriptedConnection,
    chunk,
    follow,
    status,
)

KILOBYTE = 1_000


class EndlessAgent(ScriptedConnection):
    """Ends its task, and then sends chunks without end."""

    sent = 0

    async def subscribe(
        self, task_id: str, after: int | None = None
    ) -> AsyncGenerator[Batch, None]:
        yield Batch([status("WORKING", "", 1), status("COMPLETED", "done", 2)])
        while True:
            self.sent += 1
            yield Batch([chunk("x" * KILOBYTE, 2 + self.sent)])
            await anyio.lowlevel.checkpoint()


async def test_agent_waits_when_many_late_updates_are_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(task_end, "MAX_HELD_BYTES", 5 * KILOBYTE)
    agent, memory = EndlessAgent([], [], resumable=True), RecordMemory()

    *_, last = events = await follow(agent, memory=memory)

    assert 3 <= agent.sent <= 5
    assert isinstance(last, TaskEvent)
    assert last.result == "x" * KILOBYTE * agent.sent
    chunks = [event for event in events if isinstance(event, ArtifactEvent)]
    assert len(chunks) == agent.sent
    assert memory.held > 5 * KILOBYTE

"""Tests of host/following/response_parts.py: an agent waits for the readers."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import anyio

from host.clients.bindings.types import Batch
from host.following.response_parts import MAX_WAITING, Part, ResponseParts


async def test_agent_waits_while_nobody_reads_its_response() -> None:
    sent = 0
    parts: list[Part] = []

    async def response() -> AsyncGenerator[Batch]:
        nonlocal sent
        for _ in range(3 * MAX_WAITING):
            sent += 1
            yield Batch([])

    async with anyio.create_task_group() as group:
        reader = ResponseParts("t1", lambda _, part: parts.append(part))
        group.start_soon(reader.read, response())
        await anyio.wait_all_tasks_blocked()
        # The host holds one more, for which there is no room yet.
        assert sent == MAX_WAITING + 1

        read = [batch async for batch in parts[0]]

    assert len(read) == sent == 3 * MAX_WAITING

"""Tests of host/clients/bindings/large_responses.py: who waits for room."""

from __future__ import annotations

import anyio

from host.clients.bindings.large_responses import (
    MAX_BYTES,
    SMALL_BYTES,
    LargeResponses,
)


async def has_room(events: LargeResponses, stream: str, size: int) -> bool:
    with anyio.move_on_after(0.05):
        await events.keep(stream, size)
        return True
    return False


async def test_only_the_first_stream_goes_on_over_the_limit() -> None:
    events = LargeResponses()
    half = MAX_BYTES // 2

    assert await has_room(events, "first", half)
    assert await has_room(events, "second", half)
    assert not await has_room(events, "third", SMALL_BYTES + 1)
    assert await has_room(events, "first", 2 * half)
    assert await has_room(events, "small", SMALL_BYTES)


async def test_next_stream_goes_on_when_the_first_has_ended_its_event() -> None:
    events = LargeResponses()
    await events.keep("first", MAX_BYTES)
    async with anyio.create_task_group() as group:
        group.start_soon(events.keep, "second", MAX_BYTES // 2)
        group.start_soon(events.keep, "third", MAX_BYTES // 2)
        await anyio.wait_all_tasks_blocked()
        with anyio.fail_after(30):
            await events.keep("first", 0)
    assert not await has_room(events, "fourth", SMALL_BYTES + 1)
    events.drop("second")
    events.drop("third")
    assert await has_room(events, "fourth", MAX_BYTES)


async def test_next_response_goes_on_when_the_first_is_smaller_than_expected() -> None:
    bodies = LargeResponses()
    await bodies.keep("first", MAX_BYTES)
    async with anyio.create_task_group() as group:
        group.start_soon(bodies.keep, "second", MAX_BYTES // 2)
        await anyio.wait_all_tasks_blocked()
        with anyio.fail_after(30):
            await bodies.keep("first", MAX_BYTES // 2)

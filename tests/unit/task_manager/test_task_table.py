"""Tests that TaskTable keeps the updates of the manager's tasks in order."""

from __future__ import annotations

import json

import anyio
import pytest

from host.errors import CourtsideError
from host.task_manager import task_table as module
from host.task_manager.task_table import Key, TaskTable


def body(
    number: int, agent: str, task_id: str, status: str = "running", **more: str
) -> bytes:
    event = {"id": number, "kind": "task", "agent": agent, "task_id": task_id}
    return json.dumps(event | {"status": status} | more).encode()


def message(number: int, agent: str, message_id: str) -> bytes:
    event = {"id": number, "kind": "message", "agent": agent, "message_id": message_id}
    return json.dumps(event).encode()


def add_task(table: TaskTable, agent: str, task_id: str) -> None:
    table.add_task(Key(agent, task_id), is_message=False)


async def seen(table: TaskTable) -> list[int]:
    """Return the ids that a reader gets before it has to wait."""
    ids: list[int] = []
    with anyio.move_on_after(0.02):
        async for update in table.stream():
            ids.append(update["id"])
    return ids


async def test_notice_of_an_own_task_is_an_update_and_ends_nothing() -> None:
    table = TaskTable()
    add_task(table, "carly", "t1")
    for number, task_id in ((2, "t1"), (3, "of another client")):
        notice = {"id": number, "kind": "notice", "notice": "stalled", "agent": "carly"}
        table.add_event(json.dumps(notice | {"task_id": task_id}).encode())
    stalled_since = "2026-11-25T12:00:01.500Z"
    table.add_event(body(4, "carly", "t1", stalled_since=stalled_since))

    assert await seen(table) == [2, 4]
    assert len(table.open_tasks()) == 1
    table.add_event(body(5, "carly", "t1", "completed"))
    assert await seen(table) == [2, 4, 5]


class TestOrder:
    async def test_event_before_the_response_is_kept(self) -> None:
        table = TaskTable()
        with table.expect_response("carly"):
            table.add_event(body(1, "carly", "new"))
            add_task(table, "carly", "new")
        table.add_event(body(2, "carly", "new", "completed"))

        assert await seen(table) == [1, 2]

    async def test_later_events_wait_for_the_response(self) -> None:
        table = TaskTable()
        add_task(table, "walter", "old")
        with table.expect_response("carly"):
            table.add_event(body(1, "walter", "old"))
            table.add_event(body(2, "carly", "new"))
            table.add_event(body(3, "walter", "old"))
            assert await seen(table) == [1]
            add_task(table, "carly", "new")

        assert await seen(table) == [1, 2, 3]

    async def test_events_of_other_tasks_are_dropped_at_once(self) -> None:
        table = TaskTable()
        add_task(table, "walter", "old")
        with table.expect_response("carly"):
            table.add_event(body(1, "logan", "strange"))
            table.add_event(body(2, "walter", "old"))
            assert await seen(table) == [2]
            table.add_event(body(3, "carly", "strange"))
        table.add_event(body(4, "walter", "old"))

        assert await seen(table) == [2, 4]

    async def test_two_starts_at_one_agent_keep_their_updates(self) -> None:
        table = TaskTable()
        with table.expect_response("carly"):
            with table.expect_response("carly"):
                table.add_event(body(1, "carly", "a"))
                table.add_event(body(2, "carly", "b"))
                add_task(table, "carly", "b")
            assert await seen(table) == []
            add_task(table, "carly", "a")

        assert await seen(table) == [1, 2]

    async def test_slow_agent_does_not_delay_the_others(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "MAX_HOLD_S", 0.0)
        table = TaskTable()
        add_task(table, "walter", "old")
        with table.expect_response("carly"):
            table.add_event(body(1, "carly", "new"))
            table.add_event(body(2, "walter", "old"))
            await anyio.sleep(0.01)
            table.add_event(body(3, "carly", "new"))
            table.add_event(body(4, "walter", "old"))
            assert await seen(table) == [2, 4]
            add_task(table, "carly", "new")

        assert await seen(table) == [2, 4, 1, 3]

    async def test_message_without_a_task_has_its_own_id(self) -> None:
        table = TaskTable()
        with table.expect_response("scenario"):
            table.add_event(message(1, "scenario", "other"))
            table.add_event(message(2, "scenario", "m1"))
            table.add_task(Key("scenario", "m1"), is_message=True)

        assert [update["id"] async for update in table.stream()] == [2]


class TestEndOfStream:
    async def test_comes_when_no_task_is_open_or_starting(self) -> None:
        table = TaskTable()
        assert [update async for update in table.stream()] == []

        table.pending_starts = 1
        got: list[int] = []

        async def read() -> None:
            async for update in table.stream():
                got.append(update["id"])

        async with anyio.create_task_group() as group:
            group.start_soon(read)
            await anyio.wait_all_tasks_blocked()
            add_task(table, "carly", "t")
            table.pending_starts = 0
            table.add_event(body(1, "carly", "t", "input-required"))
            await anyio.wait_all_tasks_blocked()
            assert group.cancel_scope.cancel_called is False
            table.add_event(body(2, "carly", "t", "rejected"))
        assert got == [1, 2]

    async def test_comes_with_the_end_of_its_one_task(self) -> None:
        table = TaskTable()
        add_task(table, "carly", "a")
        add_task(table, "carly", "b")
        table.add_event(body(1, "carly", "a", "completed"))

        stream = table.stream(Key("carly", "a"))
        assert [update["id"] async for update in stream] == [1]

    async def test_is_an_error_after_a_failure(self) -> None:
        table = TaskTable()
        add_task(table, "carly", "a")
        table.add_event(body(1, "carly", "a"))
        table.fail(CourtsideError("the first reason"))
        table.fail(CourtsideError("another"))

        got = []
        with pytest.raises(CourtsideError, match="the first reason"):
            async for update in table.stream():
                got.append(update["id"])
        assert got == [1]

    async def test_is_not_an_error_if_the_tasks_ended_before_the_failure(self) -> None:
        table = TaskTable()
        add_task(table, "carly", "a")
        table.add_event(body(1, "carly", "a", "completed"))
        table.fail(CourtsideError("left"))

        assert await seen(table) == [1]


async def test_reader_may_change_its_updates() -> None:
    table = TaskTable()
    add_task(table, "carly", "a")
    table.add_event(body(1, "carly", "a", "completed"))
    async for update in table.stream():
        update.clear()

    assert await seen(table) == [1]


class TestContinuedTask:
    """An agent may answer a reply with a new task."""

    async def test_stream_of_the_old_task_ends_with_the_new_one(self) -> None:
        table = TaskTable()
        add_task(table, "carly", "a")
        table.add_event(body(1, "carly", "a", "input-required"))
        table.add_event(body(2, "carly", "a", "input-required", continued_by="b"))
        table.add_event(body(3, "carly", "b", "completed", continues="a"))

        stream = table.stream(Key("carly", "a"))
        assert [update["id"] async for update in stream] == [1, 2, 3]
        assert await seen(table) == [1, 2, 3]

    async def test_new_task_may_come_before_the_link(self) -> None:
        table = TaskTable()
        add_task(table, "carly", "a")
        table.add_event(body(1, "carly", "b", "completed", continues="a"))
        table.add_event(body(2, "carly", "a", "input-required", continued_by="b"))

        assert await seen(table) == [1, 2]

    def test_old_task_is_open_again_after_its_own_update(self) -> None:
        table = TaskTable()
        add_task(table, "carly", "a")
        table.add_event(body(1, "carly", "a", "input-required", continued_by="b"))
        assert [task.key.id for task in table.open_tasks()] == ["b"]
        table.add_event(body(2, "carly", "a", "input-required"))

        (old, _) = table.tasks.values()
        assert old.asks
        assert [task.key.id for task in table.open_tasks()] == ["a", "b"]

    def test_circle_of_tasks_has_an_end(self) -> None:
        table = TaskTable()
        add_task(table, "carly", "a")
        table.add_event(body(1, "carly", "a", "input-required", continued_by="b"))
        table.add_event(body(2, "carly", "b", "input-required", continued_by="a"))

        chain = table.chain(Key("carly", "a"))
        assert [task.key.id for task in chain] == ["a", "b"]

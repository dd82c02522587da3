"""Owns the promises of host/task_manager/task_table.py: what is ours, whole and in
order.
"""

from __future__ import annotations

import json

import anyio
import pytest

from host.errors import CourtsideError
from host.task_manager import task_table as module
from host.task_manager.task_table import Key, Ledger


def body(
    number: int, agent: str, task_id: str, status: str = "running", **more: str
) -> bytes:
    event = {"id": number, "kind": "task", "agent": agent, "task_id": task_id}
    return json.dumps(event | {"status": status} | more).encode()


def message(number: int, agent: str, message_id: str) -> bytes:
    event = {"id": number, "kind": "message", "agent": agent, "message_id": message_id}
    return json.dumps(event).encode()


def claim(ledger: Ledger, agent: str, task_id: str) -> None:
    ledger.claim(Key(agent, task_id), is_message=False)


async def seen(ledger: Ledger) -> list[int]:
    """The ids that a reader has when it has to wait, or is done."""
    ids: list[int] = []
    with anyio.move_on_after(0.02):
        async for update in ledger.follow():
            ids.append(update["id"])
    return ids


class TestOrder:
    async def test_what_comes_before_the_answer_is_not_lost(self) -> None:
        ledger = Ledger()
        with ledger.asking("carly"):
            ledger.take(body(1, "carly", "new"))
            claim(ledger, "carly", "new")
        ledger.take(body(2, "carly", "new", "completed"))

        assert await seen(ledger) == [1, 2]

    async def test_what_stands_behind_it_waits_for_it(self) -> None:
        ledger = Ledger()
        claim(ledger, "walter", "old")
        with ledger.asking("carly"):
            ledger.take(body(1, "walter", "old"))
            ledger.take(body(2, "carly", "new"))
            ledger.take(body(3, "walter", "old"))
            assert await seen(ledger) == [1]
            claim(ledger, "carly", "new")

        assert await seen(ledger) == [1, 2, 3]

    async def test_others_tasks_are_dropped_and_hold_nothing_up(self) -> None:
        ledger = Ledger()
        claim(ledger, "walter", "old")
        with ledger.asking("carly"):
            ledger.take(body(1, "logan", "strange"))
            ledger.take(body(2, "walter", "old"))
            assert await seen(ledger) == [2]
            ledger.take(body(3, "carly", "strange"))
        ledger.take(body(4, "walter", "old"))

        assert await seen(ledger) == [2, 4]

    async def test_two_starts_at_one_agent_keep_both_their_updates(self) -> None:
        ledger = Ledger()
        with ledger.asking("carly"):
            with ledger.asking("carly"):
                ledger.take(body(1, "carly", "a"))
                ledger.take(body(2, "carly", "b"))
                claim(ledger, "carly", "b")
            assert await seen(ledger) == []
            claim(ledger, "carly", "a")

        assert await seen(ledger) == [1, 2]

    async def test_an_agent_that_does_not_answer_holds_the_others_up_no_longer(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "HOLD_S", 0.0)
        ledger = Ledger()
        claim(ledger, "walter", "old")
        with ledger.asking("carly"):
            ledger.take(body(1, "carly", "new"))
            ledger.take(body(2, "walter", "old"))
            await anyio.sleep(0.01)
            ledger.take(body(3, "carly", "new"))
            ledger.take(body(4, "walter", "old"))
            assert await seen(ledger) == [2, 4]
            claim(ledger, "carly", "new")

        assert await seen(ledger) == [2, 4, 1, 3]

    async def test_a_message_without_a_task_is_ours_by_its_own_id(self) -> None:
        ledger = Ledger()
        with ledger.asking("tessa"):
            ledger.take(message(1, "tessa", "other"))
            ledger.take(message(2, "tessa", "m1"))
            ledger.claim(Key("tessa", "m1"), is_message=True)

        assert [update["id"] async for update in ledger.follow()] == [2]


class TestTheEnd:
    async def test_is_when_nothing_is_open_or_about_to_be(self) -> None:
        ledger = Ledger()
        assert [update async for update in ledger.follow()] == []

        ledger.starting = 1
        got: list[int] = []

        async def read() -> None:
            async for update in ledger.follow():
                got.append(update["id"])

        async with anyio.create_task_group() as group:
            group.start_soon(read)
            await anyio.wait_all_tasks_blocked()
            claim(ledger, "carly", "t")
            ledger.starting = 0
            ledger.take(body(1, "carly", "t", "input-required"))
            await anyio.wait_all_tasks_blocked()
            assert group.cancel_scope.cancel_called is False
            ledger.take(body(2, "carly", "t", "rejected"))
        assert got == [1, 2]

    async def test_of_one_task_does_not_wait_for_the_others(self) -> None:
        ledger = Ledger()
        claim(ledger, "carly", "a")
        claim(ledger, "carly", "b")
        ledger.take(body(1, "carly", "a", "completed"))

        stream = ledger.follow(Key("carly", "a"))
        assert [update["id"] async for update in stream] == [1]

    async def test_comes_as_an_error_where_nothing_more_can_come(self) -> None:
        ledger = Ledger()
        claim(ledger, "carly", "a")
        ledger.take(body(1, "carly", "a"))
        ledger.fail(CourtsideError("the first reason"))
        ledger.fail(CourtsideError("another"))

        got = []
        with pytest.raises(CourtsideError, match="the first reason"):
            async for update in ledger.follow():
                got.append(update["id"])
        assert got == [1]

    async def test_that_has_come_is_no_error_for_a_late_reader(self) -> None:
        ledger = Ledger()
        claim(ledger, "carly", "a")
        ledger.take(body(1, "carly", "a", "completed"))
        ledger.fail(CourtsideError("left"))

        assert await seen(ledger) == [1]


async def test_a_reader_may_change_what_it_gets() -> None:
    ledger = Ledger()
    claim(ledger, "carly", "a")
    ledger.take(body(1, "carly", "a", "completed"))
    async for update in ledger.follow():
        update.clear()

    assert await seen(ledger) == [1]

"""TaskManager: every update of every task it starts, straight and over a host alike.

Real agents and a real host; each test runs over both ways.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

import anyio
import pytest

from host.errors import CourtsideError, UnknownAgent
from host.task_manager.errors import (
    ManagerClosed,
    NotAsking,
    Refused,
    UnknownName,
    UnknownTask,
)
from tests.support.a2a_client import agent_at
from tests.support.harness import Server, Stack, free_port
from tests.support.host_client import host_at
from tests.support.manager_transports import WAYS, Json, Way, row_of, updates_of, way_to
from tests.support.third_party import start_at

TERMINAL = {"completed", "error", "cancelled", "rejected"}


@pytest.fixture(scope="module")
def tessa(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an agent that can do anything."""
    port = free_port()
    server = Server(
        "tessa",
        [sys.executable, "-m", "tests.support.tessa", str(port)],
        folder=tmp_path_factory.mktemp("tessa"),
        url=f"http://127.0.0.1:{port}",
        ready_path="/.well-known/agent-card.json",
    )
    server.start()
    server.wait_ready(server.ready_url)
    yield server.url
    server.terminate()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, tessa: str) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    with Stack(folder, extra_agents={"tessa": tessa}) as running:
        running.wait_connected("tessa")
        yield running


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, stack: Stack, tessa: str) -> Way:
    return way_to(request.param, stack, tessa=tessa)


def of(updates: list[Json], task_id: str) -> list[Json]:
    return [update for update in updates if update.get("task_id") == task_id]


class TestStreamAll:
    async def test_has_every_update_of_every_task_in_order_to_the_last(
        self, way: Way
    ) -> None:
        async with way.manager() as manager:
            started = [
                await manager.start_task("calendar_check"),
                await manager.start_task("weather_forecast"),
                await manager.start_task("venue_search"),
            ]
            updates = await updates_of(manager)

        ids = [update["id"] for update in updates]
        assert ids == sorted(set(ids))
        assert {update["task_id"] for update in updates} == set(started)
        for task_id in started:
            said = [update.get("status") for update in of(updates, task_id)]
            assert said[-1] == "completed"
            assert TERMINAL.isdisjoint(said[:-1])
        carly = [u for u in of(updates, started[0]) if u["kind"] == "task"]
        assert [row["message"] for row in carly if row["message"]] == [
            "Starting calendar search…",
            "Checking personal calendar…",
            "Querying team calendars…",
            "Finding optimal time slots…",
            "Found 3 available slots for tomorrow!",
        ]
        assert carly[-1]["result"] == "Found 3 available slots for tomorrow!"

    async def test_gives_the_feeds_own_events(self, way: Way, stack: Stack) -> None:
        async with way.manager() as manager:
            task_id = await manager.start_task("streaming")
            updates = await updates_of(manager)

        async with host_at(stack.url) as host:
            await host.row_with(task_id, "completed")
            told = await host.history(after=0, task=task_id)
        own = ("id", "received_at")
        # Its own host numbers for itself; all else is one and the same.
        ignored = own if way.name == "straight" else ()
        assert _without(updates, *ignored) == _without(told, *ignored)
        assert json.loads(json.dumps(updates)) == updates
        assert {update["kind"] for update in updates} == {"task", "artifact"}

    async def test_has_the_tasks_that_are_started_while_it_runs(self, way: Way) -> None:
        async with way.manager() as manager:
            started = [await manager.start_task("availability")]
            ended: list[str] = []
            async for update in manager.stream_all():
                if update.get("status") == "completed":
                    ended.append(update["task_id"])
                    if len(started) < 3:
                        started.append(await manager.start_task("venue_search"))

        assert ended == started

    async def test_is_whole_for_each_reader_a_late_one_too(self, way: Way) -> None:
        async with way.manager() as manager:
            seen: list[list[Json]] = []

            async def read() -> None:
                seen.append(await updates_of(manager))

            await manager.start_task("calendar_check")
            async with anyio.create_task_group() as group:
                group.start_soon(read)
                group.start_soon(read)
            await read()

        assert seen[0] == seen[1] == seen[2]
        assert seen[0][-1]["status"] == "completed"

    async def test_ends_at_once_where_nothing_was_started(self, way: Way) -> None:
        async with way.manager() as manager:
            assert await updates_of(manager) == []

    async def test_keeps_quiet_about_tasks_of_others(self, way: Way) -> None:
        async with way.manager() as manager:
            theirs = await start_at(way.agents["carly"])
            ours = await manager.start_task("calendar_check")
            updates = await updates_of(manager)

        assert theirs != ours
        assert {update["task_id"] for update in updates} == {ours}

    async def test_has_the_message_of_an_agent_that_makes_no_task(
        self, way: Way
    ) -> None:
        async with way.manager() as manager:
            message_id = await manager.start_task("replying", message="two\u2028lines")
            [update] = await updates_of(manager)
            [again] = [one async for one in manager.stream(message_id)]
            with pytest.raises(UnknownTask, match="no task to cancel"):
                await manager.cancel_task(message_id)

        assert update == again
        assert update["kind"] == "message"
        assert update["message_id"] == message_id
        assert update["message"] == "You said two\u2028lines."


class TestStartTask:
    async def test_need_not_be_awaited(self, way: Way) -> None:
        async with way.manager() as manager:
            manager.start_task("calendar_check")
            manager.start_task("weather_forecast")
            updates = await updates_of(manager)

        ended = [u["agent"] for u in updates if u.get("status") == "completed"]
        assert sorted(ended) == ["carly", "walter"]

    async def test_that_failed_unawaited_is_raised_at_the_end_of_the_stream(
        self, way: Way
    ) -> None:
        async with way.manager() as manager:
            manager.start_task("calendar_check")
            manager.start_task("dance")
            seen = []
            with pytest.raises(UnknownName, match="'dance'"):
                async for update in manager.stream_all():
                    seen.append(update)

        assert seen[-1]["status"] == "completed"

    async def test_that_failed_unawaited_is_raised_at_the_end_of_the_block(
        self, way: Way
    ) -> None:
        with pytest.raises(UnknownName, match="carly has no skill 'dance'"):
            async with way.manager() as manager:
                await manager.start_task("carly")
                manager.start_task("carly/dance")

    async def test_tells_the_agent_what_it_is_told_to(self, way: Way) -> None:
        async with way.manager() as manager:
            for names in (
                {"name": "carly"},
                {"name": "carly/availability"},
                {"agent": "carly", "skill": "availability", "message": "Who?"},
            ):
                await manager.start_task(**names)
            updates = await updates_of(manager)

        told = [await _told(way, task_id) for task_id in _tasks(updates)]
        assert told == [
            ("Find a slot for a game tomorrow", None),
            ("When is everyone free tomorrow?", "availability"),
            ("Who?", "availability"),
        ]

    @pytest.mark.parametrize(
        ("names", "error", "words"),
        [
            ({"name": "dance"}, UnknownName, "no skill 'dance'.*carly .calendar_check"),
            ({"name": "carly/dance"}, UnknownName, "carly has no skill 'dance'"),
            ({"agent": "anna"}, UnknownAgent, "no agent 'anna'; there are: carly"),
            ({}, UnknownName, "say what to start"),
        ],
    )
    async def test_of_what_is_not_there_says_what_is(
        self, way: Way, names: dict[str, str], error: type[Exception], words: str
    ) -> None:
        async with way.manager() as manager:
            with pytest.raises(error, match=words) as raised:
                await manager.start_task(**names)
            assert isinstance(raised.value, CourtsideError)
            assert await updates_of(manager) == []

    async def test_of_a_message_too_large_sends_nothing(self, way: Way) -> None:
        async with way.manager() as manager:
            with pytest.raises(Refused, match="nothing was sent") as refused:
                await manager.start_task("carly", message="x" * 5_000_000)
            assert await updates_of(manager) == []
        assert refused.value.reason == "BODY_TOO_LARGE"


class TestOneTask:
    async def test_has_a_stream_of_its_own(self, way: Way) -> None:
        async with way.manager() as manager:
            carly = await manager.start_task("calendar_check")
            walter = await manager.start_task("weather_forecast")
            own = [update async for update in manager.stream(carly)]
            both = await updates_of(manager)

        assert own == of(both, carly)
        assert of(both, walter)

    async def test_can_be_cancelled(self, way: Way) -> None:
        async with way.manager() as manager:
            task_id = await manager.start_task("weather_forecast")
            await row_of(manager, task_id, "running")
            assert await manager.cancel_task(task_id) == "cancelled"
            updates = await updates_of(manager)

        assert updates[-1]["status"] == "cancelled"
        assert updates[-1]["message"] == "Task cancelled by user request"

    async def test_that_asks_is_answered_and_goes_on(self, way: Way) -> None:
        async with way.manager() as manager:
            task_id = await manager.start_task("invite_everyone")
            asked = []
            async for update in manager.stream_all():
                if update.get("status") == "input-required":
                    asked.append(update["message"])
                    await manager.reply(update["task_id"], "Send")

        assert asked == ["Send 4 invitations?"]
        assert update["task_id"] == task_id
        assert update["result"] == "Sent 4 invitations: Alex, Kim, Robin and Sam."

    async def test_that_asks_nothing_is_sent_no_reply(self, way: Way) -> None:
        async with way.manager() as manager:
            task_id = await manager.start_task("calendar_check")
            await row_of(manager, task_id, "running")
            with pytest.raises(NotAsking, match="asks nothing now: it is running"):
                await manager.reply(task_id, "Send")
            updates = await updates_of(manager)
            with pytest.raises(NotAsking, match="it is completed"):
                await manager.reply(task_id, "Send")

        assert updates[-1]["status"] == "completed"
        async with agent_at(way.agents["carly"]) as carly:
            history = (await carly.get(task_id))["history"]
        assert [m["role"] for m in history].count("ROLE_USER") == 1

    async def test_that_was_answered_is_not_answered_twice(self, way: Way) -> None:
        async with way.manager() as manager:
            task_id = await manager.start_task("invite_everyone")
            await row_of(manager, task_id, "input-required")
            outcomes: list[str] = []

            async def reply() -> None:
                try:
                    await manager.reply(task_id, "Don't send")
                except NotAsking:
                    outcomes.append("refused")
                else:
                    outcomes.append("sent")

            async with anyio.create_task_group() as group:
                group.start_soon(reply)
                group.start_soon(reply)
            updates = await updates_of(manager)

        assert sorted(outcomes) == ["refused", "sent"]
        assert updates[-1]["result"] == "Nothing was sent."

    async def test_that_is_over_is_not_cancelled(self, way: Way) -> None:
        async with way.manager() as manager:
            task_id = await manager.start_task("availability")
            await updates_of(manager)
            with pytest.raises(Refused, match="carly refuses: Task ") as told:
                await manager.cancel_task(task_id)
        assert told.value.reason == "TASK_NOT_CANCELABLE"

    async def test_that_the_agent_rejects_ends_the_stream(self, way: Way) -> None:
        async with way.manager() as manager:
            await manager.start_task("refusing")
            updates = await updates_of(manager)
        assert updates[-1]["status"] == "rejected"
        assert updates[-1]["message"] == "Tessa does not do that; ask somebody else."

    async def test_that_was_not_started_here_is_unknown(self, way: Way) -> None:
        theirs = await start_at(way.agents["carly"])
        async with way.manager() as manager:
            ours = await manager.start_task("availability")
            for call in (manager.cancel_task(theirs), manager.reply(theirs, "Yes")):
                with pytest.raises(UnknownTask, match=f"there are: {ours}"):
                    await call
            with pytest.raises(UnknownTask):
                manager.stream(theirs)


class TestUse:
    async def test_outside_the_block_is_refused(self, way: Way) -> None:
        manager = way.manager()
        with pytest.raises(ManagerClosed, match="async with"):
            manager.start_task("calendar_check")
        async with manager:
            pass
        with pytest.raises(ManagerClosed, match="was left"):
            manager.stream_all()
        with pytest.raises(ManagerClosed, match="make another one"):
            async with manager:
                pass


def _without(updates: list[Json], *keys: str) -> list[Json]:
    return [{k: v for k, v in one.items() if k not in keys} for one in updates]


def _tasks(updates: list[Json]) -> list[str]:
    """Their ids, in the order in which they began."""
    return list(dict.fromkeys(update["task_id"] for update in updates))


async def _told(way: Way, task_id: str) -> tuple[str, str | None]:
    """The text and the skill of the message that began a task of Carly's."""
    async with agent_at(way.agents["carly"]) as carly:
        [asked, *_] = (await carly.get(task_id))["history"]
    return asked["parts"][0]["text"], asked.get("metadata", {}).get("skillId")

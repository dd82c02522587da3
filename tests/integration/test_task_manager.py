"""TaskManager streams every update of every task it starts.

Real agents and a real host. Each test runs with both transports.
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
from tests.support.a2a_client import agent_at, start_over_jsonrpc
from tests.support.harness import Server, free_port
from tests.support.host_client import host_at
from tests.support.manager_transports import (
    TRANSPORTS,
    Json,
    ManagerTransport,
    create_transport,
    row_of,
    updates_of,
)
from tests.support.stack import Stack

TERMINAL = {"completed", "error", "cancelled", "rejected"}


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an agent that can do everything."""
    port = free_port()
    server = Server(
        "scenario",
        [sys.executable, "-m", "tests.support.scenario_agent", str(port)],
        folder=tmp_path_factory.mktemp("scenario"),
        url=f"http://127.0.0.1:{port}",
        ready_path="/.well-known/agent-card.json",
    )
    server.start()
    server.wait_ready(server.ready_url)
    yield server.url
    server.terminate()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, scenario: str) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    with Stack(folder, extra_agents={"scenario": scenario}) as running:
        running.wait_connected("scenario")
        yield running


@pytest.fixture(params=TRANSPORTS)
def transport(
    request: pytest.FixtureRequest, stack: Stack, scenario: str
) -> ManagerTransport:
    return create_transport(request.param, stack, scenario=scenario)


def of(updates: list[Json], task_id: str) -> list[Json]:
    return [update for update in updates if update.get("task_id") == task_id]


class TestStreamAll:
    async def test_yields_every_update_of_every_task_in_order(
        self, transport: ManagerTransport
    ) -> None:
        async with transport.manager() as manager:
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
            statuses = [update.get("status") for update in of(updates, task_id)]
            assert statuses[-1] == "completed"
            assert TERMINAL.isdisjoint(statuses[:-1])
        carly = [u for u in of(updates, started[0]) if u["kind"] == "task"]
        assert [row["message"] for row in carly if row["message"]] == [
            "Starting calendar search…",
            "Checking personal calendar…",
            "Querying team calendars…",
            "Finding optimal time slots…",
            "Found 3 available slots for tomorrow!",
        ]
        assert carly[-1]["result"] == "Found 3 available slots for tomorrow!"

    async def test_yields_the_same_events_as_the_feed(
        self, transport: ManagerTransport, stack: Stack
    ) -> None:
        async with transport.manager() as manager:
            task_id = await manager.start_task("streaming")
            updates = await updates_of(manager)

        async with host_at(stack.url) as host:
            await host.row_with(task_id, "completed")
            logged = await host.history(after=0, task=task_id)
        own = ("id", "received_at")
        # The direct transport has its own ids.
        ignored = own if transport.name == "direct" else ()
        assert _without(updates, *ignored) == _without(logged, *ignored)
        assert json.loads(json.dumps(updates)) == updates
        assert {update["kind"] for update in updates} == {"task", "artifact"}

    async def test_includes_tasks_that_start_while_it_runs(
        self, transport: ManagerTransport
    ) -> None:
        async with transport.manager() as manager:
            started = [await manager.start_task("availability")]
            ended: list[str] = []
            async for update in manager.stream_all():
                if update.get("status") == "completed":
                    ended.append(update["task_id"])
                    if len(started) < 3:
                        started.append(await manager.start_task("venue_search"))

        assert ended == started

    async def test_is_complete_for_each_reader_even_a_late_one(
        self, transport: ManagerTransport
    ) -> None:
        async with transport.manager() as manager:
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

    async def test_ends_at_once_if_no_task_was_started(
        self, transport: ManagerTransport
    ) -> None:
        async with transport.manager() as manager:
            assert await updates_of(manager) == []

    async def test_leaves_out_tasks_of_others(
        self, transport: ManagerTransport
    ) -> None:
        async with transport.manager() as manager:
            theirs = await start_over_jsonrpc(transport.agents["carly"])
            ours = await manager.start_task("calendar_check")
            updates = await updates_of(manager)

        assert theirs != ours
        assert {update["task_id"] for update in updates} == {ours}

    async def test_includes_the_message_of_an_agent_without_tasks(
        self, transport: ManagerTransport
    ) -> None:
        async with transport.manager() as manager:
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
    async def test_works_without_await(self, transport: ManagerTransport) -> None:
        async with transport.manager() as manager:
            manager.start_task("calendar_check")
            manager.start_task("weather_forecast")
            updates = await updates_of(manager)

        ended = [u["agent"] for u in updates if u.get("status") == "completed"]
        assert sorted(ended) == ["carly", "walter"]

    async def test_error_without_await_is_raised_at_the_end_of_the_stream(
        self, transport: ManagerTransport
    ) -> None:
        async with transport.manager() as manager:
            manager.start_task("calendar_check")
            manager.start_task("dance")
            seen = []
            with pytest.raises(UnknownName, match="'dance'"):
                async for update in manager.stream_all():
                    seen.append(update)

        assert seen[-1]["status"] == "completed"

    async def test_error_without_await_is_raised_at_the_end_of_the_block(
        self, transport: ManagerTransport
    ) -> None:
        with pytest.raises(UnknownName, match="carly has no skill 'dance'"):
            async with transport.manager() as manager:
                await manager.start_task("carly")
                manager.start_task("carly/dance")

    async def test_error_without_await_is_raised_if_the_block_ends_at_once(
        self, transport: ManagerTransport
    ) -> None:
        with pytest.raises(UnknownName, match="'dance'"):
            async with transport.manager() as manager:
                manager.start_task("dance")

    async def test_sends_the_message_or_the_first_example(
        self, transport: ManagerTransport
    ) -> None:
        async with transport.manager() as manager:
            for names in (
                {"name": "carly"},
                {"name": "carly/availability"},
                {"agent": "carly", "skill": "availability", "message": "Who?"},
            ):
                await manager.start_task(**names)
            updates = await updates_of(manager)

        messages = [
            await _first_message(transport, task_id) for task_id in _tasks(updates)
        ]
        assert messages == [
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
            ({}, UnknownName, "name an agent or a skill"),
        ],
    )
    async def test_unknown_name_lists_the_known_ones(
        self,
        transport: ManagerTransport,
        names: dict[str, str],
        error: type[Exception],
        words: str,
    ) -> None:
        async with transport.manager() as manager:
            with pytest.raises(error, match=words) as raised:
                await manager.start_task(**names)
            assert isinstance(raised.value, CourtsideError)
            assert await updates_of(manager) == []

    async def test_too_large_message_is_not_sent(
        self, transport: ManagerTransport
    ) -> None:
        async with transport.manager() as manager:
            with pytest.raises(Refused, match="nothing was sent") as refused:
                await manager.start_task("carly", message="x" * 5_000_000)
            assert await updates_of(manager) == []
        assert refused.value.reason == "BODY_TOO_LARGE"


class TestTask:
    async def test_has_its_own_stream(self, transport: ManagerTransport) -> None:
        async with transport.manager() as manager:
            carly = await manager.start_task("calendar_check")
            walter = await manager.start_task("weather_forecast")
            own = [update async for update in manager.stream(carly)]
            both = await updates_of(manager)

        assert own == of(both, carly)
        assert of(both, walter)

    async def test_can_be_cancelled(self, transport: ManagerTransport) -> None:
        async with transport.manager() as manager:
            task_id = await manager.start_task("weather_forecast")
            await row_of(manager, task_id, "running")
            assert await manager.cancel_task(task_id) == "cancelled"
            updates = await updates_of(manager)

        assert updates[-1]["status"] == "cancelled"
        assert updates[-1]["message"] == "Task cancelled by user request"

    async def test_continues_after_a_reply(self, transport: ManagerTransport) -> None:
        async with transport.manager() as manager:
            task_id = await manager.start_task("invite_everyone")
            asked = []
            async for update in manager.stream_all():
                if update.get("status") == "input-required":
                    asked.append(update["message"])
                    await manager.reply(update["task_id"], "Send")

        assert asked == ["Send 4 invitations?"]
        assert update["task_id"] == task_id
        assert update["result"] == "Sent 4 invitations: Alex, Kim, Robin and Sam."

    async def test_reply_is_not_sent_if_the_task_does_not_wait(
        self, transport: ManagerTransport
    ) -> None:
        async with transport.manager() as manager:
            task_id = await manager.start_task("calendar_check")
            await row_of(manager, task_id, "running")
            with pytest.raises(
                NotAsking, match="does not wait for a reply: it is running"
            ):
                await manager.reply(task_id, "Send")
            updates = await updates_of(manager)
            with pytest.raises(NotAsking, match="it is completed"):
                await manager.reply(task_id, "Send")

        assert updates[-1]["status"] == "completed"
        async with agent_at(transport.agents["carly"]) as carly:
            history = (await carly.get(task_id))["history"]
        assert [m["role"] for m in history].count("ROLE_USER") == 1

    async def test_only_one_of_two_replies_is_sent(
        self, transport: ManagerTransport
    ) -> None:
        async with transport.manager() as manager:
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

    async def test_cannot_be_cancelled_after_its_end(
        self, transport: ManagerTransport
    ) -> None:
        async with transport.manager() as manager:
            task_id = await manager.start_task("availability")
            await updates_of(manager)
            with pytest.raises(Refused, match="carly refuses: Task ") as refused:
                await manager.cancel_task(task_id)
        assert refused.value.reason == "TASK_NOT_CANCELABLE"

    async def test_stream_ends_when_the_agent_rejects_the_task(
        self, transport: ManagerTransport
    ) -> None:
        async with transport.manager() as manager:
            await manager.start_task("refusing")
            updates = await updates_of(manager)
        assert updates[-1]["status"] == "rejected"
        assert updates[-1]["message"] == "Scenario does not do that; ask somebody else."

    async def test_of_another_client_is_unknown(
        self, transport: ManagerTransport
    ) -> None:
        theirs = await start_over_jsonrpc(transport.agents["carly"])
        async with transport.manager() as manager:
            ours = await manager.start_task("availability")
            for call in (manager.cancel_task(theirs), manager.reply(theirs, "Yes")):
                with pytest.raises(UnknownTask, match=f"there are: {ours}"):
                    await call
            with pytest.raises(UnknownTask):
                manager.stream(theirs)


class TestUse:
    async def test_outside_the_block_raises_manager_closed(
        self, transport: ManagerTransport
    ) -> None:
        manager = transport.manager()
        with pytest.raises(ManagerClosed, match="async with"):
            manager.start_task("calendar_check")
        async with manager:
            pass
        with pytest.raises(ManagerClosed, match="has ended"):
            manager.stream_all()
        with pytest.raises(ManagerClosed, match="create another one"):
            async with manager:
                pass


def _without(updates: list[Json], *keys: str) -> list[Json]:
    return [{k: v for k, v in one.items() if k not in keys} for one in updates]


def _tasks(updates: list[Json]) -> list[str]:
    """Return the task ids, in the order of their starts."""
    return list(dict.fromkeys(update["task_id"] for update in updates))


async def _first_message(
    transport: ManagerTransport, task_id: str
) -> tuple[str, str | None]:
    """Return the text and the skill of the message that started a task of Carly."""
    async with agent_at(transport.agents["carly"]) as carly:
        [asked, *_] = (await carly.get(task_id))["history"]
    return asked["parts"][0]["text"], asked.get("metadata", {}).get("skillId")

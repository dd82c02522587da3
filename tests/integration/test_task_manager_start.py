"""TaskManager.start_task: names, messages and errors.

Real agents and a real host. Each test runs with both transports.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from host.errors import CourtsideError, UnknownAgent
from host.task_manager.errors import (
    Refused,
    UnknownName,
)
from tests.support.a2a_client import agent_at
from tests.support.manager_transports import (
    TRANSPORTS,
    Json,
    ManagerTransport,
    create_transport,
    updates_of,
)
from tests.support.stack import Stack


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    with Stack(folder) as running:
        yield running


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest, stack: Stack) -> ManagerTransport:
    return create_transport(request.param, stack)


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
            ({}, UnknownName, "pass an agent or a skill"),
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

"""Through the host, every agent is resumable, even if it has no such feature.

Real hosts and agents; clients that disconnect.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import anyio
import httpx
import pytest

from tests.support.a2a_client import RESUMABLE, Json
from tests.support.gateway import (
    BINDINGS,
    Subscriber,
    run_numbered_agents,
    update_in,
    without_number,
)
from tests.support.host_client import HostClient, client, host_at
from tests.support.stack import Stack
from tests.support.waiting import wait_until

KINDS = ("plain", "resumable")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    with (
        run_numbered_agents(folder, KINDS) as others,
        Stack(folder, ["carly", "nancy"], extra_agents=others) as running,
    ):
        running.wait_connected(*others)
        yield running


@pytest.fixture(params=BINDINGS)
def binding(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def all_of(stack: Stack, agent: str, task_id: str) -> Subscriber:
    """Return a subscriber that has read the whole task, from its first update."""
    whole = Subscriber(stack.url, agent, task_id, "HTTP+JSON")
    whole.last = "0"
    await whole.read()
    return whole


async def reconnect_until_the_end(reader: Subscriber, chance: random.Random) -> None:
    """Read to the end, but disconnect again and again."""
    while not is_over(reader):
        await reader.read(chance.randint(1, 12))


def is_over(reader: Subscriber) -> bool:
    if not reader.frames:
        return False
    status = update_in(reader.frames[-1]).get("status", {})
    return status.get("state") in ("TASK_STATE_COMPLETED", "TASK_STATE_CANCELED")


@pytest.mark.parametrize("agent", KINDS)
class TestReconnectingReader:
    async def test_gets_every_update_once_wherever_it_disconnects(
        self, stack: Stack, host: HostClient, binding: str, agent: str
    ) -> None:
        task_id = await host.start(agent, "60")
        chance = random.Random(f"{agent} {binding}")  # noqa: S311
        readers = [Subscriber(stack.url, agent, task_id, binding) for _ in range(4)]
        for reader in readers:
            reader.last = "0"

        async with anyio.create_task_group() as group:
            for reader in readers:
                group.start_soon(reconnect_until_the_end, reader, chance)

        whole = await all_of(stack, agent, task_id)
        assert whole.numbers == [*range(1, len(whole.numbers) + 1)]
        assert len(whole.numbers) > 60
        for reader in readers:
            assert reader.numbers == whole.numbers
            assert [update_in(f) for f in reader.frames] == [
                update_in(f) for f in whole.frames
            ]

    async def test_without_a_number_begins_with_the_task_and_misses_nothing(
        self, stack: Stack, host: HostClient, binding: str, agent: str
    ) -> None:
        task_id = await host.start(agent, "60")
        reader = Subscriber(stack.url, agent, task_id, binding)
        await reader.read()

        first = update_in(reader.frames[0])
        assert (first["id"], is_over(reader)) == (task_id, True)
        count = len(reader.numbers)
        assert reader.numbers == [*range(reader.numbers[0], reader.numbers[0] + count)]
        chunks = "".join(map(chunk_of, reader.frames))
        text = "".join(part["text"] for part in parts_of(first)) + chunks
        rows = await host.rows(task_id)
        assert text == rows[-1]["result"]

    async def test_gets_the_missed_updates_of_a_task_that_has_ended(
        self, stack: Stack, host: HostClient, binding: str, agent: str
    ) -> None:
        task_id = await host.start(agent, "10")
        reader = Subscriber(stack.url, agent, task_id, binding)
        reader.last = "0"
        await reader.read(3)
        await host.row_with(task_id, "completed")

        await reader.read()

        whole = await all_of(stack, agent, task_id)
        assert reader.frames != whole.frames[:3]
        assert reader.numbers == whole.numbers
        await reader.read()
        assert reader.numbers == whole.numbers, "the ended task has no more updates"


@pytest.mark.parametrize("at", ["the host", "the agent"])
async def test_reader_with_all_updates_gets_a_response_at_once(
    at: str, stack: Stack, host: HostClient
) -> None:
    """Else a task that waits for a reply looks like a server that hangs."""
    task_id = await host.start("nancy", "Invite everyone to tennis")
    asks = await host.row_with(task_id, "input-required")
    logged = await host.history(after=0, task=task_id)
    url, newest = {
        "the host": (f"{stack.url}/a2a/nancy", len(logged)),
        "the agent": (stack.agent_url("nancy"), asks["sequence"]),
    }[at]

    headers = {"A2A-Version": "1.0", "Last-Event-ID": str(newest)}
    path = f"/tasks/{task_id}:subscribe"
    async with (
        client(url, timeout_s=5) as http,
        http.stream("GET", path, headers=headers) as answer,
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
    await host.cancel("nancy", task_id)


def parts_of(task: Json) -> list[Json]:
    return [part for one in task.get("artifacts", []) for part in one["parts"]]


def chunk_of(frame: object) -> str:
    update = update_in(frame)  # type: ignore[arg-type]
    parts = update.get("artifact", {}).get("parts", [])
    return "".join(part["text"] for part in parts)


async def test_host_numbers_replace_agent_numbers(
    stack: Stack, host: HostClient
) -> None:
    task_id = await host.start("carly")
    await host.row_with(task_id, "completed")

    whole = await all_of(stack, "carly", task_id)

    own = Subscriber(f"{stack.agent_url('carly')}", "", task_id, "HTTP+JSON")
    own._url, own.last = stack.agent_url("carly"), "0"
    await own.read()
    assert whole.numbers == [*range(1, len(whole.numbers) + 1)]
    first, *mine = [without_number(frame) for frame in whole.frames]
    _, *theirs = [without_number(frame) for frame in own.frames]
    assert first["status"]["state"] == "TASK_STATE_SUBMITTED"
    assert [m.get("status", m.get("artifact")) for m in mine] == [
        t.get("status", t.get("artifact")) for t in theirs
    ]


async def test_two_clients_of_one_task_get_the_same_updates(
    stack: Stack, host: HostClient
) -> None:
    task_id = await host.start("plain", "60")
    two = [Subscriber(stack.url, "plain", task_id, binding) for binding in BINDINGS]
    async with anyio.create_task_group() as group:
        for one in two:
            one.last = "0"
            group.start_soon(one.read)

    assert two[0].numbers == two[1].numbers
    assert [update_in(f) for f in two[0].frames] == [
        update_in(f) for f in two[1].frames
    ]


async def test_client_that_disconnects_stops_nothing(
    stack: Stack, host: HostClient
) -> None:
    task_id = await host.start("plain", "60")
    leaving = Subscriber(stack.url, "plain", task_id, "JSONRPC")
    staying = Subscriber(stack.url, "plain", task_id, "HTTP+JSON")
    async with anyio.create_task_group() as group:
        group.start_soon(staying.read)
        await leaving.read(2)

    assert is_over(staying)
    assert await host.row_with(task_id, "completed")


class TestLastEventId:
    @pytest.mark.parametrize("number", ["x", "-1", "1.5", "9" * 30])
    async def test_must_be_a_number(
        self, stack: Stack, host: HostClient, binding: str, number: str
    ) -> None:
        task_id = await host.start("carly")
        reader = Subscriber(stack.url, "carly", task_id, binding)
        reader.last = number

        refused = await refusal(reader)

        assert refused[:2] == (
            (-32602 if binding == "JSONRPC" else 400),
            "INVALID_PARAMS",
        )

    async def test_too_high_is_refused_with_the_available_range(
        self, stack: Stack, host: HostClient, binding: str
    ) -> None:
        task_id = await host.start("carly")
        await host.row_with(task_id, "completed")
        whole = await all_of(stack, "carly", task_id)
        reader = Subscriber(stack.url, "carly", task_id, binding)
        reader.last = "99"

        code, reason, info = await refusal(reader)

        assert (code, reason) == (
            -31410 if binding == "JSONRPC" else 410,
            "UPDATES_GONE",
        )
        assert info["metadata"] == {"oldest": "1", "newest": str(whole.numbers[-1])}


async def refusal(reader: Subscriber) -> tuple[int, str, Json]:
    """Return the code, the reason and the whole ErrorInfo."""
    answer = await reader.refused()
    error = answer.json()["error"]
    details = error.get("details") or error.get("data")
    if "details" in error:
        assert answer.status_code == error["code"]
    return error["code"], details[0]["reason"], details[0]


async def test_numbers_continue_after_the_host_is_killed(tmp_path: Path) -> None:
    with (
        run_numbered_agents(tmp_path, KINDS) as others,
        Stack(tmp_path, (), extra_agents=others) as stack,
    ):
        stack.wait_connected(*others)
        readers: list[Subscriber] = []
        async with host_at(stack.url) as host:
            for agent in KINDS:
                task_id = await host.start(agent, "90")
                for binding in BINDINGS:
                    reader = Subscriber(stack.url, agent, task_id, binding)
                    reader.last = "0"
                    readers.append(reader)
        async with anyio.create_task_group() as group:
            for reader in readers:
                group.start_soon(_until_over, reader)
            for _ in range(3):
                seen = len(readers[0].frames)

                async def more(least: int = seen + 5) -> bool:
                    return is_over(readers[0]) or len(readers[0].frames) > least

                await wait_until(more, "some more updates", 30)
                stack.host.kill()
                stack.host.restart()

        for reader in readers:
            assert reader.numbers == [*range(1, len(reader.numbers) + 1)]
        for one, other in (readers[:2], readers[2:]):
            assert one.numbers == other.numbers
            assert [update_in(f) for f in one.frames] == [
                update_in(f) for f in other.frames
            ]


async def _until_over(reader: Subscriber) -> None:
    while not is_over(reader):
        try:
            await reader.read()
        except (httpx.TransportError, httpx.StreamError):
            await anyio.sleep(0.05)


async def test_host_that_follows_a_host_can_resume_any_agent(
    tmp_path: Path,
) -> None:
    """For the second host, the agent has the extension: there is no gap."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    with (
        run_numbered_agents(tmp_path, ["plain"]) as others,
        Stack(first, (), extra_agents=others) as near,
        Stack(second, (), extra_agents={"plain": f"{near.url}/a2a/plain"}) as far,
    ):
        far.wait_connected("plain")
        async with host_at(far.url) as host:
            task_id = await host.start("plain", "90")
            await host.row_with(task_id, "running")
        far.host.kill()
        async with host_at(near.url) as host:
            await host.row_with(task_id, "completed")
            logged = await host.history(after=0, task=task_id)
        far.host.restart()
        async with host_at(far.url) as host:
            await host.row_with(task_id, "completed")
            again = await host.history(after=0, task=task_id)

    def without_ids(events: list[Json]) -> list[Json]:
        own = ("id", "received_at", "sequence")
        return [{k: v for k, v in e.items() if k not in own} for e in events]

    assert without_ids(again) == without_ids(logged)
    assert [e["sequence"] for e in again] == [*range(1, len(logged) + 1)]


async def test_missed_updates_are_reported_in_a_numbered_gap(
    tmp_path: Path,
) -> None:
    """The host was down during updates of an agent without the extension."""
    with (
        run_numbered_agents(tmp_path, ["plain"]) as others,
        Stack(tmp_path, (), extra_agents=others) as stack,
    ):
        stack.wait_connected("plain")
        async with host_at(stack.url) as host:
            task_id = await host.start("plain", "90")
            await host.row_with(task_id, "running")
        stack.host.kill()
        async with client() as http:

            async def over() -> bool:
                url = f"{others['plain']}/tasks/{task_id}"
                task = (await http.get(url, headers={"a2a-version": "1.0"})).json()
                return bool(task["status"]["state"] == "TASK_STATE_COMPLETED")

            await wait_until(over, "the task's end", 30)
        stack.host.restart()
        async with host_at(stack.url) as host:
            await host.row_with(task_id, "completed")

        whole = await all_of(stack, "plain", task_id)

        assert whole.numbers == [*range(1, len(whole.numbers) + 1)]
        gaps = [
            update
            for update in map(update_in, whole.frames)
            if "gap" in update["metadata"][RESUMABLE]
        ]
        assert gaps[0]["metadata"][RESUMABLE]["gap"]["message"]
        assert gaps[0]["status"]["state"] == "TASK_STATE_WORKING"

"""Through the host, every agent is resumable, even if it has no such feature.

Real hosts and agents; clients that disconnect.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import anyio
import pytest

from tests.support.a2a_client import Json
from tests.support.gateway import (
    BINDINGS,
    Subscriber,
    is_over,
    read_whole_task,
    run_numbered_agents,
    update_in,
    without_number,
)
from tests.support.host_client import HostClient, client
from tests.support.stack import Stack

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


async def reconnect_until_the_end(reader: Subscriber, chance: random.Random) -> None:
    """Read to the end, but disconnect again and again."""
    while not is_over(reader):
        await reader.read(chance.randint(1, 12))


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

        whole = await read_whole_task(stack.url, agent, task_id)
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

        whole = await read_whole_task(stack.url, agent, task_id)
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

    whole = await read_whole_task(stack.url, "carly", task_id)

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
        whole = await read_whole_task(stack.url, "carly", task_id)
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

"""GET /feed: the same events in the same order for all readers, from any cursor.

Real stubs and a real host. test_host_memory.py has the memory log.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import ClassVar

import anyio
import pytest

from tests.support.a2a_client import agent_at
from tests.support.host_client import (
    HostClient,
    Json,
    message_ids_at_agent,
    message_ids_in_feed,
    wait_until_quiet,
    watch_feed,
)
from tests.support.http_requests import Received, read_events
from tests.support.stack import AGENTS, SEED_AGENTS, Stack


def at_least(count: int) -> Callable[[list[Received]], bool]:
    return lambda seen: len(seen) >= count


async def epoch_of(host: HostClient) -> str:
    epoch: str = (await host.get("/healthz"))["epoch"]
    return epoch


async def test_tasks_of_many_agents_arrive_merged_and_in_order_per_agent(
    stack: Stack, host: HostClient
) -> None:
    started: dict[str, str] = {}

    async def start_two(name: str) -> None:
        started[await host.start(name)] = name
        async with agent_at(stack.agent_url(name)) as agent:
            started[await agent.start()] = name

    async with watch_feed(f"{stack.url}/feed") as reader:
        async with anyio.create_task_group() as group:
            for name in SEED_AGENTS * 2:
                group.start_soon(start_two, name)
        await reader.until_over(*started)

    joined = reader.seen[0].data["id"]
    assert reader.ids == list(range(joined + 1, joined + 1 + len(reader.ids)))
    for task_id, name in started.items():
        message_ids = message_ids_in_feed(reader.events, task_id)
        assert message_ids == await message_ids_at_agent(stack.agent_url(name), task_id)
        rows = [event for event in reader.of_task(task_id) if event["kind"] == "task"]
        artifacts = [e for e in reader.of_task(task_id) if e["kind"] == "artifact"]
        assert {row["agent"] for row in rows} == {name}
        assert rows[-1]["status"] == "completed"
        assert rows[-1]["progress"] == 100
        texts = [p["text"] for a in artifacts for p in a["parts"] if "text" in p]
        assert texts
        assert all(text in rows[-1]["result"] for text in texts)
        assert reader.of_task(task_id)[-1] == rows[-1]
    agents = [event["agent"] for event in reader.events]
    switches = sum(before != after for before, after in pairwise(agents))
    assert switches > len(started), "the tasks did not run at the same time"


async def test_all_readers_see_the_same_events_in_the_same_order(
    stack: Stack, host: HostClient
) -> None:
    url = f"{stack.url}/feed"
    paced = f"{url}?every_ms=200"
    async with (
        watch_feed(url) as one,
        watch_feed(url) as two,
        watch_feed(paced) as three,
    ):
        tasks = [await host.start(name) for name in AGENTS]
        for reader in (one, two, three):
            await reader.until_over(*tasks)

    last = min(reader.ids[-1] for reader in (one, two, three))
    seen = [[e for e in r.events if e["id"] <= last] for r in (one, two, three)]
    assert seen[0] == seen[1] == seen[2]
    assert seen[0] == await host.history(after=seen[0][0]["id"] - 1, before=last + 1)


class TestJoining:
    async def test_gives_the_board_first_and_then_later_events(
        self, stack: Stack, host: HostClient
    ) -> None:
        task_id = await host.start("carly")
        await host.row_with(task_id, "completed")
        head = await wait_until_quiet(host)

        async with watch_feed(f"{stack.url}/feed") as reader:
            await reader.until_over(await host.start("walter"))

        snapshot = reader.seen[0]
        assert snapshot.event == "snapshot"
        assert snapshot.id == f"{await epoch_of(host)}-{head}"
        assert snapshot.data["id"] == head
        assert (snapshot.data["reset"], snapshot.data["reason"]) == (False, None)
        agents = snapshot.data["agents"]
        # The host is an agent too: it runs the built-in plan.
        assert {agent["agent"] for agent in agents} == {*AGENTS, "host"}
        assert {agent["connection"] for agent in agents} == {"connected"}
        tasks = {task["task_id"]: task for task in snapshot.data["tasks"]}
        assert tasks[task_id]["status"] == "completed"
        assert reader.ids[0] == head + 1

    async def test_at_any_time_gives_a_board_that_fits_the_events(
        self, stack: Stack, host: HostClient
    ) -> None:
        joined: list[list[Received]] = []

        async def join() -> None:
            joined.append(await read_events(f"{stack.url}/feed", until=at_least(4)))

        async with anyio.create_task_group() as group:
            for name in AGENTS * 2:
                await host.start(name)
                group.start_soon(join)

        whole = await host.history(after=0)
        assert [event["id"] for event in whole] == list(range(1, len(whole) + 1))
        for snapshot, *live in joined:
            at = snapshot.data["id"]
            assert [got.data for got in live] == whole[at : at + len(live)]
            assert _board(snapshot.data["tasks"]) == _board(whole[:at])


def _board(events: list[Json]) -> dict[str, Json]:
    """Return the last row of each task."""
    last = {event["task_id"]: dict(event) for event in events if event.get("status")}
    for row in last.values():
        row.pop("id", None)
    return last


class TestResuming:
    @pytest.mark.parametrize("how", ["header", "query", "bare query"])
    async def test_gives_exactly_the_later_events(
        self, stack: Stack, host: HostClient, how: str
    ) -> None:
        await host.row_with(await host.start("carly"), "completed")
        head = await wait_until_quiet(host)
        epoch = await epoch_of(host)
        for cursor in (1, head // 2, head - 1):
            name = f"{cursor}" if how == "bare query" else f"{epoch}-{cursor}"
            headers = {"Last-Event-ID": name} if how == "header" else {}
            query = "" if how == "header" else f"?after={name}"

            seen = await read_events(
                f"{stack.url}/feed{query}",
                until=lambda seen: seen[-1].data["id"] >= head,
                headers=headers,
            )

            assert [got.event for got in seen] == ["message"] * (head - cursor)
            later = await host.history(after=cursor)
            assert [got.data for got in seen] == later[: head - cursor]
            assert [got.id for got in seen] == [
                f"{epoch}-{got.data['id']}" for got in seen
            ]

    async def test_header_wins_over_the_query(
        self, stack: Stack, host: HostClient
    ) -> None:
        """A browser that reconnects cannot change the URL of its EventSource."""
        head = await wait_until_quiet(host)

        [first, *_] = await read_events(
            f"{stack.url}/feed?after=0",
            until=bool,
            headers={"Last-Event-ID": f"{head - 2}"},
        )

        assert first.data["id"] == head - 1

    async def test_with_0_replays_the_whole_log(
        self, stack: Stack, host: HostClient
    ) -> None:
        head = await wait_until_quiet(host)

        seen = await read_events(f"{stack.url}/feed?after=0", until=at_least(head))

        assert [got.data["id"] for got in seen] == list(range(1, head + 1))
        assert [got.data for got in seen] == (await host.history(after=0))[:head]

    @pytest.mark.parametrize(
        ("cursor", "why"),
        [
            ("{epoch}-{ahead}", "ahead"),
            ("{ahead}", "ahead"),
            ("0ld-1", "not the one this cursor came from"),
            ("0ld-{ahead}", "not the one this cursor came from"),
        ],
    )
    async def test_with_an_unusable_cursor_gives_a_reset_with_the_reason(
        self, stack: Stack, host: HostClient, cursor: str, why: str
    ) -> None:
        await host.row_with(await host.start("carly"), "completed")
        head, epoch = await wait_until_quiet(host), await epoch_of(host)
        sent = cursor.format(epoch=epoch, ahead=head + 1_000)

        async with watch_feed(f"{stack.url}/feed", {"Last-Event-ID": sent}) as reader:
            await reader.until_over(await host.start("carly"))

        snapshot = reader.seen[0]
        assert snapshot.event == "snapshot"
        assert snapshot.id == f"{epoch}-{head}"
        assert snapshot.data["reset"] is True
        assert why in snapshot.data["reason"]
        assert snapshot.data["tasks"]
        assert reader.ids[0] == head + 1


class TestFilters:
    WANTED: ClassVar[dict[str, dict[str, set[str]]]] = {
        "agent=carly": {"agent": {"carly"}},
        "agent=carly&agent=nancy": {"agent": {"carly", "nancy"}},
        "kind=task": {"kind": {"task"}},
        "kind=agent&kind=artifact": {"kind": {"agent", "artifact"}},
        "agent=logan&kind=artifact": {"agent": {"logan"}, "kind": {"artifact"}},
    }

    async def test_select_events_and_keep_their_ids(
        self, stack: Stack, host: HostClient
    ) -> None:
        tasks = [await host.start(name) for name in AGENTS]
        for task_id in tasks:
            await host.row_with(task_id, "completed")
        await wait_until_quiet(host)
        everything = await host.history(after=0)

        for query, wanted in self.WANTED.items():
            expected = [
                event
                for event in everything
                if all(event[key] in values for key, values in wanted.items())
            ]
            assert expected
            seen = await read_events(
                f"{stack.url}/feed?after=0&{query}",
                until=at_least(len(expected)),
            )
            assert [got.data for got in seen] == expected, query

    @pytest.mark.parametrize("sort", ["task", "context"])
    async def test_follow_one_task_or_one_context_live(
        self, stack: Stack, host: HostClient, sort: str
    ) -> None:
        other = await host.start("carly", contextId="other")
        mine = await host.start("carly", contextId=f"mine-{sort}")
        name = mine if sort == "task" else f"mine-{sort}"

        async with watch_feed(f"{stack.url}/feed?after=0&{sort}={name}") as reader:
            await reader.until_over(mine)

        await host.row_with(other, "completed")
        assert reader.events == await host.history(after=0, task=mine)

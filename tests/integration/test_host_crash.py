"""The host is killed while tasks run, and its readers continue without loss.

Real agents, a real host with a SQLite log, and readers that resume from their last id.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio

from tests.support.a2a_client import agent_at
from tests.support.harness import THOROUGH
from tests.support.host_client import (
    HostClient,
    Watcher,
    host_at,
    message_ids_at_agent,
    message_ids_in_feed,
    watch_feed,
)
from tests.support.http_requests import read_events
from tests.support.stack import Stack
from tests.support.waiting import wait_until

AGENTS = ("carly", "walter", "logan")
KILLS = 5 if THOROUGH else 3


async def start_directly(stack: Stack) -> dict[str, str]:
    """Start one task on each agent, without the host. Return ids and agents."""
    started = {}
    for name in AGENTS:
        async with agent_at(stack.agent_url(name)) as agent:
            started[await agent.start()] = name
    return started


async def kill_and_restart(stack: Stack) -> None:
    stack.host.kill()
    await anyio.to_thread.run_sync(stack.host.restart)


async def test_reader_sees_every_event_once_after_the_host_is_killed(
    tmp_path: Path,
) -> None:
    started: dict[str, str] = {}
    with Stack(tmp_path, AGENTS, step_s=0.2) as stack:
        async with (
            watch_feed(f"{stack.url}/feed?after=0") as reader,
            watch_feed(f"{stack.url}/feed?after=0&agent=walter") as filtered,
        ):
            for _ in range(KILLS):
                started |= await start_directly(stack)
                # Kill the host after some updates, before any of these tasks ends.
                await _until_more(reader)
                await kill_and_restart(stack)
            started |= await start_directly(stack)
            await reader.until_over(*started)
            ours = [task for task, name in started.items() if name == "walter"]
            await filtered.until_over(*ours)

        async with host_at(stack.url) as host:
            history = await host.history()
        for task_id, name in started.items():
            message_ids = message_ids_in_feed(reader.events, task_id)
            assert message_ids == await message_ids_at_agent(
                stack.agent_url(name), task_id
            )

    assert {got.event for got in [*reader.seen, *filtered.seen]} == {"message"}
    assert reader.connections > KILLS
    assert reader.ids == list(range(1, len(reader.ids) + 1))
    assert reader.events == history[: len(reader.events)]
    walters = [event for event in history if event["agent"] == "walter"]
    assert filtered.events == walters[: len(filtered.events)]
    for task_id in started:
        rows = [event for event in reader.of_task(task_id) if "status" in event]
        assert [row["status"] for row in rows].count("completed") == 1
        assert rows[-1]["status"] == "completed"
        progress = [row["progress"] or 0 for row in rows]
        assert progress == sorted(progress)


async def _until_more(reader: Watcher) -> None:
    """Wait until the reader gets another update of a task."""
    so_far = len(reader.seen)
    await reader.until(
        lambda: any(got.data["kind"] == "task" for got in reader.seen[so_far:]),
        "an update of a task",
    )


async def test_trimmed_log_keeps_the_whole_board(tmp_path: Path) -> None:
    keep = "[host]\nkeep_events = 4\n"
    with Stack(tmp_path, ["carly", "nancy"], toml=keep) as stack:
        async with host_at(stack.url) as host:
            waiting = await host.start("nancy", skill="invite_everyone")
            await host.row_with(waiting, "input-required")
            async with watch_feed(f"{stack.url}/feed") as reader:
                finished = await host.start("carly")
                await reader.until_over(finished)
            await wait_until(_trimmed(host), "only four events to be left", 30)
            answer = await host.http.get("/feed.ndjson?after=1")
            [reset] = await read_events(f"{stack.url}/feed?after=1", until=bool)
            events = await read_events(
                f"{stack.url}/feed?after=0", until=lambda seen: len(seen) == 4
            )
            head = await host.head()
        # Without its agent, only the board still has the task.
        stack.agents["nancy"].kill()

        await kill_and_restart(stack)
        [snapshot] = await read_events(f"{stack.url}/feed", until=bool)

    assert answer.status_code in (400, 410)
    assert "no longer kept" in answer.text
    assert reset.event == "snapshot"
    assert reset.data["reset"] is True
    assert "no longer kept" in reset.data["reason"]
    assert [got.data["id"] for got in events] == [*range(head - 3, head + 1)]
    for board in (reset, snapshot):
        tasks = {task["task_id"]: task["status"] for task in board.data["tasks"]}
        assert tasks == {waiting: "input-required", finished: "completed"}


def _trimmed(host: HostClient) -> Callable[[], Awaitable[bool]]:
    async def trimmed() -> bool:
        return len(await host.history()) == 4

    return trimmed

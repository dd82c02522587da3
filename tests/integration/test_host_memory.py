"""The host with the log in memory: the same feed, and a reset after a restart.

`--log memory`, with two real agents and a real host.
"""

from __future__ import annotations

from collections.abc import Iterator

import anyio
import pytest

from tests.support.host_client import (
    host_at,
    message_ids_at_agent,
    message_ids_in_feed,
    watch_feed,
)
from tests.support.stack import Stack

AGENTS = ("carly", "logan")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    with Stack(folder, AGENTS, log="memory") as running:
        yield running


async def test_feed_is_merged_ordered_and_resumable(stack: Stack) -> None:
    async with host_at(stack.url) as host:
        async with watch_feed(f"{stack.url}/feed?after=0") as reader:
            started = {await host.start(name): name for name in AGENTS * 3}
            await reader.until_over(*started)
        whole = reader.events
        middle = reader.ids[len(whole) // 2]
        async with watch_feed(f"{stack.url}/feed?after={middle}") as again:
            await again.until(lambda: reader.ids[-1] in again.ids, "the rest")

        assert reader.ids == list(range(1, len(whole) + 1))
        assert again.events[: len(whole) - middle] == whole[middle:]
        assert whole == await host.history(after=0, before=len(whole) + 1)
        for task_id, name in started.items():
            message_ids = message_ids_in_feed(whole, task_id)
            assert message_ids == await message_ids_at_agent(
                stack.agent_url(name), task_id
            )


async def test_nothing_is_written_to_disk(stack: Stack) -> None:
    assert not stack.data_dir.exists()


async def test_reader_gets_a_reset_after_a_restart(
    stack: Stack,
) -> None:
    async with host_at(stack.url) as host, watch_feed(f"{stack.url}/feed") as reader:
        await reader.until_over(await host.start("carly"))
        stack.host.kill()
        await anyio.to_thread.run_sync(stack.host.restart)
        await reader.until(
            lambda: [got.event for got in reader.seen].count("snapshot") > 1,
            "a second snapshot",
        )

        snapshots = [got for got in reader.seen if got.event == "snapshot"]
        assert snapshots[1].data["reset"] is True
        assert "not the one this cursor came from" in snapshots[1].data["reason"]
        assert snapshots[1].data["epoch"] != snapshots[0].data["epoch"]
        stack.wait_connected(*AGENTS)
        await reader.until_over(await host.start("logan"))

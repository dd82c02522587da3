"""One signal ends the host: every stream ends cleanly, and the exit code is 0.

SIGTERM and SIGINT to a real host with readers, quiet or under load.
"""

from __future__ import annotations

import signal
import time
from pathlib import Path

import anyio
import pytest

from tests.support.feed_reader import FeedReader
from tests.support.flood import check_each_once, flood_server, read_log_file
from tests.support.harness import free_port
from tests.support.host_client import Watcher, host_at
from tests.support.stack import Stack
from tests.support.waiting import wait_until

READERS = ["/feed", "/feed?after=0", "/feed?agent=carly", "/tasks/stream", "/feed"]
END_S = 2.0
LOADED_END_S = 3.0


@pytest.mark.parametrize(
    ("log", "how"), [("sqlite", signal.SIGTERM), ("memory", signal.SIGINT)]
)
async def test_signal_ends_a_host_with_five_readers_within_2_s(
    tmp_path: Path, log: str, how: signal.Signals
) -> None:
    with Stack(tmp_path, ["carly"], step_s=0.2, log=log) as stack:
        readers = [Watcher(stack.url + path) for path in READERS]
        async with anyio.create_task_group() as group:
            for reader in readers:
                group.start_soon(reader.run)
            await readers[-1].until(
                lambda: all(reader.connections for reader in readers), "connections"
            )
            async with host_at(stack.url) as host:
                task_id = await host.start("carly")
                await host.row_with(task_id, "running")

            stack.host.child.send_signal(how)
            asked = time.monotonic()
            code = await anyio.to_thread.run_sync(stack.host.wait_end, END_S)
            took_s = time.monotonic() - asked
            await readers[-1].until(
                lambda: all(reader.clean_ends for reader in readers), "clean ends"
            )
            group.cancel_scope.cancel()

        assert code == 0
        assert took_s < END_S
        assert [reader.cuts for reader in readers] == [0] * len(readers)
        assert "Traceback" not in stack.host.output()
        if log == "sqlite":
            stack.host.restart()
            async with host_at(stack.url) as host:
                again = await host.history()
            seen = readers[1].events
            assert seen == again[: len(seen)]


def test_host_ends_while_an_agent_is_frozen(tmp_path: Path) -> None:
    gone = {"gone": f"http://127.0.0.1:{free_port()}"}
    with Stack(tmp_path, ["carly"], extra_agents=gone) as stack:
        stack.agents["carly"].pause()

        code = stack.host.terminate(END_S)

        stack.agents["carly"].resume()
        assert code == 0
        assert "Traceback" not in stack.host.output()


async def test_host_under_load_ends_without_loss_and_its_readers_resume(
    tmp_path: Path,
) -> None:
    port = free_port()
    host = flood_server(tmp_path, port, rate=2_000)
    # The stalled reader keeps a transport open. If its ResourceWarning were an
    # error, uvloop would wait for the transport forever.
    host.env["PYTHONWARNINGS"] = "error,default::ResourceWarning"
    reader, slow, stalled = (FeedReader(port, "/feed", slow=n == 1) for n in range(3))
    await anyio.to_thread.run_sync(host.restart)
    async with anyio.create_task_group() as group:
        for each in (reader, slow, stalled):
            group.start_soon(each.run)
        await has(stalled, 100)
        stalled.is_paused = True
        await has(reader, 3_000)

        asked = time.monotonic()
        assert await anyio.to_thread.run_sync(host.terminate, LOADED_END_S) == 0
        took_s = time.monotonic() - asked
        given = int(host.output().rpartition("given=")[2].split()[0])
        log = await read_log_file(tmp_path / "data")
        assert len(log) == given
        assert reader.clean_ends >= 1

        calm = flood_server(tmp_path, port, rate=0)
        await anyio.to_thread.run_sync(calm.restart)
        slow.slow = stalled.is_paused = False
        for each in (reader, slow, stalled):
            await has(each, given)
        assert await anyio.to_thread.run_sync(calm.terminate, LOADED_END_S) == 0
        group.cancel_scope.cancel()

    assert took_s < LOADED_END_S
    check_each_once(log)
    for each in (reader, slow, stalled):
        assert each.unexpected == []
        assert list(zip(each.ids, each.bodies, strict=True)) == list(log.items())


async def has(reader: FeedReader, events: int) -> None:
    async def enough() -> bool:
        return len(reader.ids) >= events

    await wait_until(enough, f"{events} events", 60)

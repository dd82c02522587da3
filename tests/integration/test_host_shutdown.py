"""The end of the host: asked once, it ends every stream cleanly and leaves with 0.

SIGTERM and SIGINT to a real host with readers on it.
"""

from __future__ import annotations

import signal
import time
from pathlib import Path

import anyio
import pytest

from tests.harness import Stack, free_port
from tests.host_client import Watcher, host_at

READERS = ["/feed", "/feed?after=0", "/feed?agent=carly", "/tasks/stream", "/feed"]
END_S = 2.0


@pytest.mark.parametrize(
    ("log", "how"), [("sqlite", signal.SIGTERM), ("memory", signal.SIGINT)]
)
async def test_a_signal_with_five_open_readers_ends_it_cleanly_within_2_s(
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
            told = readers[1].events
            assert told == again[: len(told)]


def test_it_ends_while_an_agent_does_not_answer(tmp_path: Path) -> None:
    gone = {"gone": f"http://127.0.0.1:{free_port()}"}
    with Stack(tmp_path, ["carly"], extra_agents=gone) as stack:
        stack.agents["carly"].pause()

        code = stack.host.terminate(END_S)

        stack.agents["carly"].resume()
        assert code == 0
        assert "Traceback" not in stack.host.output()

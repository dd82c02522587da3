"""A stalled reader and a slow reader do not affect normal readers.

A flooded host (flood_host.py) and readers (feed_reader.py) on real sockets.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from tests.support.feed_reader import FeedReader
from tests.support.flood import flood_server
from tests.support.harness import free_port, live_processes
from tests.support.process_memory import memory_mb
from tests.support.waiting import wait_until

RATE = 2_000
READERS = 20
EVENTS = 8_000
"""The events that each normal reader gets, in about 4 s."""
READ_S = 60.0
END_S = 2.0
MAX_GROWTH_MB = 120.0
"""The ring has 32 MB of frames, and 32 MB of joined blocks. The rest is caches."""


@pytest.fixture(autouse=True)
def kill_hosts() -> Iterator[None]:
    """Kill the hosts of a failed test."""
    yield
    for process in list(live_processes):
        process.kill()


class Normal(FeedReader):
    """Reads one connection, and checks the order of its events."""

    last = 0

    async def run(self) -> None:
        with contextlib.suppress(OSError):
            await self._read()

    def on_event(self, event_id: int, body: bytes) -> None:
        assert event_id == self.last + 1
        assert body.startswith(b'{"id":%d,' % event_id)
        self.last = event_id


@asynccontextmanager
async def stalled(port: int) -> AsyncIterator[None]:
    """Request the whole feed and read nothing."""
    loop = asyncio.get_running_loop()
    with socket.socket() as sock:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        await loop.sock_connect(sock, ("127.0.0.1", port))
        request = f"GET /feed?after=0 HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"
        await loop.sock_sendall(sock, request.encode())
        yield


async def test_stalled_and_slow_readers_delay_neither_20_others_nor_the_host(
    tmp_path: Path,
) -> None:
    port = free_port()
    host = flood_server(tmp_path, port, RATE)
    # The stalled reader keeps a transport open. If its ResourceWarning were an
    # error, uvloop would wait for the transport forever.
    host.env["PYTHONWARNINGS"] = "error,default::ResourceWarning"
    await anyio.to_thread.run_sync(host.restart)
    before_mb = memory_mb(host.pid)
    readers = [Normal(port, "/feed") for _ in range(READERS)]
    slow = Normal(port, "/feed", slow=True)

    async def have_all() -> bool:
        return all(reader.last >= EVENTS for reader in readers)

    async with stalled(port), anyio.create_task_group() as group:
        for reader in (*readers, slow):
            group.start_soon(reader.run)
        await wait_until(have_all, f"20 readers to have {EVENTS} events", READ_S)
        growth_mb = memory_mb(host.pid) - before_mb
        print(f"\n{growth_mb:.1f} MB more; the slow one has {slow.last}")  # noqa: T201
        assert 0 < slow.last < EVENTS
        assert all(reader.unexpected == [] for reader in (*readers, slow))

        asked = time.monotonic()
        assert await anyio.to_thread.run_sync(host.terminate, END_S) == 0
        print(f"ended after {time.monotonic() - asked:.2f} s")  # noqa: T201
        group.cancel_scope.cancel()
    assert growth_mb < MAX_GROWTH_MB
    assert "Exception in ASGI application" not in host.output()

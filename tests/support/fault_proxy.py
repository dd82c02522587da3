"""A TCP proxy between host and agent that injects faults, and counts the traffic.

It can cut, stall, slow down and refuse connections. It runs in a thread of the test's
process.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, TypeVar

BACKLOG = 1_000
CHUNK_BYTES = 64 * 1024
SLOW_STEP_S = 0.02
CALL_DEADLINE_S = 30.0
# With a linger time of 0, close sends RST instead of FIN, as a broken network does.
RESET = struct.pack("ii", 1, 0)

T = TypeVar("T")


@dataclass
class Counts:
    """The traffic so far. `down` means from the agent to the host."""

    connections: int = 0
    requests: int = 0  # Only HTTP/1.1. gRPC uses HTTP/2.
    up_bytes: int = 0
    down_bytes: int = 0
    cuts: int = 0


@dataclass(frozen=True)
class Faults:
    """The faults of all connections, open and new.

    `cut_after` and `stall_after` count the bytes that go down on all connections since
    the fault was set. The cut breaks one connection: the one that reaches the limit.
    """

    cut_after: int | None = None
    stall_after: int | None = None
    bytes_per_s: float | None = None
    refuse: bool = False


class FaultProxy:
    """`with FaultProxy(port) as proxy:` forwards `proxy.url` to 127.0.0.1:`port`.

    Methods may be called from any thread. When they return, the change is done.
    """

    def __init__(self, target_port: int, port: int = 0) -> None:
        self.counts = Counts()
        self.port = port
        self._target_port = target_port
        self._faults = Faults()
        self._down_bytes_before = 0
        self._healed = asyncio.Event()
        self._links: set[_Link] = set()
        self._serving: set[asyncio.Future[None]] = set()
        self._listener: socket.socket | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def open_connections(self) -> int:
        return len(self._links)

    def __enter__(self) -> FaultProxy:
        self._thread.start()
        self.clear_faults()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._call(self._close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def set_faults(self, faults: Faults) -> None:
        """Replace the faults."""

        async def begin() -> None:
            self._begin(faults)
            if faults.refuse:
                self._stop_listening()
            elif self._listener is None:
                self._listen()

        self._call(begin)

    def clear_faults(self) -> None:
        """Remove all faults. Stalled connections continue."""
        self.set_faults(Faults())

    def cut(self) -> int:
        """Break every open connection. Return how many there were."""

        async def break_all() -> int:
            links = list(self._links)
            for link in links:
                self._cut(link)
            return len(links)

        return self._call(break_all)

    def _call(self, start: Callable[[], Coroutine[Any, Any, T]]) -> T:
        done = asyncio.run_coroutine_threadsafe(start(), self._loop)
        return done.result(CALL_DEADLINE_S)

    def _listen(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=BACKLOG)
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self._loop.add_reader(self._listener, self._accept, self._listener)

    def _stop_listening(self) -> None:
        if self._listener is not None:
            self._loop.remove_reader(self._listener)
            self._listener.close()
            self._listener = None

    async def _close(self) -> None:
        self._stop_listening()
        self._begin(Faults())
        # Repeat, because a connection that was just accepted is not in _links yet.
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            for link in list(self._links):
                self._cut(link)
            await asyncio.wait(others, timeout=SLOW_STEP_S)

    def _begin(self, faults: Faults) -> None:
        self._faults = faults
        self._down_bytes_before = self.counts.down_bytes
        self._healed.set()
        self._healed = asyncio.Event()

    def _accept(self, listener: socket.socket) -> None:
        # asyncio's server leaks the socket if it is closed while it accepts.
        with suppress(BlockingIOError):
            accepted, _ = listener.accept()
            serving = asyncio.ensure_future(self._serve(accepted))
            self._serving.add(serving)
            serving.add_done_callback(self._serving.discard)

    async def _serve(self, accepted: socket.socket) -> None:
        client, to_client = await asyncio.open_connection(sock=accepted)
        self.counts.connections += 1
        try:
            agent, to_agent = await asyncio.open_connection(
                "127.0.0.1", self._target_port
            )
        except OSError:  # The agent does not listen, so refuse too.
            _reset(to_client)
            return
        link = _Link(to_client, to_agent)
        self._links.add(link)
        try:
            # When one side ends, end the other: HTTP does not half-close.
            await asyncio.wait(
                (
                    asyncio.ensure_future(self._carry_up(client, to_agent)),
                    down := asyncio.ensure_future(self._carry_down(agent, link)),
                ),
                return_when=asyncio.FIRST_COMPLETED,
            )
            down.cancel()
        finally:
            self._links.discard(link)
            to_client.close()
            to_agent.close()

    async def _carry_up(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter
    ) -> None:
        with suppress(OSError):
            while data := await source.read(CHUNK_BYTES):
                self.counts.requests += data.count(b" HTTP/1.1\r\n")
                self.counts.up_bytes += len(data)
                sink.write(data)
                await sink.drain()

    async def _carry_down(self, source: asyncio.StreamReader, link: _Link) -> None:
        with suppress(OSError):
            while data := await source.read(CHUNK_BYTES):
                while data:
                    room = await self._room()
                    if room is None:
                        return self._cut(link)
                    piece, data = data[:room], data[room:]
                    self.counts.down_bytes += len(piece)
                    link.client.write(piece)
                    await link.client.drain()

    async def _room(self) -> int | None:
        """Wait until bytes may go down. Return how many, or None to cut."""
        while True:
            faults, healed = self._faults, self._healed
            passed = self.counts.down_bytes - self._down_bytes_before
            room = CHUNK_BYTES
            if faults.cut_after is not None:
                room = min(room, faults.cut_after - passed)
                if room <= 0:
                    self._faults = replace(faults, cut_after=None)
                    return None
            if faults.stall_after is not None:
                room = min(room, faults.stall_after - passed)
                if room <= 0:
                    await healed.wait()
                    continue
            if faults.bytes_per_s is not None:
                await asyncio.sleep(SLOW_STEP_S)
                room = min(room, max(1, int(faults.bytes_per_s * SLOW_STEP_S)))
            return room

    def _cut(self, link: _Link) -> None:
        self.counts.cuts += 1
        _reset(link.client)
        _reset(link.agent)


@dataclass(frozen=True, eq=False)
class _Link:
    """The two ends of one connection through the proxy."""

    client: asyncio.StreamWriter
    agent: asyncio.StreamWriter


def _reset(writer: asyncio.StreamWriter) -> None:
    connection: socket.socket | None = writer.get_extra_info("socket")
    with suppress(OSError):
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()

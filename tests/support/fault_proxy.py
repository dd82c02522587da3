"""A TCP proxy with faults, between the host and an agent: cuts, stalls, slows, refuses.

It runs in a thread of the test's process; what it counted goes to the test.
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
CALL_DEADLINE_S = 5.0
# No time to linger: closing then sends RST, as a broken network does, and no FIN.
RESET = struct.pack("ii", 1, 0)

T = TypeVar("T")


@dataclass
class Counts:
    """What went through: `down` is from the agent to the host."""

    connections: int = 0
    requests: int = 0  # of HTTP/1.1; gRPC speaks HTTP/2
    up_bytes: int = 0
    down_bytes: int = 0
    cuts: int = 0


@dataclass(frozen=True)
class Faults:
    """What is wrong with every connection, open or to come.

    `cut_after` and `stall_after` count the bytes that go down, all connections
    together, from when the fault begins. A cut hits the connection that carried the
    last of them, and then it is over.
    """

    cut_after: int | None = None
    stall_after: int | None = None
    bytes_per_s: float | None = None
    refuse: bool = False


class FaultProxy:
    """`with FaultProxy(port) as proxy:` forwards `proxy.url` to 127.0.0.1:`port`.

    Methods may be called from any thread; what they ask for is so when they return.
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
        """From now on these faults, instead of those there were."""

        async def begin() -> None:
            self._begin(faults)
            if faults.refuse:
                self._stop_listening()
            elif self._listener is None:
                self._listen()

        self._call(begin)

    def clear_faults(self) -> None:
        """From now on no faults; what was stalled goes on."""
        self.set_faults(Faults())

    def cut(self) -> int:
        """Breaks every open connection at once; how many there were."""

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
        # Until nothing runs: one that was just let in is no link yet.
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
        # Not asyncio's server: closed while it lets one in, it forgets that socket.
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
        except OSError:  # The agent is not there, so neither are we.
            _reset(to_client)
            return
        link = _Link(to_client, to_agent)
        self._links.add(link)
        try:
            # Whichever side ends first, the other is done with: HTTP half-closes none.
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
        """How many bytes may go down now, once any may; None where to cut instead."""
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
    """One connection through the proxy: its two ends, to be written to."""

    client: asyncio.StreamWriter
    agent: asyncio.StreamWriter


def _reset(writer: asyncio.StreamWriter) -> None:
    connection: socket.socket | None = writer.get_extra_info("socket")
    with suppress(OSError):
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()

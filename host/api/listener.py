"""Accepts connections, and starts them one by one, in turns of the addresses.

The event loop would accept one connection per turn, in the order of the kernel's queue.
A client that connects, sends a request and closes would fill this queue, and everybody
else would wait until the host has answered thousands of requests that nobody reads.

Connections count from accept. uvicorn learns of a TLS connection only after its
handshake, which may take 60 s.
"""

from __future__ import annotations

import asyncio
import select
import socket
import ssl
from collections.abc import Callable
from functools import partial

from ..config.address_rules import unmap_address
from .fair_queue import FairQueue
from .places import Places
from .refusals import Warnings, build_refusal
from .request_limits import RequestRefused

HANDSHAKE_S = 10.0
RETRY_S = 0.1  # After an error of accept, such as no free file descriptor.
BACKLOG = 2_048  # As uvicorn's.
# In one turn of the event loop, which also starts one connection. Accepting is quick;
# the requests of started connections are not.
MAX_ACCEPTED = 128
MAX_CLOSED = 128  # Connections whose clients have left while they waited.
# Not on macOS. There, such a connection is only noticed when it is read.
CLIENT_LEFT = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR

CreateProtocol = Callable[[Callable[[], None]], asyncio.Protocol]


class Listener:
    """Accepts connections until `close`, with the methods of an asyncio.Server.

    `create_protocol` gets the function that the protocol calls when it has ended.
    """

    def __init__(
        self,
        create_protocol: CreateProtocol,
        places: Places,
        warnings: Warnings,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._create_protocol = create_protocol
        self._places = places
        self._warnings = warnings
        self._tls = tls
        self._waiting: FairQueue[socket.socket] = FairQueue()
        self._next_start: asyncio.Handle | None = None
        self._starting: set[asyncio.Task[None]] = set()
        self._socket: socket.socket | None = None
        self._retry: asyncio.TimerHandle | None = None

    def listen(self, listener: socket.socket) -> None:
        listener.setblocking(False)
        # Accepted sockets inherit it. asyncio does not set it for them.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.listen(BACKLOG)
        self._socket = listener
        self._loop.add_reader(listener.fileno(), self._accept, listener)

    def close(self) -> None:
        if self._socket:
            self._loop.remove_reader(self._socket.fileno())
        for handle in (self._retry, self._next_start, *self._starting):
            if handle:
                handle.cancel()
        while self._waiting:
            self._drop(*self._waiting.pop())

    async def wait_closed(self) -> None:
        """Return at once: `close` needs no time."""

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(MAX_ACCEPTED):
            try:
                sock, address = listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                break
            except OSError as error:
                self._warnings.warn("", f"a connection cannot be accepted: {error}")
                self._loop.remove_reader(listener.fileno())
                self._retry = self._loop.call_later(RETRY_S, self.listen, listener)
                break
            sock.setblocking(False)
            self._admit(sock, address[0])
        if not self._next_start:
            self._start(have_waited=False)

    def _admit(self, sock: socket.socket, address: str) -> None:
        try:
            owner = self._places.take(address)
        except RequestRefused as refusal:
            cause, status = str(refusal), refusal.status
            self._warnings.warn(unmap_address(address), cause, status)
            if not self._tls:  # A response would need the handshake.
                _respond(sock, build_refusal(status, cause))
            sock.close()
        else:
            self._waiting.add(owner, sock)

    def _start(self, *, have_waited: bool) -> None:
        """Start one connection. The next one waits for the next turn of the loop."""
        self._next_start = None
        for _ in range(MAX_CLOSED):
            if not self._waiting:
                return
            owner, sock = self._waiting.pop()
            if have_waited and _has_client_left(sock):
                self._drop(owner, sock)
                continue
            task = self._loop.create_task(self._connect(owner, sock))
            self._starting.add(task)
            task.add_done_callback(self._starting.discard)
            break
        if self._waiting:
            start = partial(self._start, have_waited=True)
            self._next_start = self._loop.call_soon(start)

    def _drop(self, owner: str, sock: socket.socket) -> None:
        sock.close()
        self._places.free(owner)

    async def _connect(self, owner: str, sock: socket.socket) -> None:
        """Pass the connection to a protocol, which frees the place when it ends."""
        free = partial(self._places.free, owner)
        try:
            await self._loop.connect_accepted_socket(
                partial(self._create_protocol, free),
                sock,
                ssl=self._tls,
                ssl_handshake_timeout=HANDSHAKE_S if self._tls else None,
            )
        except OSError as error:  # ssl.SSLError is one.
            free()
            cause = str(error) or "the client closed the connection"
            failed = "TLS handshake" if self._tls else "start of the connection"
            self._warnings.warn(owner, f"the {failed} failed: {cause}")


def _has_client_left(sock: socket.socket) -> bool:
    poll = select.poll()
    poll.register(sock, CLIENT_LEFT)
    return bool(poll.poll(0))


def _respond(sock: socket.socket, response: bytes) -> None:
    """Send the response. Unread bytes of the request would make the kernel drop it."""
    try:
        sock.send(response)
        sock.recv(64 * 1024)
    except OSError:
        pass

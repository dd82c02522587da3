"""Accepts TLS connections: each one counts from accept, and must complete a handshake.

uvicorn learns of a connection only after its handshake, which may take 60 s. A client
could open connections without one, and use up the file descriptors.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import Any

from ..config.address_rules import unmap_address
from .refusals import Warnings

HANDSHAKE_S = 10.0
RETRY_S = 0.1  # After an error of accept, such as no free file descriptor.
BACKLOG = 2_048  # As uvicorn's.


class TlsListener:
    """Accepts connections until `close`, with the methods of an asyncio.Server.

    `connections` has those after their handshake; all together are at most `most`.
    """

    def __init__(
        self,
        tls: ssl.SSLContext,
        create_protocol: Callable[[], asyncio.Protocol],
        connections: set[Any],
        most: int | None,
        warnings: Warnings,
    ) -> None:
        self._tls = tls
        self._create_protocol = create_protocol
        self._connections = connections
        self._most = most
        self._warnings = warnings
        self._handshakes: set[asyncio.Task[None]] = set()
        self._accepting: asyncio.Task[None] | None = None

    def listen(self, listener: socket.socket) -> None:
        listener.setblocking(False)
        listener.listen(BACKLOG)
        self._accepting = asyncio.get_running_loop().create_task(self._accept(listener))

    def close(self) -> None:
        for task in (self._accepting, *self._handshakes):
            if task:
                task.cancel()

    async def wait_closed(self) -> None:
        """Return at once: `close` needs no time."""

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, address = await loop.sock_accept(listener)
            except OSError as error:
                self._warnings.warn("", f"a connection cannot be accepted: {error}")
                await asyncio.sleep(RETRY_S)
                continue
            client = unmap_address(address[0])
            used = len(self._connections) + len(self._handshakes)
            if self._most is not None and used >= self._most:
                # A response would need the handshake.
                sock.close()
                cause = f"the limit of {self._most} connections is reached"
                self._warnings.warn(client, cause)
                continue
            task = loop.create_task(self._shake_hands(sock, client))
            self._handshakes.add(task)
            task.add_done_callback(self._handshakes.discard)

    async def _shake_hands(self, sock: socket.socket, client: str) -> None:
        """Pass the connection to its protocol, which adds it to `connections`."""
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                self._create_protocol,
                sock,
                ssl=self._tls,
                ssl_handshake_timeout=HANDSHAKE_S,
            )
        except OSError as error:  # ssl.SSLError is one.
            cause = str(error) or "the client closed the connection"
            self._warnings.warn(client, f"the TLS handshake failed: {cause}")

"""Counts the bytes that TCP carried in both directions, as the kernel reports them."""

from __future__ import annotations

import socket
import struct
from typing import Protocol

import httpx

# struct tcp_info of linux/tcp.h: tcpi_bytes_acked and tcpi_bytes_received.
BOTH_WAYS = struct.Struct("120xQQ")


class Socket(Protocol):
    """A socket, or asyncio's wrapper of a socket."""

    def getsockname(self) -> object: ...

    def getsockopt(self, level: int, name: int, size: int, /) -> bytes: ...


class WireBytes:
    """The sum of the latest counts of all connections."""

    def __init__(self) -> None:
        self._of: dict[object, int] = {}

    @property
    def total(self) -> int:
        return sum(self._of.values())

    def count(self, response: httpx.Response) -> None:
        stream = response.extensions["network_stream"]
        self.count_socket(stream.get_extra_info("socket"))

    def count_socket(self, of: Socket) -> None:
        info = of.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, BOTH_WAYS.size)
        self._of[of.getsockname()] = sum(BOTH_WAYS.unpack(info))

"""A transport without a socket, which keeps what is written to it."""

from __future__ import annotations

import asyncio
from typing import Any

ADDRESSES = {"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 8000)}


class FakeTransport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self._is_closing = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ADDRESSES.get(name, default)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self._is_closing, "written after the connection was closed"
        self.sent += data

    def is_closing(self) -> bool:
        return self._is_closing

    def close(self) -> None:
        self._is_closing = True

    abort = close

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        return None

    def pause_reading(self) -> None:
        return None

    resume_reading = pause_reading

    def set_write_buffer_limits(
        self, high: int | None = None, low: int | None = None
    ) -> None:
        return None

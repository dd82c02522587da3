"""Parses server-sent events (WHATWG HTML, section 9.2.6), without I/O."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from .types import TooLarge
from .unreachable_errors import BadResponse

MIB = 1024 * 1024
MAX_EVENT = 4 * MIB
MAX_SKIPPED = 64 * MIB
BOM = b"\xef\xbb\xbf"
_any_json = msgspec.json.Decoder(msgspec.Raw)


class Frame(Struct, frozen=True, gc=False):
    """The data of one event, or None if it was over MAX_EVENT.

    A2A has no event types but "error". `kind` is the agent's, if there is one.
    """

    data: bytes | None
    kind: bytes = b""

    @property
    def is_error(self) -> bool:
        return self.kind == b"error"


class SseParser:
    """Keeps the start of an unfinished event, but never more than MAX_EVENT."""

    TURN_BYTES = 8 * 1024  # Of one `feed`, which takes up to 8 ms.

    def __init__(self) -> None:
        self._kept: list[bytes] = []  # Joined only when the event ends.
        self._size = 0
        self._has_begun = False
        self._after_return = False

    @property
    def kept_bytes(self) -> int:
        """The size of the start of an unfinished event."""
        return self._size if self._size <= MAX_EVENT else 0

    def feed(self, data: bytes) -> list[Frame]:
        """Return the events that `data` completes, if they have data.

        Raises BadResponse for an event that does not end.
        """
        data = self._with_line_feeds(data)
        if not data:
            return []
        # The two line feeds that end an event may arrive in different chunks.
        is_split = data[:1] == b"\n" and self._kept and self._kept[-1][-1:] == b"\n"
        if not is_split and b"\n\n" not in data:
            self._keep(data)
            return []
        first, *blocks = b"".join((*self._kept, data)).split(b"\n\n")
        frames = [Frame(None) if self._size > MAX_EVENT else _parse(first)]
        rest = blocks.pop()
        frames.extend(map(_parse, blocks))
        self._kept.clear()
        self._size = 0
        self._keep(rest)
        return list(filter(None, frames))

    def finish(self) -> list[Frame]:
        """Return the last event if only its empty line is missing."""
        if self._size > MAX_EVENT:
            return []
        frame = _parse(b"".join(self._kept).rstrip(b"\n"))
        is_whole = frame and frame.data and is_json(frame.data)
        return [frame] if frame and is_whole else []

    def _with_line_feeds(self, data: bytes) -> bytes:
        if not self._has_begun:
            data = b"".join((*self._kept, data))
            self._kept.clear()
            if BOM.startswith(data[:3]) and len(data) < len(BOM):
                self._kept.append(data)
                return b""
            self._has_begun = True
            data = data.removeprefix(BOM)
        if self._after_return and data:
            # The last chunk ended in a return. A line feed here is the same line end.
            data = data.removeprefix(b"\n")
            self._after_return = False
        if b"\r" in data:
            self._after_return = data[-1:] == b"\r"
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return data

    def _keep(self, data: bytes) -> None:
        if not data:
            return
        self._size += len(data)
        if self._size > MAX_SKIPPED:
            raise BadResponse(f"bad response: an event without end, {self._size} bytes")
        if self._size > MAX_EVENT:
            self._kept.clear()
            data = data[-1:]
        self._kept.append(data)


def _parse(block: bytes) -> Frame | None:
    """Parse the lines of one event. Return None for one without data, as a comment."""
    if len(block) > MAX_EVENT:
        return Frame(None)
    if block[:6] == b"data: " and b"\n" not in block:
        return Frame(block[6:]) if len(block) > 6 else None
    values, kind = [], b""
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        if field == b"data":
            values.append(value.removeprefix(b" "))
        elif field == b"event":
            kind = value.removeprefix(b" ")
    data = b"\n".join(values)
    return Frame(data, kind) if data else None


def too_large() -> TooLarge:
    """Return the error for a Frame without data."""
    return TooLarge(f"an event over {MAX_EVENT // MIB} MiB")


def is_json(data: bytes) -> bool:
    try:
        _any_json.decode(data)
    except (ValueError, RecursionError):
        return False
    return True

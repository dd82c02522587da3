"""Owns the framing of server-sent events: bytes in, the data of each event out.

The HTTP bindings decode what it finds. WHATWG HTML, section 9.2.6; no I/O.
"""

from __future__ import annotations

from msgspec import Struct

from .failure_causes import BadAnswer
from .types import TooLarge

MIB = 1024 * 1024
MAX_EVENT = 4 * MIB
MAX_SKIPPED = 64 * MIB
BOM = b"\xef\xbb\xbf"


class Frame(Struct, frozen=True, gc=False):
    """The data of one event, its lines joined by line feeds; None where it was over
    MAX_EVENT. Of the event types only "error" means something to A2A."""

    data: bytes | None
    is_error: bool = False


class Splitter:
    """Keeps what is not a whole event yet, but never more than MAX_EVENT."""

    def __init__(self) -> None:
        self._kept: list[bytes] = []  # Joined only when their event ends.
        self._size = 0
        self._begun = False
        self._after_return = False

    def feed(self, data: bytes) -> list[Frame]:
        """The events that `data` completes, without those that have no data.

        Raises BadAnswer where an event does not end.
        """
        data = self._with_line_feeds(data)
        if not data:
            return []
        # The end of an event may lie across two pieces.
        across = data[:1] == b"\n" and self._kept and self._kept[-1][-1:] == b"\n"
        if not across and b"\n\n" not in data:
            self._keep(data)
            return []
        first, *blocks = b"".join((*self._kept, data)).split(b"\n\n")
        frames = [Frame(None) if self._size > MAX_EVENT else _frame(first)]
        rest = blocks.pop()
        frames.extend(map(_frame, blocks))
        self._kept.clear()
        self._size = 0
        self._keep(rest)
        return list(filter(None, frames))

    def _with_line_feeds(self, data: bytes) -> bytes:
        if not self._begun:
            data = b"".join((*self._kept, data))
            self._kept.clear()
            if BOM.startswith(data[:3]) and len(data) < len(BOM):
                self._kept.append(data)
                return b""
            self._begun = True
            data = data.removeprefix(BOM)
        if self._after_return and data:
            # A return was taken for a whole line end; this may be its other half.
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
            raise BadAnswer(f"bad answer: an event without end, {self._size} bytes")
        if self._size > MAX_EVENT:
            self._kept.clear()
            data = data[-1:]
        self._kept.append(data)


def _frame(block: bytes) -> Frame | None:
    """An event from its lines; None where it has no data, as a comment."""
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
    data = values[0] if len(values) == 1 else b"\n".join(values)
    return Frame(data, kind == b"error") if data else None


def size_of(frame: Frame) -> int:
    return len(frame.data) if frame.data else 0


def too_large() -> TooLarge:
    """What a Frame without data stands for."""
    return TooLarge(f"an event over {MAX_EVENT // MIB} MiB")

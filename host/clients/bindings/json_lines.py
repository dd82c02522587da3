"""Parses responses that are JSON values in a row, without I/O: one value, or NDJSON."""

from __future__ import annotations

import re

from .sse import MAX_EVENT, Frame, is_json

STRING = re.compile(rb'"(?:[^"\\]+|\\.)*"?', re.DOTALL)
MAX_BALANCED = 64 * 1024  # Counting the brackets of 4 MiB may take 0.2 s.


class JsonLinesParser:
    """Takes each line as a value, or several lines if only together they are one.

    Reads each byte a few times at most, however the lines are made.
    """

    TURN_BYTES = 2 * 1024  # Of one `feed`. 32 KiB of short lines took up to 40 ms.

    def __init__(self) -> None:
        self._begun = bytearray()  # An unfinished line.
        self._value = bytearray()  # The lines of an unfinished value.
        self._depth = 0  # Its open brackets. At 0 no further line can complete it.

    @property
    def kept_bytes(self) -> int:
        """The size of the start of an unfinished value."""
        return len(self._begun) + len(self._value)

    def feed(self, data: bytes) -> list[Frame]:
        """Return the values that `data` completes. Too large ones have no data."""
        *ends, rest = data.split(b"\n")
        frames = [frame for end in ends for frame in self._end_line(end)]
        self._begun += rest
        if len(self._begun) + len(self._value) > MAX_EVENT:
            self._begun.clear()
            self._value.clear()
            frames.append(Frame(None))
        return frames

    def finish(self) -> list[Frame]:
        """Return the rest, which may lack its line end."""
        frames = self._end_line(b"")
        if self._value:
            frames.append(self._take_value())
        return frames

    def _end_line(self, end: bytes) -> list[Frame]:
        line = end
        if self._begun:
            line = bytes(self._begun + end)
            self._begun.clear()
        line = line.strip()
        if not line:
            return []
        if self._value:
            return self._continue(line)
        if is_json(line) or _is_whole_object(line):
            return [Frame(line)]
        self._value += line
        self._depth = _count_open(line)
        return []

    def _continue(self, line: bytes) -> list[Frame]:
        if line.startswith(b'{"') and line.endswith(b"}") and is_json(line):
            # The lines before it never became a value.
            return [self._take_value(), Frame(line)]
        self._value += b"\n"
        self._value += line
        if self._depth <= 0:
            return []
        self._depth += _count_open(line)
        is_object = self._value.startswith(b"{")
        if self._depth <= 0 and (is_object or is_json(bytes(self._value))):
            return [self._take_value()]
        return []

    def _take_value(self) -> Frame:
        value = bytes(self._value)
        self._value.clear()
        return Frame(value)


def _is_whole_object(line: bytes) -> bool:
    """Return whether a line that is not JSON may be an object with other faults."""
    if not (line.startswith(b'{"') and line.endswith(b"}")):
        return False
    return len(line) > MAX_BALANCED or _count_open(line) == 0


def _count_open(line: bytes) -> int:
    """Return how many more brackets a line opens than it closes. No string of JSON has
    a line feed."""
    bare = line if len(line) > MAX_BALANCED else STRING.sub(b"", line)
    return bare.count(b"{") + bare.count(b"[") - bare.count(b"}") - bare.count(b"]")

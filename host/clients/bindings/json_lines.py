"""Parses responses that are JSON values in a row, without I/O: one value, or NDJSON."""

from __future__ import annotations

from ...protocol import lenient_json
from .sse import MAX_EVENT, Frame, is_json


class JsonLinesParser:
    """Takes each line as a value, or several lines if only together they are one."""

    def __init__(self) -> None:
        self._line = b""
        self._value = b""  # The lines of an unfinished value.

    def feed(self, data: bytes) -> list[Frame]:
        """Return the values that `data` completes. Too large ones have no data."""
        *lines, self._line = (self._line + data).split(b"\n")
        frames = [frame for line in lines for frame in self._add(line)]
        if len(self._line) + len(self._value) > MAX_EVENT:
            self._line = self._value = b""
            frames.append(Frame(None))
        return frames

    def finish(self) -> list[Frame]:
        """Return the rest, which may lack its line end."""
        frames = self._add(self._line)
        if self._value:
            frames.append(Frame(self._value))
        self._line = self._value = b""
        return frames

    def _add(self, line: bytes) -> list[Frame]:
        line = line.strip()
        value = self._value + b"\n" + line if self._value else line
        if not line or is_json(value) or (not self._value and _is_lenient(line)):
            self._value = b"" if line else self._value
            return [Frame(value)] if line else []
        if self._value and line.startswith(b'{"') and is_json(line):
            # The lines before it never became a value.
            unreadable, self._value = Frame(self._value), b""
            return [unreadable, Frame(line)]
        self._value = value
        return []


def _is_lenient(line: bytes) -> bool:
    """Return whether a line is an object that has only trailing commas too much."""
    if not (line.startswith(b'{"') and line.endswith(b"}")):
        return False
    try:
        lenient_json.decode(line)
    except ValueError:
        return False
    return True

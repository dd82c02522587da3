"""Counts the values of JSON before it is parsed.

A parser in C holds the interpreter's lock. Even if it runs in a thread, the event loop
waits: 0.2 s for 4 MiB of empty lists, 40 ms for MAX_VALUES of any kind.
"""

from __future__ import annotations

MAX_VALUES = 100_000  # Of one event or response of an agent.
SMALL_BYTES = 64 * 1024  # Shorter JSON is not counted: any takes less than 10 ms.


class TooManyValues(ValueError):
    """The JSON has over MAX_VALUES values."""


def check_count(data: bytes) -> None:
    """Raise TooManyValues if an agent's JSON has over MAX_VALUES values."""
    if len(data) > SMALL_BYTES and has_over(MAX_VALUES, data):
        raise TooManyValues(f"over {MAX_VALUES} JSON values")


def has_over(limit: int, data: bytes | bytearray) -> bool:
    """Return whether the JSON has over `limit` numbers, texts, lists and objects.

    Keys are not counted. It only looks for separators outside of strings, so the JSON
    may be invalid.
    """
    if _count_separators(data, 0, len(data)) <= limit:
        return False
    max_strings = 2 * limit + 2  # Valid JSON has a separator for each two.
    values = strings = position = 0
    while position < len(data) and values <= limit and strings <= max_strings:
        quote = data.find(b'"', position)
        end = quote if quote >= 0 else len(data)
        values += _count_separators(data, position, end)
        strings += 1
        position = _find_string_end(data, quote + 1) if quote >= 0 else end
    return values > limit or strings > max_strings


def _count_separators(data: bytes | bytearray, start: int, end: int) -> int:
    return sum(data.count(one, start, end) for one in (b",", b"[", b"{"))


def _find_string_end(data: bytes | bytearray, start: int) -> int:
    """Return the position after the quote that ends the string."""
    while (quote := data.find(b'"', start)) >= 0:
        before = data[start:quote]
        if (len(before) - len(before.rstrip(b"\\"))) % 2 == 0:
            return quote + 1
        start = quote + 1
    return len(data)

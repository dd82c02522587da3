"""Cuts long texts of a task's row, so that many rows have a limit in bytes."""

from __future__ import annotations

from msgspec import UNSET
from msgspec.structs import replace

from .event import TaskEvent


def count_bytes(text: str) -> int:
    """Return the size of a text in UTF-8."""
    return len(text) if text.isascii() else len(text.encode())


def cut_text(text: str, max_bytes: int) -> str:
    """Return the longest start of `text` that has at most `max_bytes` in UTF-8.

    The same object if that is all of it.
    """
    if len(text) * 4 <= max_bytes or count_bytes(text) <= max_bytes:
        return text
    return text[:max_bytes].encode()[:max_bytes].decode(errors="ignore")


def shorten_row(row: TaskEvent, max_bytes: int) -> TaskEvent:
    """Cut each text of a row to `max_bytes`. `shortened` has the size of the whole."""
    message = cut_text(row.message, max_bytes) if row.message else row.message
    result = row.result
    if result is not UNSET:
        result = cut_text(result, max_bytes)
    if message is row.message and result is row.result:
        return row
    sizes = {} if row.shortened is UNSET else dict(row.shortened)
    for name, before, after in (
        ("message", row.message, message),
        ("result", row.result, result),
    ):
        if isinstance(before, str) and after is not before:
            sizes.setdefault(name, count_bytes(before))
    return replace(row, message=message, result=result, shortened=sizes)

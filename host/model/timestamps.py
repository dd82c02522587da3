"""Timestamps: every event has its times as RFC 3339 in UTC, to the millisecond."""

from __future__ import annotations

import re
import time
from datetime import datetime, timedelta, timezone
from functools import lru_cache

import msgspec
from google.protobuf.timestamp_pb2 import Timestamp

MAX_CHARS = 64


def parse_timestamp(text: str) -> str | None:
    """Normalise a timestamp to the form 2026-11-22T12:00:00.123Z; None if invalid.

    A time without a zone is UTC. Digits after the millisecond are cut off, which keeps
    the order.
    """
    if _is_time(text[:19]) and _is_fraction(text[19:]):
        return text
    utc = text[:-6] + "Z" if text.endswith("+00:00") else text
    try:
        if utc[-1:] == "Z" and utc[10] == "T" and msgspec.convert(utc, datetime):
            return f"{utc[:19]}.{utc[20:-1]:0<3.3}Z"
    except (msgspec.ValidationError, IndexError):
        pass
    return _parse_unusual(text) if 0 < len(text) <= MAX_CHARS else None


@lru_cache(1_024)
def _is_time(text: str) -> bool:
    """Check a time to the second. Cached, because many updates share it."""
    try:
        return text[10] == "T" and bool(msgspec.convert(text + "Z", datetime))
    except (msgspec.ValidationError, IndexError):
        return False


@lru_cache(1_024)
def _is_fraction(text: str) -> bool:
    """Check the rest of a time, with milliseconds in UTC. There are only a thousand."""
    has_form = len(text) == 5 and text[0] == "." and text[4] == "Z"
    return has_form and text.isascii() and text[1:4].isdecimal()


def format_timestamp(at_s: float) -> str:
    """Format seconds since 1970 in the same form."""
    at = datetime.fromtimestamp(at_s, timezone.utc)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def now() -> str:
    """Return the current time in the same form."""
    return format_timestamp(time.time())


def seconds_since(stamp: str) -> float:
    """Return the seconds from `stamp` until now: 0 if it is invalid, or ahead."""
    try:
        at_s = msgspec.convert(stamp, datetime).timestamp()
    except msgspec.ValidationError:
        return 0.0
    return max(0.0, time.time() - at_s)


def subtract_seconds(stamp: str, seconds: float) -> str:
    """Return the time `seconds` before a timestamp of `parse_timestamp`."""
    try:
        at = msgspec.convert(stamp, datetime) - timedelta(seconds=seconds)
    except OverflowError:
        return stamp
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _parse_unusual(text: str) -> str | None:
    """Parse like the SDK, then allow a blank for T, no colon, and no zone."""
    tidy = text.strip().upper().replace(" ", "T", 1)
    tidy = re.sub(r"(\.\d{9})\d+", r"\1", tidy)
    tidy = re.sub(r"(T.*[+-]\d\d)(\d\d)$", r"\1:\2", tidy)
    stamp = Timestamp()
    for candidate in (text, tidy, tidy + "Z"):
        try:
            stamp.FromJsonString(candidate)
        except (ValueError, OverflowError):
            continue
        return parse_timestamp(stamp.ToJsonString())
    return None

"""Reads the begin of a JSON object that is cut off."""

from __future__ import annotations

import json
import re
from typing import Any

Json = dict[str, Any]

# Each level reads the rest once more. A Task is in `result`, and some agents wrap it.
MAX_DEPTH = 4

_decoder = json.JSONDecoder()
_space = re.compile(r"[ \t\r\n]*")


def read_begin(data: bytes) -> Json:
    """Return the members that `data` has in full, also those of a cut off member."""
    return _read_object(data.decode(errors="ignore"), 0, MAX_DEPTH)


def _read_object(text: str, at: int, depth: int) -> Json:
    members: Json = {}
    try:
        at = _skip(text, at, "{")
        while True:
            key, at = _decoder.raw_decode(text, _skip(text, at))
            if not isinstance(key, str):
                return members
            at = _skip(text, _skip(text, at, ":"))
            try:
                value, at = _decoder.raw_decode(text, at)
            except (ValueError, RecursionError):
                if depth and text.startswith("{", at):
                    members[key] = _read_object(text, at, depth - 1)
                return members
            if at < len(text):  # A number may be cut off.
                members[key] = value
            at = _skip(text, at, ",")
    except (ValueError, RecursionError):
        return members


def _skip(text: str, at: int, mark: str = "") -> int:
    """Return the place after white space and `mark`. Raises ValueError without it."""
    space = _space.match(text, at)
    at = space.end() if space else at
    if not text.startswith(mark, at):
        raise ValueError(f"no {mark} at {at}")
    return at + len(mark)

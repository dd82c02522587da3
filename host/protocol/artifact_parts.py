"""Compares the parts of an artifact: new ones and repeated ones.

An agent may keep chunks of text as they were sent, or joined: both are the same.
"""

from __future__ import annotations

import json
from itertools import groupby
from typing import Any

Part = dict[str, Any]
Parts = list[Part]


def new_parts(recorded: Parts, current: Parts) -> Parts | None:
    """Return the parts of an artifact that the feed does not have.

    `recorded` are its parts in the feed, `current` those at the agent. Returns None if
    the artifact has changed, so that only all of it will do.
    """
    if current[: len(recorded)] == recorded:
        return current[len(recorded) :]
    rest = _parts_after(_join_texts(recorded), _join_texts(current))
    has_less = _parts_after(_join_texts(current), _join_texts(recorded)) is not None
    if rest is None and has_less:
        return []  # The agent kept less than it sent.
    return rest


def has_all_parts(recorded: Parts, current: Parts) -> bool:
    """Return whether `current` are the `recorded` parts, with or without more parts."""
    if current[: len(recorded)] == recorded:
        return True
    return _parts_after(_join_texts(recorded), _join_texts(current)) is not None


def hash_parts(parts: Parts) -> int:
    """Return a hash of the content of `parts`, however its texts are split."""
    return hash(json.dumps(_join_texts(parts), sort_keys=True))


def _parts_after(start: Parts, parts: Parts) -> Parts | None:
    """Return the rest of `parts` after `start`, also within a text, or None."""
    if not start:
        return parts
    last = len(start) - 1
    if len(parts) <= last or parts[:last] != start[:last]:
        return None
    short, long = start[last], parts[last]
    if short == long:
        return parts[last + 1 :]
    if _without_text(short) != _without_text(long):
        return None
    if not long["text"].startswith(short["text"]):
        return None
    rest = {**long, "text": long["text"][len(short["text"]) :]}
    return [rest, *parts[last + 1 :]]


def _join_texts(parts: Parts) -> Parts:
    """Join each run of texts into one part, without empty ones."""
    joined: Parts = []
    for (is_text, fields), run in groupby(parts, _without_text):
        if not is_text:
            joined.extend(run)
        elif text := "".join(part["text"] for part in run):
            joined.append({"text": text, **fields})
    return joined


def _without_text(part: Part) -> tuple[bool, Part]:
    """Return whether the part is a text, and its other fields."""
    if "text" not in part:
        return False, part
    return True, {key: value for key, value in part.items() if key != "text"}

"""Formats an event as one line for a terminal. `courtside tail` prints it.

Text of agents cannot control the terminal: no escape sequences, no markup.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from zlib import crc32

from rich.text import Text

from .host_client import make_printable

Event = Mapping[str, Any]
STATUS = {
    "submitted": "dim",
    "running": "cyan",
    "completed": "green",
    "error": "bold red",
    "cancelled": "yellow",
    "rejected": "red",
    "input-required": "bold magenta",
    "auth-required": "bold magenta",
    "continued": "dim",
    "connected": "green",
    "lost": "red",
    "gap": "yellow",
    "stalled": "yellow",
}
STATUS_FIELDS = {"task": "status", "agent": "connection", "notice": "notice"}
AGENTS = ("blue", "magenta", "cyan", "green", "yellow", "bright_blue")
BAR = 10
TASK_CHARS = 4
AGENT_CHARS, STATUS_CHARS = 8, 14
MAX_CHARS = 2_000


def format_event(event: Event, *, bar: bool = True) -> Text:
    """Return the line without a newline. `bar` adds a bar to the progress."""
    text = Text()
    agent = _text(event, "agent")
    task = _text(event, "task_id").replace("-", "")[-TASK_CHARS:]
    status = _status(event)
    text.append(f"{_local_time(_text(event, 'received_at'))} ", "dim")
    # The name decides the colour, so an agent has the same colour in every run.
    text.append(f"{agent:<{AGENT_CHARS}} ", AGENTS[crc32(agent.encode()) % len(AGENTS)])
    text.append(f"{task:<{TASK_CHARS}} ", "dim")
    text.append(f"{status:<{STATUS_CHARS}} ", STATUS.get(status, ""))
    if event.get("kind") == "task":
        text.append_text(_progress(event.get("progress"), bar))
    words = " ".join(part for part in _words(event) if part)
    text.append(words[:MAX_CHARS])
    text.rstrip()
    return text


def _status(event: Event) -> str:
    kind = _text(event, "kind")
    if _text(event, "continued_by"):
        return "continued"  # It no longer waits for an answer.
    return _text(event, STATUS_FIELDS.get(kind, "")) or kind


def _progress(percent: object, bar: bool) -> Text:
    """Return `━━━━━━━━━━  50% `, or spaces if there is no valid progress."""
    share = percent / 100 if isinstance(percent, int | float) else -1
    is_valid = 0 <= share <= 1
    text = Text()
    if bar:
        done = round(share * BAR) if is_valid else 0
        text.append("━" * done, "green").append("━" * (BAR - done), "bright_black")
    return text.append(f"{share:5.0%} " if is_valid else " " * 6)


def _words(event: Event) -> Iterator[str]:
    yield _cut_text(event, "result") or _cut_text(event, "message")
    kind = event.get("kind")
    if kind == "artifact":
        yield _text(event, "name") or _text(event, "artifact_id")
        yield from map(_format_part, _list(event, "parts"))
    elif kind == "agent":
        if cause := _text(event, "cause"):
            yield cause
        else:
            yield " ".join(_text(event, name) for name in ("title", "followed"))
            yield _text(event, "trouble")
    elif kind == "task":
        yield "(stalled)" if _text(event, "stalled_since") else ""
        choices = " | ".join(map(str, _list(event, "choices")))
        yield f"[{_one_line(choices)}]" if choices else ""


def _format_part(part: Any) -> str:
    if isinstance(part, dict) and isinstance(part.get("text"), str):
        return _one_line(part["text"])
    return _one_line(json.dumps(part, ensure_ascii=False))


def _text(event: Event, name: str) -> str:
    value = event.get(name)
    return _one_line(value) if isinstance(value, str) else ""


def _cut_text(event: Event, name: str) -> str:
    """Return a text of a task's row, with an ellipsis if the host has cut it."""
    text, sizes = _text(event, name), event.get("shortened")
    return f"{text}…" if isinstance(sizes, dict) and name in sizes else text


def _list(event: Event, name: str) -> list[Any]:
    value = event.get(name)
    return value if isinstance(value, list) else []


def _one_line(text: str) -> str:
    return make_printable(" ".join(text[: 2 * MAX_CHARS].split()))


def _local_time(stamp: str) -> str:
    """Return the time of day in the local time zone."""
    try:
        at = datetime.fromisoformat(stamp.replace("Z", "+00:00"))
    except ValueError:
        return " " * 8
    return f"{at.astimezone():%H:%M:%S}"

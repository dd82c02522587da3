"""Owns an event as one line for a terminal: when, who, which task, and what it says.

`tail` prints it. Agents' words get there as words only: no escape of a terminal's, no
markup.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from zlib import crc32

from rich.text import Text

from .host_client import printable

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
    "connected": "green",
    "lost": "red",
    "gap": "yellow",
}
AGENTS = ("blue", "magenta", "cyan", "green", "yellow", "bright_blue")
BAR = 10
TASK_CHARS = 4
AGENT_CHARS, STATUS_CHARS = 8, 14
MAX_WORDS = 2_000


def line(event: Event, *, bar: bool = True) -> Text:
    """The event, without a line's end. `bar` draws the progress beside its number."""
    text = Text()
    agent = _text(event, "agent")
    task = _text(event, "task_id").replace("-", "")[-TASK_CHARS:]
    status = _status(event)
    text.append(f"{_clock(_text(event, 'received_at'))} ", "dim")
    # By its name, so that it keeps its colour from one run to the next.
    text.append(f"{agent:<{AGENT_CHARS}} ", AGENTS[crc32(agent.encode()) % len(AGENTS)])
    text.append(f"{task:<{TASK_CHARS}} ", "dim")
    text.append(f"{status:<{STATUS_CHARS}} ", STATUS.get(status, ""))
    if event.get("kind") == "task":
        text.append_text(_progress(event.get("progress"), bar))
    words = " ".join(part for part in _words(event) if part)
    text.append(words[:MAX_WORDS])
    text.rstrip()
    return text


def _status(event: Event) -> str:
    kind = _text(event, "kind")
    return _text(event, {"task": "status", "agent": "connection"}.get(kind, "")) or kind


def _progress(percent: object, bar: bool) -> Text:
    """`━━━━━━━━━━  50% `, blanks where the agent does not say."""
    share = percent / 100 if isinstance(percent, int | float) else -1
    known = 0 <= share <= 1
    text = Text()
    if bar:
        done = round(share * BAR) if known else 0
        text.append("━" * done, "green").append("━" * (BAR - done), "bright_black")
    return text.append(f"{share:5.0%} " if known else " " * 6)


def _words(event: Event) -> Iterator[str]:
    """What it says, by its kind."""
    yield _text(event, "result") or _text(event, "message")
    kind = event.get("kind")
    if kind == "artifact":
        yield _text(event, "name") or _text(event, "artifact_id")
        yield from map(_part, _list(event, "parts"))
    elif kind == "agent":
        if cause := _text(event, "cause"):
            yield cause
        else:
            yield " ".join(_text(event, name) for name in ("title", "followed"))
            yield _text(event, "trouble")
    elif kind == "task":
        choices = " | ".join(map(str, _list(event, "choices")))
        yield f"[{_plain(choices)}]" if choices else ""


def _part(part: Any) -> str:
    """A part's text, or what of it there is."""
    if isinstance(part, dict) and isinstance(part.get("text"), str):
        return _plain(part["text"])
    return _plain(json.dumps(part, ensure_ascii=False))


def _text(event: Event, name: str) -> str:
    value = event.get(name)
    return _plain(value) if isinstance(value, str) else ""


def _list(event: Event, name: str) -> list[Any]:
    value = event.get(name)
    return value if isinstance(value, list) else []


def _plain(text: str) -> str:
    return printable(" ".join(text[: 2 * MAX_WORDS].split()))


def _clock(stamp: str) -> str:
    """The time of a day here, as the host's clock had it."""
    try:
        at = datetime.fromisoformat(stamp.replace("Z", "+00:00"))
    except ValueError:
        return " " * 8
    return f"{at.astimezone():%H:%M:%S}"

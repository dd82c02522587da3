"""Owns the search of the log: which events say a text, have a status, came in a time.

There is no index: history.py reads the log through it, so much at a request and on
from where that ended at the next.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException

from ..log.contract import Row
from ..model.event import STATUSES
from ..model.filter import Filter
from ..model.timestamps import parse_timestamp, subtract_seconds
from .feed import Feed

MAX_CHARS = 200
# So long it takes to look at one page; other readers get their turn in between.
PAGE = 500
# Of one request: some 50 ms. What is behind comes with the next.
MAX_SCANNED = 20_000
# Ids follow the host's clock, but somebody may have set that back in between.
CLOCK_SLACK_S = 3_600
# Words of the format and times, which no person searches for.
UNSEARCHED_FIELDS = frozenset({"kind", "status", "state", "at", "received_at"})


class _Stamp(Struct):
    received_at: str
    status: str | None = None


_stamp: msgspec.json.Decoder[_Stamp] = msgspec.json.Decoder(_Stamp)


class Search(NamedTuple):
    """Events that match all of it; what is empty matches every event.

    `text` is searched for in all that an event says and in its ids, whatever the
    case. `since` and `until` are moments of the host's clock, both included.
    """

    text: str = ""
    status: frozenset[str] = frozenset()
    since: str = ""
    until: str = ""

    def matches(self, row: Row) -> bool:
        if self.status or self.since or self.until:
            stamp = _stamp.decode(row.body)
            if self.status and stamp.status not in self.status:
                return False
            if not self.since <= stamp.received_at <= (self.until or "~"):
                return False
        return not self.text or self._contains_text(row.body)

    def _contains_text(self, body: bytes) -> bool:
        # As the JSON has it: most events are left out by this alone.
        escaped = msgspec.json.encode(self.text).decode()[1:-1]
        if escaped not in body.decode().casefold():
            return False
        event: dict[str, Any] = msgspec.json.decode(body)
        said = (value for key, value in event.items() if key not in UNSEARCHED_FIELDS)
        return any(_has(value, self.text) for value in said)

    def is_past_range(self, row: Row, *, backward: bool) -> bool:
        """Whether all events from here on are out of the time searched."""
        if not (self.since if backward else self.until):
            return False
        at = _stamp.decode(row.body).received_at
        if backward:
            return at < subtract_seconds(self.since, CLOCK_SLACK_S)
        return subtract_seconds(at, CLOCK_SLACK_S) > self.until


class Found(NamedTuple):
    """Rows, oldest first, and the id to go on from; None where there is no more."""

    rows: list[Row]
    next: int | None


def _has(value: Any, text: str) -> bool:
    if isinstance(value, str):
        return text in value.casefold()
    if isinstance(value, dict):
        value = list(value.values())
    return isinstance(value, list) and any(_has(each, text) for each in value)


async def search(
    feed: Feed,
    after: int | None,
    before: int | None,
    limit: int,
    where: Filter,
    wanted: Search,
) -> Found:
    """The first `limit` events past `after`, else the last below `before`.

    Fewer where MAX_SCANNED events were looked at before there were so many.
    """
    backward = after is None
    found: list[Row] = []
    for _ in range(MAX_SCANNED // PAGE):
        rows = await feed.history(after, before, PAGE, where)
        at = None
        for row in reversed(rows) if backward else rows:
            at = row.id
            if wanted.matches(row):
                found.append(row)
            if len(found) == limit:
                return _found(found, at, backward)
        if at is None or wanted.is_past_range(row, backward=backward):
            return _found(found, None, backward)
        after, before = (None, at) if backward else (at, before)
    return _found(found, at, backward)


def _found(rows: Iterable[Row], at: int | None, backward: bool) -> Found:
    return Found(list(rows)[::-1] if backward else list(rows), at)


def parse_search(query: QueryParams) -> Search | None:
    """`q=`, `status=` (repeatable), `since=` and `until=`; None without any of them.

    Raises HTTPException with 400 for what is none.
    """
    text = query.get("q", "")
    if len(text) > MAX_CHARS:
        raise HTTPException(
            400, f"q has {len(text)} characters: {MAX_CHARS} at most are searched for"
        )
    status = frozenset(query.getlist("status"))
    for name in sorted(status - STATUSES):
        raise HTTPException(
            400, f"status={name[:40]!r} is none of {', '.join(sorted(STATUSES))}"
        )
    wanted = Search(
        text.casefold(), status, _timestamp(query, "since"), _timestamp(query, "until")
    )
    return wanted if any(wanted) else None


def _timestamp(query: QueryParams, name: str) -> str:
    text = query.get(name)
    if not text:
        return ""
    at = parse_timestamp(text)
    if at is None:
        raise HTTPException(
            400, f"{name}={text[:40]!r} is no time: use 2026-11-22T12:00:00Z"
        )
    return at

"""Search the log by text, status and time.

There is no index. Each request scans a limited number of events, and the next request
continues from there.
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
# Rows per read. Other work runs between two reads.
PAGE = 500
# Rows per request: about 50 ms.
MAX_SCANNED = 20_000
# Ids follow the host's clock, unless somebody sets the clock back.
CLOCK_SLACK_S = 3_600
# Fields of the format, which nobody searches for.
UNSEARCHED_FIELDS = frozenset({"kind", "status", "state", "at", "received_at"})


class _Stamp(Struct):
    received_at: str
    status: str | None = None


_stamp: msgspec.json.Decoder[_Stamp] = msgspec.json.Decoder(_Stamp)


class Search(NamedTuple):
    """A search. An event must match every condition that is not empty.

    `text` is searched in all texts and ids of an event, without regard to case. `since`
    and `until` are times of the host's clock, both inclusive.
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
        # A cheap test on the JSON text first: most events fail it.
        escaped = msgspec.json.encode(self.text).decode()[1:-1]
        if escaped not in body.decode().casefold():
            return False
        event: dict[str, Any] = msgspec.json.decode(body)
        said = (value for key, value in event.items() if key not in UNSEARCHED_FIELDS)
        return any(_has(value, self.text) for value in said)

    def is_past_range(self, row: Row, *, backward: bool) -> bool:
        """Return whether all further events are outside the time range."""
        if not (self.since if backward else self.until):
            return False
        at = _stamp.decode(row.body).received_at
        if backward:
            return at < subtract_seconds(self.since, CLOCK_SLACK_S)
        return subtract_seconds(at, CLOCK_SLACK_S) > self.until


class Found(NamedTuple):
    """Rows, oldest first, and the id to continue from (None at the end)."""

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
    """Find the first `limit` events after `after`, else the last ones before `before`.

    Finds fewer if it has scanned MAX_SCANNED events.
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
    """Parse `q`, `status` (repeatable), `since` and `until`; None without any of them.

    Raises HTTPException 400.
    """
    text = query.get("q", "")
    if len(text) > MAX_CHARS:
        raise HTTPException(
            400, f"q has {len(text)} characters; the limit is {MAX_CHARS}"
        )
    status = frozenset(query.getlist("status"))
    for name in sorted(status - STATUSES):
        raise HTTPException(
            400,
            f"status={name[:40]!r} is unknown; use one of "
            f"{', '.join(sorted(STATUSES))}",
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
            400, f"{name}={text[:40]!r} is not a time; use 2026-11-22T12:00:00Z"
        )
    return at

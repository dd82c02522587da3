"""Owns the shape of what the host shows of its inside: feed, collectors, readers.

Each of those says how it stands; observatory.py puts it together for /debug.json.
"""

from __future__ import annotations

from msgspec import Struct


class Commit(Struct, frozen=True):
    """One commit of the log: when it was done, how long it took, how many entries."""

    at: str
    took_s: float
    entries: int


class FeedState(Struct, frozen=True):
    """Ids `first` to `head` are kept, those from `ring_first` on in memory, too.

    `queued` entries wait for a commit, the one under way included; `fault` is why the
    log cannot be written, if it cannot.
    """

    epoch: str
    first: int
    head: int
    ring_first: int
    ring_bytes: int
    queued: int
    last_commit: Commit | None
    fault: str | None


class TaskState(Struct, frozen=True):
    """One task that is followed: by `stream` while one is open, else by `looks`.

    `quiet_s` is how long nothing came of it.
    """

    task_id: str
    status: str | None
    way: str
    quiet_s: float


class CollectorState(Struct, frozen=True):
    """What the collector of one agent is doing; the agent's own row says the rest.

    `attempts` failed since it was last connected, the next comes in `retry_in_s`.
    `streams` subscriptions are open of `max_streams` there may be, `budget` updates
    may come at once, `left_out` were too many or could not be read.
    """

    attempts: int
    retry_in_s: float | None
    streams: int
    max_streams: int
    budget: int
    left_out: int
    following: int
    tasks: list[TaskState]
    """Those that were quiet for longest, at most MAX_SHOWN."""


class AgentState(Struct, frozen=True):
    """One agent that is followed: its row's news, and its collector."""

    agent: str
    url: str
    connection: str
    cause: str | None
    since: str
    interface: str | None
    followed: str | None
    discovery: str | None
    trouble: str | None
    collector: CollectorState


class ReaderState(Struct, frozen=True):
    """One open response of /feed or /tasks/stream. `lag` events are behind its cursor.

    `lagging` means that it is written to on its own until it has caught up; `since`
    is when it began to be so, or not to be.
    """

    cursor: int
    lag: int
    lagging: bool
    since: str
    filter: dict[str, list[str]]


class DebugState(Struct, frozen=True):
    """All of it at one moment. `not_ready` says why the host is not, if so."""

    at: str
    version: str
    not_ready: str | None
    feed: FeedState
    agents: list[AgentState]
    readers: int
    lagging: int
    furthest_behind: list[ReaderState]
    """At most MAX_SHOWN of the readers."""


MAX_SHOWN = 200

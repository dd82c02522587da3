"""The data of `/debug.json`: the state of the feed, the collectors and the readers."""

from __future__ import annotations

from msgspec import Struct


class Commit(Struct, frozen=True):
    """The last commit of the log: when, how long, how many entries."""

    at: str
    took_s: float
    entries: int


class LogState(Struct, frozen=True):
    """The log uses `bytes` of `keep_bytes`, if that is set.

    `dropped`: the oldest events that were deleted since the start.
    """

    bytes: int
    keep_bytes: int | None
    dropped: int


class FeedState(Struct, frozen=True):
    """The log has the ids `first` to `head`. From `ring_first` on they are in memory.

    `queued` entries are not committed yet. `fault` is why the log cannot be written.
    `refused` events were too large for the log.
    """

    epoch: str
    first: int
    head: int
    ring_first: int
    ring_bytes: int
    queued: int
    last_commit: Commit | None
    fault: str | None
    log: LogState
    refused: int


class TaskState(Struct, frozen=True):
    """One followed task. `way` is `stream`, or `looks` while the host polls it.

    `quiet_s` is the time since its last update.
    """

    task_id: str
    status: str | None
    way: str
    quiet_s: float


class CollectorState(Struct, frozen=True):
    """The state of the collector of one agent.

    `attempts` have failed since the last connection; the next is in `retry_in_s`. Of
    `max_streams` subscriptions, `streams` are open. `budget` updates may come at once.
    `left_out` updates were dropped: too many, or unreadable.
    """

    attempts: int
    retry_in_s: float | None
    streams: int
    max_streams: int
    budget: int
    left_out: int
    following: int
    tasks: list[TaskState]
    """The tasks with the oldest last update, at most MAX_SHOWN."""


class AgentState(Struct, frozen=True):
    """One followed agent: fields of its row, and its collector."""

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
    """One open response of /feed or /tasks/stream. It is `lag` events behind.

    `lagging`: it gets its events alone until it has caught up. `since` is when
    `lagging` last changed.
    """

    cursor: int
    lag: int
    lagging: bool
    since: str
    filter: dict[str, list[str]]


class DebugState(Struct, frozen=True):
    """The state of the host at one time. `not_ready` is why it is not ready."""

    at: str
    version: str
    not_ready: str | None
    feed: FeedState
    agents: list[AgentState]
    readers: int
    lagging: int
    furthest_behind: list[ReaderState]
    """The readers with the oldest cursors, at most MAX_SHOWN."""


MAX_SHOWN = 200

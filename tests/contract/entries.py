"""Builders of small log entries and of the rows that the log returns for them."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from host.log.contract import Entry, Log, Row, source_of
from host.model.event import AgentEvent, Event, MessageEvent, NoticeEvent, TaskEvent

NOW = "2026-11-23T12:00:00.000Z"
ALL_OF_IT = 1_000_000


def entry(
    version: int,
    source: str = "carly/t1",
    *,
    context: str | None = "c1",
    raw: bytes | None = None,
) -> Entry:
    """Build a task's entry if `source` has a slash, else an agent's."""
    return Entry.of(source, version, event_of(source, version, context), raw)


def event_of(source: str, version: int, context: str | None) -> Event:
    agent, _, task_id = source.partition("/")
    if not task_id:
        return AgentEvent(
            agent=agent,
            url="http://127.0.0.1:1",
            connection="connected",
            attempt=version,
            received_at=NOW,
        )
    return TaskEvent(
        agent=agent,
        task_id=task_id,
        context_id=context,
        status="running",
        state="TASK_STATE_WORKING",
        progress=None,
        message=f"update {version}",
        at=None,
        received_at=NOW,
    )


def message(version: int, context: str | None, agent: str = "carly") -> Entry:
    """Build the entry of a message without a task. Its source is the agent."""
    event = MessageEvent(
        agent=agent,
        context_id=context,
        message_id=None,
        message=f"answer {version}",
        received_at=NOW,
    )
    return Entry.of(agent, version, event)


def entry_of_notice(version: int, notice: str = "stalled") -> Entry:
    """Build the entry of a notice about the task of `entry`."""
    event = NoticeEvent(
        agent="carly",
        task_id="t1",
        context_id="c1",
        notice=notice,
        message="no update for 5 min",
        received_at=NOW,
    )
    return Entry.of(source_of(event), version, event)


def entry_of_stalled_row(version: int, stalled_since: str | None = NOW) -> Entry:
    """Build the entry of a row that the host writes with a notice."""
    event = event_of("carly/t1", 1, "c1")
    assert isinstance(event, TaskEvent)
    marked = replace(event, stalled_since=stalled_since)
    return Entry.of(source_of(marked), version, marked)


def row(event_id: int, of: Entry) -> Row:
    """Return the row that the log returns for an entry."""
    return Row(event_id, of.place, of.body, of.version)


async def everything(log: Log) -> list[Row]:
    return await log.read(0, ALL_OF_IT)


async def ids(log: Log) -> list[int]:
    return [kept.id for kept in await everything(log)]


def rows(*entries: Entry, first: int = 1) -> list[Row]:
    return [row(first + i, of) for i, of in enumerate(entries)]


def batch(count: int, *, first: int = 1, source: str = "carly/t1") -> Sequence[Entry]:
    return [entry(version, source) for version in range(first, first + count)]

"""Builds the entry that takes the place of one that the log refuses forever."""

from __future__ import annotations

from msgspec import UNSET
from msgspec.structs import replace

from ..errors import LogRefused
from ..log.contract import MAX_ROW_BYTES, Entry
from ..model.event import AgentEvent, Event, GapEvent, MessageEvent, TaskEvent


def replace_refused(entry: Entry, error: LogRefused) -> Entry | None:
    """Return an entry of the same source and version that says what is missing.

    An update becomes a gap. The end of a task, a message without a task and the row of
    an agent keep their short fields. None if there is nothing to say, or no way.
    """
    why = f"this event of {entry.size:,} bytes is missing, the log refused it: {error}"
    event = _shorten(entry.event, why)
    instead = event and Entry.of(entry.source, entry.version, event)
    return instead if instead and instead.size <= MAX_ROW_BYTES else None


def _shorten(event: Event, why: str) -> Event | None:
    if not event.is_update:
        return None
    if isinstance(event, AgentEvent):
        return AgentEvent(
            agent=event.agent,
            url=event.url,
            connection=event.connection,
            cause=event.cause and why,
            attempt=event.attempt,
            retry_s=event.retry_s,
            trouble=why,
            received_at=event.received_at,
        )
    if isinstance(event, MessageEvent):
        return replace(event, message=why)
    if isinstance(event, TaskEvent) and not event.is_open:
        # Without its end, the task would stay open.
        return replace(
            event,
            message=why,
            result=UNSET,
            shortened=UNSET,
            result_artifacts=UNSET,
            choices=UNSET,
        )
    return GapEvent(
        agent=event.agent,
        task_id=event.task_id,
        context_id=event.context_id,
        message=why,
        missing=1,
        received_at=event.received_at,
    )

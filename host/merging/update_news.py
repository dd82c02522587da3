"""Tells whether an update is news, so that more may come soon."""

from __future__ import annotations

from ..model.event import ArtifactEvent, Event, TaskEvent
from ..protocol.a2a_objects import StreamResponse
from ..protocol.task_record import TaskRecord


def has_news(record: TaskRecord, response: StreamResponse, events: list[Event]) -> bool:
    """Return whether an update is news. `events` are what it adds to `record`."""
    status, row = response.status_update, record.row
    if response.artifact_update or (
        status and row and status.status.state != row.state
    ):
        return bool(events)
    return any(_is_news(record, event) for event in events)


def _is_news(record: TaskRecord, event: Event) -> bool:
    """Return whether an event is more than another view of what the feed has.

    Some agents answer from replicas that contradict each other, and some give the
    same message a new id each time.
    """
    row = record.row
    if isinstance(event, ArtifactEvent):
        return event.append or event.artifact_id not in record.artifacts
    if not isinstance(event, TaskEvent) or row is None:
        return row is None
    is_known = event.message_id is None or event.message_id in record.message_ids
    is_known |= event.state == row.state and record.has_message(event)
    return not is_known or event.progress != row.progress or not event.is_open

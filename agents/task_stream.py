"""Streams the status of all tasks at GET /tasks/stream, in the lesson's format.

task_store.py calls `post` for each task that it saves.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
from collections.abc import AsyncGenerator
from typing import NamedTuple

import anyio
from a2a.helpers.proto_helpers import get_artifact_text, get_message_text
from a2a.server.agent_execution.active_task import TERMINAL_TASK_STATES
from a2a.types.a2a_pb2 import Task, TaskState
from sse_starlette import EventSourceResponse
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from . import progress

logger = logging.getLogger(__name__)

# About 2 MB. A reader that missed more than this gets only the open tasks.
MAX_ROWS = 10_000
# How soon a browser reconnects.
RETRY = b"retry: 1000\n\n"
EVENT_ID = re.compile(r"(?P<run>[0-9a-f]+)-(?P<number>[0-9]{1,18})")

# The names of the lesson, or of A2A where the lesson has none.
STATUS = {
    TaskState.TASK_STATE_SUBMITTED: "submitted",
    TaskState.TASK_STATE_WORKING: "running",
    TaskState.TASK_STATE_INPUT_REQUIRED: "input-required",
    TaskState.TASK_STATE_AUTH_REQUIRED: "auth-required",
    TaskState.TASK_STATE_COMPLETED: "completed",
    TaskState.TASK_STATE_FAILED: "error",
    TaskState.TASK_STATE_CANCELED: "cancelled",
    TaskState.TASK_STATE_REJECTED: "rejected",
}


class OpenTask(NamedTuple):
    """The last row of a task that is not finished."""

    state: TaskState
    at_ns: int
    frame: bytes


class TaskStream:
    """The status updates of all tasks, in order, for any number of readers.

    Each row is a server-sent event with the id RUN-NUMBER. The numbers start at 1, and
    RUN is a random value for each start of the agent. A reader is only a cursor.
    """

    def __init__(self, max_rows: int = MAX_ROWS) -> None:
        self._run = secrets.token_hex(3)
        self._head = 0
        # Row n is at n modulo the length.
        self._frames = [b""] * max_rows
        self._open: dict[str, OpenTask] = {}  # in the order of their last row
        self._changed = anyio.Event()
        self._is_closed = False

    def post(self, task: Task) -> None:
        """Add a row if the task has a new status, and wake the readers."""
        before = self._open.get(task.id)
        state, at_ns = task.status.state, task.status.timestamp.ToNanoseconds()
        if before is not None and (before.state, before.at_ns) == (state, at_ns):
            return  # saved for another reason: an artifact, or a message
        if before is None or before.state != state:
            logger.info("task=%s state=%s", task.id, TaskState.Name(state))
        self._head += 1
        row = json.dumps(build_row(task), ensure_ascii=False)
        frame = f"id: {self._run}-{self._head}\ndata: {row}\n\n".encode()
        self._frames[self._head % len(self._frames)] = frame
        self._open.pop(task.id, None)
        if state not in TERMINAL_TASK_STATES:
            self._open[task.id] = OpenTask(state, at_ns, frame)
        self._wake_readers()

    def close(self) -> None:
        """End the readers once they have read everything."""
        self._is_closed = True
        self._wake_readers()

    async def follow(self, last_event_id: str = "") -> AsyncGenerator[bytes, None]:
        """Yield the events after `last_event_id`, then new ones, until `close`.

        If that id is unknown, or the reader is too slow, it first gets the last row of
        each open task.
        """
        yield RETRY
        cursor = self._find_row(last_event_id)
        if cursor is None:
            cursor = self._head
            yield self._snapshot(
                f"cannot continue after {last_event_id!r}" if last_event_id else ""
            )
        while True:
            missing = self._head - cursor
            if missing == 0:
                if self._is_closed:
                    return
                await self._changed.wait()
                continue
            rows = range(cursor + 1, self._head + 1)
            cursor = self._head
            if missing > len(self._frames):
                yield self._snapshot(f"too slow: {missing} updates skipped")
            else:
                yield b"".join(self._frames[n % len(self._frames)] for n in rows)

    def _find_row(self, event_id: str) -> int | None:
        """Return the row's number, or None if a row after it is no longer stored."""
        found = EVENT_ID.fullmatch(event_id)
        if found is None or found["run"] != self._run:
            return None
        number, oldest = int(found["number"]), self._head - len(self._frames)
        return number if oldest <= number <= self._head else None

    def _snapshot(self, comment: str) -> bytes:
        """Return the open tasks' rows, then the newest id as the reader's position."""
        start = f": {comment}\n\n" if comment else ""
        end = f"id: {self._run}-{self._head}\n\n"
        rows = (task.frame for task in self._open.values())
        return b"".join([start.encode(), *rows, end.encode()])

    def _wake_readers(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()


def build_route(tasks: TaskStream, grace_s: float) -> Route:
    async def answer(request: Request) -> Response:
        rows = tasks.follow(request.headers.get("last-event-id", ""))
        return EventSourceResponse(rows, sep="\n", shutdown_grace_period=grace_s)

    return Route("/tasks/stream", answer)


def _find_progress(task: Task) -> int:
    """Return the percentage: never None, which a page would show as "null%"."""
    is_completed = task.status.state == TaskState.TASK_STATE_COMPLETED
    return 100 if is_completed else progress.read_percent(task) or 0


def build_row(task: Task) -> dict[str, str | int | None]:
    """Return task_id, status and progress, and the result or the message."""
    row: dict[str, str | int | None] = {
        "task_id": task.id,
        "status": STATUS.get(task.status.state, "unknown"),
        "progress": _find_progress(task),
    }
    message = get_message_text(task.status.message) or None
    if task.status.state == TaskState.TASK_STATE_COMPLETED:
        texts = [get_artifact_text(artifact) for artifact in task.artifacts]
        row["result"] = "\n".join(filter(None, texts)) or message
    else:
        row["message"] = message
    return row

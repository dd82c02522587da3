"""Owns the ticker: what the lesson's plain stream says of each task, row by row.

The task store posts here whatever it saves; serve.py sends it at GET /tasks/stream.
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

from agents import progress

logger = logging.getLogger(__name__)

# Who comes back later than this many rows starts anew; they take some 2 MB.
KEPT_ROWS = 10_000
# How soon a browser comes back.
RETRY = b"retry: 1000\n\n"
EVENT_ID = re.compile(r"(?P<run>[0-9a-f]+)-(?P<number>[0-9]{1,18})")

# The lesson's words, and A2A's own where it has none.
STATUS_WORDS = {
    TaskState.TASK_STATE_SUBMITTED: "submitted",
    TaskState.TASK_STATE_WORKING: "running",
    TaskState.TASK_STATE_INPUT_REQUIRED: "input-required",
    TaskState.TASK_STATE_AUTH_REQUIRED: "auth-required",
    TaskState.TASK_STATE_COMPLETED: "completed",
    TaskState.TASK_STATE_FAILED: "error",
    TaskState.TASK_STATE_CANCELED: "cancelled",
    TaskState.TASK_STATE_REJECTED: "rejected",
}

# json.dumps would make an encoder for each row.
_to_json = json.JSONEncoder(ensure_ascii=False).encode


class Row(NamedTuple):
    """Where one open task stands: the state, when it got there, and its frame."""

    state: TaskState
    at_ns: int
    frame: bytes


class Ticker:
    """All status updates of all tasks, in order, for any number of readers.

    Each is a server-sent event with the id RUN-NUMBER. The numbers count from 1, and
    RUN is another one each time the agent starts. A reader is the number of the last
    row it has; nothing is kept for it.
    """

    def __init__(self, kept_rows: int = KEPT_ROWS) -> None:
        self._run = secrets.token_hex(3)
        self._head = 0
        # Row n is in place n modulo the length.
        self._frames = [b""] * kept_rows
        # In the order of their last change, which is that of their ids.
        self._open: dict[str, Row] = {}
        self._news: anyio.Event | None = None
        self._closed = False

    def post(self, task: Task) -> None:
        """Adds a row where the task's status is a new one; wakes the readers."""
        before = self._open.get(task.id)
        state, at_ns = task.status.state, task.status.timestamp.ToNanoseconds()
        if before is not None and (before.state, before.at_ns) == (state, at_ns):
            return  # saved for another reason: an artifact, a line of history
        if before is None or before.state != state:
            logger.info("task=%s state=%s", task.id, TaskState.Name(state))
        self._head += 1
        frame = f"id: {self._run}-{self._head}\ndata: {_to_json(as_row(task))}\n\n"
        row = Row(state, at_ns, frame.encode())
        self._frames[self._head % len(self._frames)] = row.frame
        self._open.pop(task.id, None)
        if state not in TERMINAL_TASK_STATES:
            self._open[task.id] = row
        self._wake()

    def close(self) -> None:
        """Lets every reader end."""
        self._closed = True
        self._wake()

    async def follow(self, last_event_id: str = "") -> AsyncGenerator[bytes, None]:
        """Server-sent events, some at a time: what came after `last_event_id`, then
        every row as it comes.

        Where that id is of no use, and where a reader is too slow for what is kept, it
        gets the current row of each open task instead.
        """
        yield RETRY
        cursor = self._number(last_event_id)
        if cursor is None:
            cursor = self._head
            yield self._where_all_stand(
                f"cannot go on after {last_event_id!r}" if last_event_id else ""
            )
        while True:
            behind = self._head - cursor
            if behind == 0:
                if self._closed:
                    return
                self._news = self._news or anyio.Event()
                await self._news.wait()
                continue
            rows = range(cursor + 1, self._head + 1)
            cursor = self._head
            if behind > len(self._frames):
                yield self._where_all_stand(f"too slow: {behind} updates skipped")
            else:
                yield b"".join(self._frames[n % len(self._frames)] for n in rows)

    def _number(self, event_id: str) -> int | None:
        """The row with that id, None where what came after it is not known here."""
        found = EVENT_ID.fullmatch(event_id)
        if found is None or found["run"] != self._run:
            return None
        number, oldest = int(found["number"]), self._head - len(self._frames)
        return number if oldest <= number <= self._head else None

    def _where_all_stand(self, why: str) -> bytes:
        """The current rows; then the newest id, so that the next ones can be found."""
        comment = f": {why}\n\n" if why else ""
        cursor = f"id: {self._run}-{self._head}\n\n"
        rows = (row.frame for row in self._open.values())
        return b"".join([comment.encode(), *rows, cursor.encode()])

    def _wake(self) -> None:
        if self._news is not None:
            self._news.set()
            self._news = None


def as_row(task: Task) -> dict[str, str | int | None]:
    """The lesson's format: task_id, status, progress, and message or result."""
    row: dict[str, str | int | None] = {
        "task_id": task.id,
        "status": STATUS_WORDS.get(task.status.state, "unknown"),
        "progress": progress.percent_in(task),
    }
    message = get_message_text(task.status.message) or None
    if task.status.state == TaskState.TASK_STATE_COMPLETED:
        texts = [get_artifact_text(artifact) for artifact in task.artifacts]
        row["result"] = "\n".join(filter(None, texts)) or message
    else:
        row["message"] = message
    return row

"""Owns the agent's tasks and its ticker: what the lesson's plain stream says of each.

The SDK saves tasks here; serve.py streams the ticker's rows at GET /tasks/stream.
"""

import json
import logging
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import anyio
from a2a.helpers.proto_helpers import get_artifact_text, get_message_text
from a2a.server.agent_execution.active_task import TERMINAL_TASK_STATES
from a2a.server.context import ServerCallContext
from a2a.server.tasks import InMemoryTaskStore
from a2a.types.a2a_pb2 import Task, TaskState

from agents import progress

logger = logging.getLogger(__name__)

# A reader further behind than this is told how many rows it missed.
KEPT_ROWS = 1000

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


@dataclass(frozen=True)
class Row:
    """Where one task stands: the state, when it got there, and the line to show."""

    state: TaskState
    at_ns: int
    line: str


class Ticker:
    """All status updates of all tasks, in order, for any number of readers."""

    def __init__(self) -> None:
        self._open: dict[str, Row] = {}
        self._lines: deque[str] = deque(maxlen=KEPT_ROWS)
        self._posted = 0
        self._news = anyio.Event()
        self._closed = False

    def post(self, task: Task) -> None:
        """Adds a row where the task's status is a new one; wakes the readers."""
        before = self._open.get(task.id)
        state, at_ns = task.status.state, task.status.timestamp.ToNanoseconds()
        if before is not None and (before.state, before.at_ns) == (state, at_ns):
            return  # saved for another reason: an artifact, a line of history
        if before is None or before.state != state:
            logger.info("task=%s state=%s", task.id, TaskState.Name(state))
        row = Row(state, at_ns, json.dumps(as_row(task), ensure_ascii=False))
        if state in TERMINAL_TASK_STATES:
            self._open.pop(task.id, None)
        else:
            self._open[task.id] = row
        self._lines.append(row.line)
        self._posted += 1
        self._news.set()
        self._news = anyio.Event()

    def close(self) -> None:
        """Lets every reader end."""
        self._closed = True
        self._news.set()

    async def follow(self) -> AsyncGenerator[str | int, None]:
        """The current row of each open task, then every row as it comes.

        An int stands for that many rows that this reader was too slow for.
        """
        cursor = self._posted
        for row in list(self._open.values()):
            yield row.line
        while True:
            while cursor == self._posted:
                if self._closed:
                    return
                await self._news.wait()
            behind, cursor = self._posted - cursor, self._posted
            lines = list(self._lines)[-behind:]
            if behind > len(lines):
                yield behind - len(lines)
            for line in lines:
                yield line


class TickingTaskStore(InMemoryTaskStore):
    """The SDK's store; what it saves is posted, so both always agree."""

    def __init__(self, ticker: Ticker) -> None:
        super().__init__()
        self._ticker = ticker

    async def save(self, task: Task, context: ServerCallContext) -> None:
        await super().save(task, context)
        self._ticker.post(task)


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

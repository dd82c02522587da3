"""ListTasks: pages of one agent's tasks from the board, newest first.

A2A 1.0, section 3.1.4.
"""

from __future__ import annotations

import base64
from itertools import islice

import msgspec
from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import InvalidParamsError
from msgspec import Struct

from ..model.board import Board
from ..model.event import TaskEvent
from ..model.timestamps import parse_timestamp
from ..protocol.a2a_objects import Task
from .a2a_updates import task_from_row

PAGE_SIZE, MAX_PAGE_SIZE = 50, 100


class _Page(Struct, rename="camel"):
    tasks: list[Task]
    next_page_token: str
    page_size: int
    total_size: int


def list_tasks(board: Board, agent: str, request: pb.ListTasksRequest) -> bytes:
    """Return the JSON of one page. Raises InvalidParamsError."""
    size = request.page_size if request.HasField("page_size") else PAGE_SIZE
    if not 1 <= size <= MAX_PAGE_SIZE:
        raise InvalidParamsError(f"pageSize {size}: must be 1 to {MAX_PAGE_SIZE}")
    matches = [
        row for row in board.tasks() if row.agent == agent and _matches(row, request)
    ]
    matches.sort(key=_sort_key, reverse=True)
    after = _parse_token(request.page_token) if request.page_token else None
    rest = (row for row in matches if after is None or _sort_key(row) < after)
    rows = list(islice(rest, size + 1))
    token = _build_token(rows[size - 1]) if len(rows) > size else ""
    tasks = [task_from_row(row) for row in rows[:size]]
    return msgspec.json.encode(_Page(tasks, token, size, len(matches)))


def _matches(row: TaskEvent, request: pb.ListTasksRequest) -> bool:
    if request.context_id and row.context_id != request.context_id:
        return False
    if request.status and row.state != pb.TaskState.Name(request.status):
        return False
    if not request.HasField("status_timestamp_after"):
        return True
    since = parse_timestamp(request.status_timestamp_after.ToJsonString())
    return since is None or _sort_key(row)[0] >= since


def _sort_key(row: TaskEvent) -> tuple[str, str]:
    """Time first, then id: pages must not overlap if tasks have the same time."""
    return row.at or row.received_at, row.task_id


def _build_token(row: TaskEvent) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(_sort_key(row))).decode()


def _parse_token(token: str) -> tuple[str, str]:
    try:
        return msgspec.json.decode(
            base64.urlsafe_b64decode(token), type=tuple[str, str]
        )
    except ValueError:
        raise InvalidParamsError(
            f"pageToken {token[:40]!r} is invalid: send the nextPageToken of a page"
        ) from None

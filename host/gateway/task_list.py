"""Owns ListTasks: pages of one agent's tasks as the board has them, latest first.

The gateway's operations answer with it. A2A 1.0, section 3.1.4.
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
from ..model.timestamps import moment
from ..protocol import a2a
from .task_updates import row_task

PAGE, MAX_PAGE = 50, 100


class _Page(Struct, rename="camel"):
    tasks: list[a2a.Task]
    next_page_token: str
    page_size: int
    total_size: int


def page(board: Board, agent: str, request: pb.ListTasksRequest) -> bytes:
    """Raises InvalidParamsError."""
    size = request.page_size if request.HasField("page_size") else PAGE
    if not 1 <= size <= MAX_PAGE:
        raise InvalidParamsError(f"pageSize {size}: 1 to {MAX_PAGE} can be had")
    wanted = [
        row for row in board.tasks() if row.agent == agent and _is_wanted(row, request)
    ]
    wanted.sort(key=_place, reverse=True)
    after = _place_in(request.page_token) if request.page_token else None
    rest = (row for row in wanted if after is None or _place(row) < after)
    rows = list(islice(rest, size + 1))
    token = _token(_place(rows[size - 1])) if len(rows) > size else ""
    tasks = [row_task(row) for row in rows[:size]]
    return msgspec.json.encode(_Page(tasks, token, size, len(wanted)))


def _is_wanted(row: TaskEvent, request: pb.ListTasksRequest) -> bool:
    if request.context_id and row.context_id != request.context_id:
        return False
    if request.status and row.state != pb.TaskState.Name(request.status):
        return False
    if not request.HasField("status_timestamp_after"):
        return True
    since = moment(request.status_timestamp_after.ToJsonString())
    return since is None or _place(row)[0] >= since


def _place(row: TaskEvent) -> tuple[str, str]:
    """By its time; tasks of one time by their ids, so that pages do not overlap."""
    return row.at or row.received_at, row.task_id


def _token(place: tuple[str, str]) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode()


def _place_in(token: str) -> tuple[str, str]:
    try:
        return msgspec.json.decode(
            base64.urlsafe_b64decode(token), type=tuple[str, str]
        )
    except ValueError:
        raise InvalidParamsError(
            f"pageToken {token[:40]!r} is none: send the nextPageToken of a page"
        ) from None

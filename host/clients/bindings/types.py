"""The data that bindings take and return, and the errors they raise."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from msgspec import Struct

from ...errors import AgentUnreachable
from ...protocol.a2a_objects import ListedTask, StreamResponse


class Interface(NamedTuple):
    """One interface of an agent's card.

    `binding` is JSONRPC, HTTP+JSON or GRPC, and `version` is 1.0 or 0.3, if the host
    supports the interface.
    """

    binding: str
    version: str
    url: str
    tenant: str = ""


class UnsupportedInterface(AgentUnreachable):
    """The host does not support the binding or its version."""


class TaskTooLarge(AgentUnreachable):
    """The Task of GetTask is over the limit.

    `known` is a status update with its state, if the agent sent that first.
    """

    def __init__(self, cause: str, known: Update | None) -> None:
        super().__init__(cause)
        self.known = known


class TooLarge(ValueError):
    """An event was dropped unread because of its size."""


class NotAnUpdate(ValueError):
    """A frame is a ping, a heartbeat or another mark."""


class Update(Struct, frozen=True, gc=False):
    """One A2A stream response, and its JSON in the form of A2A 1.0 for the log.

    `is_nonstandard` is set if the agent sent it in another form.
    """

    response: StreamResponse
    raw: bytes
    is_nonstandard: bool = False


class Batch(NamedTuple):
    """Updates that arrived together, then the number of unusable ones after them.

    `why` is the reason for the last unusable one.
    """

    updates: list[Update]
    left_out: int = 0
    why: str | None = None


class ListDetail(IntEnum):
    """Which parameters of ListTasks are sent: some agents refuse those they lack."""

    FULL = 0
    PAGES = 1
    """Only pageSize and pageToken."""
    LEAST = 2
    """Only pageToken, if there is one."""


class Query(NamedTuple):
    """The parameters of ListTasks.

    `since` (RFC 3339) is the earliest time of a task's status, `status` is a
    TASK_STATE_….
    """

    since: str | None = None
    status: str | None = None
    page_size: int = 50
    page_token: str = ""
    detail: ListDetail = ListDetail.FULL


class Page(NamedTuple):
    """One page of ListTasks, and the token of the next page if there is one."""

    tasks: list[ListedTask]
    next_token: str | None

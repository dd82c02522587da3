"""Owns what every binding promises, whatever stands on the wire behind it.

The bindings of this package implement it; the connection and all above it rely on it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from types import TracebackType
from typing import NamedTuple, Protocol

from a2a.types import a2a_pb2 as pb
from msgspec import Struct

from ...errors import AgentUnreachable
from ...protocol.a2a_objects import ListedTask, StreamResponse


class Interface(NamedTuple):
    """One way to an agent: "JSONRPC", "HTTP+JSON" or "GRPC", in "1.0" or "0.3"."""

    binding: str
    version: str
    url: str
    tenant: str = ""


class Unspoken(AgentUnreachable):
    """The host does not speak that interface."""


class TooLarge(ValueError):
    """An event that was left out unread."""


class Update(Struct, frozen=True, gc=False):
    """One A2A stream response and its JSON as it goes into the log."""

    response: StreamResponse
    raw: bytes


class Batch(NamedTuple):
    """Updates that arrived together, then how many after them could not be used.

    `why` says it of the last of those.
    """

    updates: list[Update]
    left_out: int = 0
    why: str | None = None


class Query(NamedTuple):
    """What ListTasks is asked: tasks whose status is not older than `since` (RFC 3339)
    and is `status` (TASK_STATE_…)."""

    since: str | None = None
    status: str | None = None
    page_size: int = 50
    page_token: str = ""


class Page(NamedTuple):
    """Some of the listed tasks, and the token of the next page if there is one."""

    tasks: list[ListedTask]
    next_token: str | None


class Admission(Protocol):
    """How many of `count` updates may pass; `why` the others may not."""

    why: str

    async def admit(self, count: int) -> int: ...


class Binding(Protocol):
    """Use as an async context manager.

    Every call raises AgentUnreachable when the agent does not answer or answers what
    A2A does not allow, and A2AError when it refuses: MethodNotFoundError where it does
    not have the operation, UpdatesGone where it cannot replay. Never anything else.
    """

    async def __aenter__(self) -> Binding: ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> bool | None: ...

    async def reach(self) -> None:
        """Returns when something answers there; asks nothing of the agent."""

    def send(
        self, request: pb.SendMessageRequest, *, streaming: bool
    ) -> AsyncGenerator[Batch]:
        """The answer to a message: its stream, or else one Batch with one Update,
        asked for at once."""

    def subscribe(self, task_id: str, after: int | None) -> AsyncGenerator[Batch]:
        """A task's updates: what followed number `after`, or the Task and the rest."""

    async def get_task(self, task_id: str) -> Update:
        """The Task; `response.task` is set."""

    async def list_tasks(self, query: Query) -> Page:
        """Newest first, without history and artifacts."""

    async def cancel(self, task_id: str) -> Update:
        """The Task as the agent leaves it; `response.task` is set."""

    async def extended_card(self) -> pb.AgentCard:
        """The card for those who may know more."""

"""Owns the resumable-stream extension: numbered updates, kept for who comes back.

store.py numbers and keeps what it saves, handler.py replays it, bindings.py sends the
numbers as SSE ids. docs/resumable-stream.md is the specification.
"""

import re
from collections import deque
from collections.abc import AsyncGenerator
from itertools import islice

import anyio
from a2a.server.agent_execution.active_task import (
    INTERRUPTED_TASK_STATES,
    TERMINAL_TASK_STATES,
)
from a2a.server.context import ServerCallContext
from a2a.server.events import Event
from a2a.server.jsonrpc_models import JSONRPCError
from a2a.server.request_handlers.response_helpers import EXCEPTION_MAP
from a2a.types.a2a_pb2 import (
    AgentExtension,
    Message,
    Task,
    TaskArtifactUpdateEvent,
    TaskStatusUpdateEvent,
)
from a2a.utils.errors import (
    A2A_ERROR_MAPPING,
    A2A_ERROR_REASONS,
    JSON_RPC_ERROR_CODE_MAP,
    A2AError,
    ErrorMapping,
    InvalidParamsError,
)

from agents.protojson import written

URI = "https://courtside.dev/extensions/resumable-stream/v1"
HEADER = "last-event-id"
SEQUENCE = "sequence"
SETTLED = TERMINAL_TASK_STATES | INTERRUPTED_TASK_STATES

Numbered = Task | TaskStatusUpdateEvent | TaskArtifactUpdateEvent


class UpdatesGone(A2AError):
    """The agent no longer has, or never had, what followed the reader's last update."""

    message = "The updates after that one are not kept"


def extension(kept_updates: int, kept_bytes: int) -> AgentExtension:
    """How the card says that streams can be resumed, and how far back."""
    return AgentExtension(
        uri=URI,
        description=(
            "Each streamed update carries its number in the task; SubscribeToTask with "
            "Last-Event-ID replays what followed it."
        ),
        params={"maxUpdates": kept_updates, "maxBytes": kept_bytes},
    )


def register_error() -> None:
    """Tells the SDK how each binding words UpdatesGone.

    The JSON-RPC code lies outside -32768…-32000, where JSON-RPC and A2A number theirs.
    """
    A2A_ERROR_MAPPING[UpdatesGone] = ErrorMapping(410, "OUT_OF_RANGE", "UPDATES_GONE")
    A2A_ERROR_REASONS[UpdatesGone] = "UPDATES_GONE"
    JSON_RPC_ERROR_CODE_MAP[UpdatesGone] = -31410
    EXCEPTION_MAP[UpdatesGone] = JSONRPCError


def number(update: Numbered, sequence: int) -> None:
    """Writes the update's number into its metadata."""
    value = update.metadata.fields[URI].struct_value.fields[SEQUENCE]
    value.number_value = sequence


def number_of(update: Numbered) -> int:
    """The number of an update, of a Task that of the last one in it; 0 for none."""
    if URI not in update.metadata:
        return 0
    value = update.metadata.fields[URI].struct_value.fields[SEQUENCE]
    return int(value.number_value)


def last_seen(context: ServerCallContext) -> int | None:
    """The number in the request's Last-Event-ID, None without that header.

    Raises InvalidParamsError for one that was never a number of ours.
    """
    told = context.state.get("headers", {}).get(HEADER)
    if not told:
        return None
    if not re.fullmatch("[0-9]{1,15}", told):
        raise InvalidParamsError(
            f"Last-Event-ID {told[:40]!r} is no update's number; send the id of the "
            "last update that arrived, or no Last-Event-ID to begin with the task"
        )
    return int(told)


class Update:
    """One streamed update as it was, and as the JSON of a StreamResponse.

    `number` is None for a plain message, which belongs to no task.
    """

    __slots__ = ("_data", "_json", "_kind", "number", "settles", "size")

    def __init__(self, event: Event) -> None:
        self.number = None if isinstance(event, Message) else number_of(event)
        self.settles = _settles(event)
        self._kind = type(event)
        self._data = event.SerializeToString()
        self._json: str | None = None
        self.size = len(self._data)

    @property
    def event(self) -> Event:
        return self._kind.FromString(self._data)

    @property
    def json(self) -> str:
        """On one line. Made when it is first read, then the same for all readers."""
        if self._json is None:
            self._json = written(self.event)
        return self._json


def until_settled(updates: list[Update]) -> list[Update]:
    """All of them, or those up to the first that ends a message's stream."""
    for place, update in enumerate(updates, start=1):
        if update.settles:
            return updates[:place]
    return updates


class Tape:
    """The last updates of one task, numbered from 1. A reader is a number.

    Nothing is kept for a reader: one that is too slow, or comes back too late, is
    told so.
    """

    def __init__(self, kept_updates: int, kept_bytes: int) -> None:
        self.head = 0
        self.bytes = 0
        self._kept_updates = kept_updates
        self._kept_bytes = kept_bytes
        self._updates: deque[Update] = deque()
        self._news: anyio.Event | None = None
        self._ended = False

    def add(self, event: Event) -> None:
        """Keeps the next update, as it is now, and wakes the readers."""
        update = Update(event)
        self._updates.append(update)
        self.head += 1
        self.bytes += update.size
        while len(self._updates) > self._kept_updates or (
            self.bytes > self._kept_bytes and len(self._updates) > 1
        ):
            self.bytes -= self._updates.popleft().size
        self._wake()

    def end(self) -> None:
        """Nothing will follow: readers that have it all end."""
        self._ended = True
        self._wake()

    def wipe(self) -> None:
        """Keeps nothing any longer; the numbers stay."""
        self._updates.clear()
        self.bytes = 0

    async def follow(self, after: int) -> AsyncGenerator[list[Update], None]:
        """What came after update number `after`, then more as it comes.

        As many at a time as there are. Ends when the tape does. Raises UpdatesGone
        where something is missing.
        """
        while True:
            behind = self.head - after
            if behind == 0:
                if self._ended:
                    return
                self._news = self._news or anyio.Event()
                await self._news.wait()
                continue
            if not 0 < behind <= len(self._updates):
                raise self._gone(after)
            after = self.head
            yield [*islice(reversed(self._updates), behind)][::-1]

    def _gone(self, after: int) -> UpdatesGone:
        oldest = self.head - len(self._updates) + 1
        return UpdatesGone(
            f"What followed update {after} is not kept: the agent has {oldest} to "
            f"{self.head}; subscribe without Last-Event-ID to begin with the task",
            {"oldest": str(oldest), "newest": str(self.head)},
        )

    def _wake(self) -> None:
        if self._news is not None:
            self._news.set()
            self._news = None


def _settles(event: Event) -> bool:
    """Whether a message's stream ends here: its task is over or asks, or is none."""
    if isinstance(event, Task | TaskStatusUpdateEvent):
        return event.status.state in SETTLED
    return isinstance(event, Message)

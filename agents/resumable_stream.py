"""Implements the resumable-stream extension: numbered updates and their replay.

docs/resumable-stream.md is the specification. task_store.py numbers the updates and
keeps them in a ReplayBuffer, request_handler.py replays them.
"""

import re
from collections import deque
from collections.abc import AsyncGenerator

import anyio
from a2a.server.context import ServerCallContext
from a2a.server.jsonrpc_models import JSONRPCError
from a2a.server.request_handlers.response_helpers import EXCEPTION_MAP
from a2a.types.a2a_pb2 import (
    AgentExtension,
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

URI = "https://courtside.dev/extensions/resumable-stream/v1"
HEADER = "last-event-id"
SEQUENCE = "sequence"
REASON = "UPDATES_GONE"

Update = Task | TaskStatusUpdateEvent | TaskArtifactUpdateEvent


class UpdatesGoneError(A2AError):
    """The agent does not have the updates after the reader's last one."""


# How each binding reports that error. The JSON-RPC code is outside the range that
# JSON-RPC and A2A reserve (-32768 to -32000).
A2A_ERROR_MAPPING[UpdatesGoneError] = ErrorMapping(410, "OUT_OF_RANGE", REASON)
A2A_ERROR_REASONS[UpdatesGoneError] = REASON
JSON_RPC_ERROR_CODE_MAP[UpdatesGoneError] = -31410
EXCEPTION_MAP[UpdatesGoneError] = JSONRPCError


def build_extension(max_updates: int, max_bytes: int) -> AgentExtension:
    """Return the declaration for the card: how much of each task can be replayed."""
    return AgentExtension(
        uri=URI,
        description=(
            "Each streamed update carries its number in the task; SubscribeToTask with "
            "Last-Event-ID replays what followed it."
        ),
        params={"maxUpdates": max_updates, "maxBytes": max_bytes},
    )


def set_number(update: Update, number: int) -> None:
    """Write the number into the update's metadata."""
    fields = update.metadata.fields[URI].struct_value.fields
    fields[SEQUENCE].number_value = number


def read_number(update: Update) -> int:
    """Return the number of an update, or of the last update in a Task. 0 means none."""
    if URI not in update.metadata:
        return 0
    fields = update.metadata.fields[URI].struct_value.fields
    return int(fields[SEQUENCE].number_value)


def read_last_event_id(context: ServerCallContext) -> int | None:
    """Return the number in the request's Last-Event-ID, None without that header.

    Raises InvalidParamsError for any other text.
    """
    text = context.state.get("headers", {}).get(HEADER)
    if not text:
        return None
    if not re.fullmatch("[0-9]{1,15}", text):
        raise InvalidParamsError(
            f"Last-Event-ID {text[:40]!r} is not an update's number; send the id of "
            "the last update that you have, or no Last-Event-ID to start with the task"
        )
    return int(text)


class ReplayBuffer:
    """The last updates of one task, numbered from 1. A reader is only a cursor.

    The SDK would drop a reader that is 1,024 updates behind without an error. Here a
    reader gets every stored update, or UpdatesGoneError.
    """

    def __init__(self, max_updates: int, max_bytes: int) -> None:
        self.head = 0
        self.bytes = 0
        self._max_updates = max_updates
        self._max_bytes = max_bytes
        # Serialized: that takes a fraction of the memory of the objects.
        self._updates: deque[tuple[type[Update], bytes]] = deque()
        self._changed = anyio.Event()
        self._is_closed = False

    def add(self, update: Update) -> None:
        """Keep a copy of the next update and wake the readers."""
        data = update.SerializeToString()
        self._updates.append((type(update), data))
        self.head += 1
        self.bytes += len(data)
        while len(self._updates) > self._max_updates or (
            self.bytes > self._max_bytes and len(self._updates) > 1
        ):
            self.bytes -= len(self._updates.popleft()[1])
        self._wake_readers()

    def close(self) -> None:
        """End the readers once they have read everything."""
        self._is_closed = True
        self._wake_readers()

    def clear(self) -> None:
        """Drop all updates; the numbers continue."""
        self._updates.clear()
        self.bytes = 0

    def check(self, after: int) -> None:
        """Raise UpdatesGoneError if an update after number `after` is missing."""
        if 0 <= self.head - after <= len(self._updates):
            return
        oldest = self.head - len(self._updates) + 1
        raise UpdatesGoneError(
            f"Updates after {after} are no longer stored: the agent has {oldest} to "
            f"{self.head}; subscribe without Last-Event-ID to begin with the task",
            {"oldest": str(oldest), "newest": str(self.head)},
        )

    async def follow(self, after: int) -> AsyncGenerator[Update, None]:
        """Yield the updates after number `after`, then new ones, until `close`.

        Raises UpdatesGoneError.
        """
        while True:
            self.check(after)
            if after < self.head:
                kind, data = self._updates[after - self.head]
                after += 1
                yield kind.FromString(data)
            elif self._is_closed:
                return
            else:
                await self._changed.wait()

    def _wake_readers(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

"""Ends a task: holds its terminal state until late updates had time to come.

Some agents send artifacts after the end, or store them a moment later. The terminal row
must be the last one, and has the result.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress

import anyio
from a2a.utils.errors import A2AError
from msgspec.structs import replace

from ..clients.bindings.types import Update
from ..errors import AgentUnreachable
from ..model.event import Event, GapEvent, TaskEvent
from ..model.timestamps import now, seconds_since
from ..protocol.a2a_objects import (
    RESUMABLE,
    Status,
    StatusUpdate,
    StreamResponse,
    Task,
)
from ..protocol.event_builders import agent_message, status_time
from ..protocol.gaps import gap_before
from ..protocol.reconcile import reconcile_content
from ..protocol.task_record import TaskRecord
from ..protocol.translate import translate
from .follower_states import FollowerStates
from .responses import has_number
from .task_events import TaskEvents

END_GRACE_S = 0.5
MAX_HELD_BYTES = 8 * 1024 * 1024  # Of all tasks of an agent.
SETTLED_S = 10.0  # So long after its end, a Task changes no more.


class TaskEnd:
    """The end of one task. `hold` takes its terminal update, `finish` writes the row.

    Updates with numbers are held too: they and the row get into the feed together. A
    host that is killed before that gets all of them again.
    """

    def __init__(
        self,
        record: TaskRecord,
        *,
        states: FollowerStates,
        events: TaskEvents,
    ) -> None:
        self.is_held = False
        """Whether the terminal update was taken."""
        self.is_cut_short = False
        """Whether a stream broke after the end."""
        self.is_doubtful = False
        """Whether the Task may have more chunks than the feed."""
        self.has_messages = False
        """Whether the stream has messages, which may be parts of one."""
        self._record = record
        self._states = states
        self._events = events
        self._terminal: Task | StatusUpdate | None = None
        self._raw = b""
        self._status = Status()
        self._held: list[Update] = []
        self._is_live = False
        self._streams_closed = anyio.Event()
        self._finished = anyio.Event()

    def hold(self, update: Update, *, is_live: bool) -> None:
        """Hold the terminal update. `is_live`: a stream brings what comes after it."""
        response = update.response
        terminal = response.task or response.status_update or StatusUpdate()
        if has_number(response) and not self._find_gap(terminal, now()):
            self._states.pending_gap = None
        self.is_held = True
        self._terminal, self._status = terminal, terminal.status
        self._raw, self._held, self._is_live = update.raw, [], is_live
        self.hold_late(update)

    def note_live(self) -> None:
        """Take note that a stream has brought the end as well."""
        self._is_live = True

    def hold_late(self, update: Update) -> None:
        """Hold an update with a number that came after the end."""
        self._held.append(update)
        self._record.count_held(len(update.raw))

    async def wait_for_room(self) -> None:
        """Wait while too much is held, to slow down the sender."""
        memory = self._record.memory
        if self.is_held and memory and memory.held > MAX_HELD_BYTES:
            await self._finished.wait()

    def take_message(self, task: Task) -> None:
        """Take the message of a later Task if it is new and the state has none."""
        message = agent_message(task.status)
        is_new = message and message.message_id not in self._record.message_ids
        if is_new and not agent_message(self._status):
            self._status = replace(self._status, message=message)

    def note_closed(self) -> None:
        """Take note that the last stream of the task was closed."""
        self._streams_closed.set()

    async def wait(
        self, read_task: Callable[[], Awaitable[object]], *, has_streams: bool
    ) -> None:
        """Return when nothing more can come.

        `read_task` adds what GetTask returns.
        """
        end_at = anyio.current_time() + END_GRACE_S
        if has_streams:
            self._streams_closed = anyio.Event()
            with anyio.move_on_after(END_GRACE_S):
                await self._streams_closed.wait()
        if self._is_live and self._may_have_more:
            await self._read(read_task)
        if self._may_have_more and not self._is_settled:
            await anyio.sleep_until(end_at)
            await self._read(read_task)

    async def _read(self, read_task: Callable[[], Awaitable[object]]) -> None:
        # The agent may keep no tasks.
        with suppress(AgentUnreachable, A2AError):
            await read_task()
            self.has_messages = False

    @property
    def _is_settled(self) -> bool:
        """Return whether the end was read, and is long over by the agent's clock."""
        at = status_time(self._status)
        is_old = at is not None and seconds_since(at) > SETTLED_S
        return is_old and not self._is_live

    @property
    def _may_have_more(self) -> bool:
        """Whether the Task may have more than the updates had."""
        if self._record.has_ended:
            return False
        if self._states.pending_gap or self.is_cut_short or self.is_doubtful:
            return True
        if not self._is_live:
            return True
        has_result = self._has_artifacts or (
            agent_message(self._status) and not self.has_messages
        )
        return self._status.state == "TASK_STATE_COMPLETED" and not has_result

    @property
    def _has_artifacts(self) -> bool:
        if self._record.artifacts:
            return True
        responses = [update.response for update in self._held]
        return any(
            r.artifact_update or (r.task and r.task.artifacts) for r in responses
        )

    def _find_gap(
        self, terminal: Task | StatusUpdate, received_at: str
    ) -> GapEvent | None:
        return gap_before(self._record, terminal, received_at, self._states.pending_gap)

    def finish(self) -> None:
        """Add what was held, then the terminal row, to the feed.

        All have one time, also the gap before them: they come together.
        """
        self._finished.set()
        terminal, received_at = self._terminal, now()
        if terminal is None or self._record.has_ended:
            return
        number = terminal.sequence
        if number is not None:
            gap = self._find_gap(terminal, received_at)
            self._states.pending_gap = None
            self._events.add([gap] if gap else [])
            number = self._add_numbered(number, received_at)
        row = self._build_row(terminal, number, received_at)
        self._events.add(row, self._raw)

    def _add_numbered(self, number: int, received_at: str) -> int:
        """Add what the held updates have beside the state. Return the last number."""
        for update in self._held:
            self._record.sequence = number
            response = update.response
            if response.task:
                events = reconcile_content(self._record, response.task, received_at)
            elif response.status_update:
                continue
            else:
                events = translate(self._record, response, received_at)
            self._events.add(events, update.raw)
            if response.update and response.update.sequence:
                number = max(number, response.update.sequence)
        return number

    def _build_row(
        self, terminal: Task | StatusUpdate, number: int | None, received_at: str
    ) -> list[Event]:
        metadata = {k: v for k, v in terminal.metadata.items() if k != RESUMABLE}
        update = StatusUpdate(
            task_id=self._record.task_id,
            context_id=terminal.context_id,
            status=self._status,
            metadata=metadata,
        )
        response = StreamResponse(status_update=update)
        events = translate(
            self._record, response, received_at, self._states.pending_gap
        )
        if number is None:
            return events
        return [
            replace(event, sequence=number) if isinstance(event, TaskEvent) else event
            for event in events
        ]

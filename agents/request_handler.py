"""Handles A2A requests: the SDK's handler, plus checks, replay and safe cancels.

a2a_routes.py and grpc_server.py call it. executor.py plays the scripts.
"""

from collections.abc import AsyncGenerator
from weakref import WeakValueDictionary

import anyio
from a2a.helpers.proto_helpers import get_message_text
from a2a.server.agent_execution import RequestContext, SimpleRequestContextBuilder
from a2a.server.agent_execution.active_task import (
    INTERRUPTED_TASK_STATES,
    TERMINAL_TASK_STATES,
)
from a2a.server.cluster.event_stream import TaskEventStream, VersionedEvent
from a2a.server.cluster.version import TaskVersion
from a2a.server.context import ServerCallContext
from a2a.server.events import Event
from a2a.server.request_handlers import DefaultRequestHandlerV2
from a2a.types.a2a_pb2 import (
    AgentCard,
    CancelTaskRequest,
    Message,
    SendMessageRequest,
    SubscribeToTaskRequest,
    Task,
    TaskArtifactUpdateEvent,
    TaskState,
    TaskStatusUpdateEvent,
)
from a2a.utils.errors import (
    ContentTypeNotSupportedError,
    InvalidParamsError,
    TaskNotCancelableError,
    TaskNotFoundError,
    UnsupportedOperationError,
)
from a2a.utils.proto_utils import validate_proto_required_fields
from a2a.utils.task import apply_history_length

from . import resumable_stream
from .executor import ScriptExecutor, read_skill_id
from .steps import AgentSpec, UnknownSkillError
from .task_store import TaskStore

WORKING_STATES = (TaskState.TASK_STATE_SUBMITTED, TaskState.TASK_STATE_WORKING)
# The SDK copies a task's first message with every update.
MAX_TEXT_CHARS = 64 * 1024
NO_ANSWER = "Nobody answered in time, so the task was given up; start it again."
# The SDK starts a response with the first event. If no event may come for a long time,
# this one starts it. a2a_routes.py removes it from the stream.
EMPTY_UPDATE = TaskStatusUpdateEvent()
# The key in the call's state: whether the caller removes EMPTY_UPDATE.
CAN_START_EMPTY = "can_start_empty"


class ContextBuilder(SimpleRequestContextBuilder):
    """Checks a message and adds missing fields before it reaches a task."""

    def __init__(self, spec: AgentSpec, store: TaskStore) -> None:
        super().__init__()
        self._spec = spec
        self._store = store

    async def build(
        self,
        context: ServerCallContext,
        params: SendMessageRequest | None = None,
        task_id: str | None = None,
        context_id: str | None = None,
        task: Task | None = None,
    ) -> RequestContext:
        """Raises the errors of `check_text`; InvalidParamsError for an unknown skill.

        Raises UnsupportedOperationError if the task is working: the SDK would take the
        message for the answer to the task's next question.
        """
        if params is not None:
            check_text(params.message)
        stored = await self._store.get(task_id, context) if task_id else None
        if stored is not None:
            # The specification wants the task's context; the SDK would make a new one.
            context_id = context_id or stored.task.context_id
            if stored.task.status.state in WORKING_STATES:
                raise UnsupportedOperationError(
                    f"Task {task_id} is working and has no open question; "
                    "reply when its state is TASK_STATE_INPUT_REQUIRED"
                )
        elif params is not None:
            try:
                self._spec.choose_skill("", read_skill_id(params.message))
            except UnknownSkillError as error:
                raise InvalidParamsError(str(error)) from error
        return await super().build(context, params, task_id, context_id, task)


class OneProcess(TaskEventStream):
    """Tells the SDK that no other process serves this agent."""

    async def publish(self, task_id: str, event: VersionedEvent) -> None:
        pass

    def subscribe(
        self, task_id: str, *, after: TaskVersion
    ) -> AsyncGenerator[VersionedEvent, None]:
        raise NotImplementedError

    async def destroy(self, task_id: str) -> None:
        pass


class RequestHandler(DefaultRequestHandlerV2):
    """The SDK's handler, with streams that read from the store's replay buffers."""

    def __init__(
        self,
        spec: AgentSpec,
        card: AgentCard,
        executor: ScriptExecutor,
        store: TaskStore,
    ) -> None:
        super().__init__(
            agent_executor=executor,
            task_store=store,
            agent_card=card,
            request_context_builder=ContextBuilder(spec, store),
            validate_input_modes=True,
            event_stream=OneProcess(),
        )
        self._executor = executor
        self._store = store
        self._cancel_locks: WeakValueDictionary[str, anyio.Lock] = WeakValueDictionary()

    async def on_message_send(
        self, params: SendMessageRequest, context: ServerCallContext
    ) -> Message | Task:
        await self.sweep()
        answer: Message | Task = await super().on_message_send(params, context)
        return answer

    async def on_message_send_stream(
        self, params: SendMessageRequest, context: ServerCallContext
    ) -> AsyncGenerator[Event, None]:
        """Yield the updates that the message causes, until the task ends or asks."""
        updates = self._store.find_updates(params.message.task_id)
        after = updates.head if updates else 0
        sent = SendMessageRequest()
        sent.CopyFrom(params)
        sent.configuration.return_immediately = True
        answer = await self.on_message_send(sent, context)
        if isinstance(answer, Message):
            yield answer
            return
        updates = updates or self._store.updates_of(context)
        async for update in updates.follow(after):
            if isinstance(update, Task):
                yield apply_history_length(update, params.configuration)
            else:
                yield update
            if not isinstance(update, TaskArtifactUpdateEvent) and (
                update.status.state in TERMINAL_TASK_STATES | INTERRUPTED_TASK_STATES
            ):
                return

    async def on_subscribe_to_task(
        self, params: SubscribeToTaskRequest, context: ServerCallContext
    ) -> AsyncGenerator[Event, None]:
        """Yield the task and its next updates. With Last-Event-ID, only the updates.

        Raises UnsupportedOperationError for a finished task without that header, and
        UpdatesGoneError if the next update is no longer stored.
        """
        validate_proto_required_fields(params)
        after = resumable_stream.read_last_event_id(context)
        stored = await self._store.get(params.id, context)
        updates = self._store.find_updates(params.id)
        if stored is None or updates is None:
            raise TaskNotFoundError
        state = stored.task.status.state
        if after is None:
            if state in TERMINAL_TASK_STATES:
                raise UnsupportedOperationError(
                    f"Task {params.id} has ended ({TaskState.Name(state)}); read it "
                    "with GetTask"
                )
            after = resumable_stream.read_number(stored.task)
            yield stored.task
        elif after == updates.head and context.state.get(CAN_START_EMPTY):
            yield EMPTY_UPDATE
        async for update in updates.follow(after):
            yield update

    async def on_cancel_task(
        self, params: CancelTaskRequest, context: ServerCallContext
    ) -> Task | None:
        """Run one cancel per task at a time: two at once would block it for ever.

        Raises TaskNotCancelableError also if the task ended first. The SDK would report
        success.
        """
        lock = self._cancel_locks.setdefault(params.id, anyio.Lock())
        async with lock:
            task: Task | None = await super().on_cancel_task(params, context)
        if task is not None and task.status.state != TaskState.TASK_STATE_CANCELED:
            state = TaskState.Name(task.status.state)
            raise TaskNotCancelableError(f"Task {task.id} has already ended: {state}")
        return task

    async def sweep(self) -> None:
        """Give up tasks that nobody answers, and forget old finished ones."""
        for task_id in self._store.find_overdue():
            await self._executor.give_up(task_id, NO_ANSWER)
        await self._store.evict()


def check_text(message: Message) -> None:
    """Check that the message has a text of acceptable length.

    Raises ContentTypeNotSupportedError or InvalidParamsError.
    """
    kinds = {part.WhichOneof("content") for part in message.parts}
    if None in kinds:
        raise InvalidParamsError("A part of the message is empty; add a text")
    if "text" not in kinds:
        raise ContentTypeNotSupportedError(
            f"The message has {', '.join(sorted(map(str, kinds)))} and no text; "
            "send the request as a text part"
        )
    text = get_message_text(message)
    if not text.strip():
        raise InvalidParamsError("The message's text is empty; describe your request")
    if len(text) > MAX_TEXT_CHARS:
        raise InvalidParamsError(
            f"The message's text has {len(text)} characters; at most {MAX_TEXT_CHARS} "
            "are allowed"
        )

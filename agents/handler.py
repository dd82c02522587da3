"""Owns what the SDK's request handler gets wrong, put right in one place.

serve.py routes every request to it; it hands the work to executor.py.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from weakref import WeakValueDictionary

import anyio
from a2a.helpers.proto_helpers import get_message_text
from a2a.server.agent_execution import RequestContext, SimpleRequestContextBuilder
from a2a.server.agent_execution.active_task import TERMINAL_TASK_STATES
from a2a.server.context import ServerCallContext
from a2a.server.events import Event
from a2a.server.request_handlers.default_request_handler_v2 import (
    DefaultRequestHandlerV2,
)
from a2a.types.a2a_pb2 import (
    AgentCard,
    CancelTaskRequest,
    Message,
    SendMessageConfiguration,
    SendMessageRequest,
    SubscribeToTaskRequest,
    Task,
    TaskState,
)
from a2a.utils._async_queue_compat import QueueShutDown
from a2a.utils.errors import (
    ContentTypeNotSupportedError,
    InvalidParamsError,
    TaskNotCancelableError,
    TaskNotFoundError,
    UnsupportedOperationError,
)
from a2a.utils.proto_utils import validate_proto_required_fields
from a2a.utils.task import apply_history_length

from agents import resume
from agents.executor import ScriptExecutor, skill_asked
from agents.resume import Update, until_settled
from agents.steps import Character, UnknownSkill
from agents.store import Store

AT_WORK = (TaskState.TASK_STATE_SUBMITTED, TaskState.TASK_STATE_WORKING)
# A question needs less; and a task's first message is copied with each of its updates.
MAX_TEXT_CHARS = 64 * 1024
NOBODY_ANSWERED = "Nobody answered in time, so this was given up; start it again."


class ContextBuilder(SimpleRequestContextBuilder):
    """Completes and checks a message before it becomes, or continues, a task."""

    def __init__(self, character: Character, store: Store) -> None:
        super().__init__()
        self._character = character
        self._store = store

    async def build(
        self,
        context: ServerCallContext,
        params: SendMessageRequest | None = None,
        task_id: str | None = None,
        context_id: str | None = None,
        task: Task | None = None,
    ) -> RequestContext:
        """Raises what `check_text` raises, InvalidParamsError for an unknown skill.

        Raises UnsupportedOperationError for a message to a task that is at work: the
        SDK would keep it and take it for the answer to whatever is asked later.
        """
        if params is not None:
            check_text(params.message)
        stored = await self._store.get(task_id, context) if task_id else None
        if stored is not None:
            # The spec has the agent infer it; the SDK would make up a new one.
            context_id = context_id or stored.task.context_id
            if stored.task.status.state in AT_WORK:
                raise UnsupportedOperationError(
                    f"Task {task_id} is at work and has not asked anything; "
                    "reply when its state is TASK_STATE_INPUT_REQUIRED"
                )
        elif params is not None:
            try:
                self._character.choose("", skill_asked(params.message))
            except UnknownSkill as unknown:
                raise InvalidParamsError(str(unknown)) from unknown
        return await super().build(context, params, task_id, context_id, task)


class Handler(DefaultRequestHandlerV2):
    """The SDK's handler, with cancels that neither wedge a task nor misreport it, and
    streams that are read from the store's tapes: none ends early without a word."""

    def __init__(
        self,
        character: Character,
        card: AgentCard,
        executor: ScriptExecutor,
        store: Store,
    ) -> None:
        super().__init__(
            agent_executor=executor,
            task_store=store,
            agent_card=card,
            request_context_builder=ContextBuilder(character, store),
            validate_input_modes=True,
            event_stream=store,
        )
        self._executor = executor
        self._store = store
        self._cancelling: WeakValueDictionary[str, anyio.Lock] = WeakValueDictionary()

    async def on_message_send(
        self, params: SendMessageRequest, context: ServerCallContext
    ) -> Message | Task:
        await self.sweep()
        answer: Message | Task = await super().on_message_send(params, context)
        return answer

    async def follow_message(
        self, params: SendMessageRequest, context: ServerCallContext
    ) -> AsyncGenerator[list[Update], None]:
        """What this message brings about, until the task is over or asks.

        Read from the tape, where the SDK would drop a reader that is 1,024 updates
        behind without a word.
        """
        validate_proto_required_fields(params)
        await self.sweep()
        after = self._store.head(params.message.task_id)
        active_task, request = await self._setup_active_task(params, context)
        task_id = str(request.task_id)
        tape = self._store.tape(task_id)
        try:
            await active_task.enqueue_request(request)
            async for updates in tape.follow(after):
                told = until_settled(updates)
                yield [_shortened(update, params.configuration) for update in told]
                if told[-1].settles:
                    return
        except QueueShutDown:
            raise UnsupportedOperationError(f"Task {task_id} has just ended") from None
        finally:
            self._store.release(task_id)

    async def follow_task(
        self, params: SubscribeToTaskRequest, context: ServerCallContext
    ) -> AsyncGenerator[list[Update], None]:
        """Where the task is, then what follows; with Last-Event-ID only what followed.

        Raises UnsupportedOperationError for a task that is over, where that header does
        not ask for its end, and UpdatesGone where it asks for more than is kept.
        """
        validate_proto_required_fields(params)
        after = resume.last_seen(context)
        stored = await self._store.get(params.id, context)
        if stored is None:
            raise TaskNotFoundError
        # Now: while a slow reader takes the task, the store may forget it.
        tape = self._store.tape(params.id)
        state = stored.task.status.state
        if after is None:
            if state in TERMINAL_TASK_STATES:
                raise UnsupportedOperationError(
                    f"Task {params.id} is over ({TaskState.Name(state)}); read it with "
                    "GetTask"
                )
            after = resume.number_of(stored.task)
            yield [Update(stored.task)]
        elif after == tape.head:
            # The answer begins now, though the next update may be long in coming.
            yield []
        async for updates in tape.follow(after):
            yield updates

    async def on_message_send_stream(
        self, params: SendMessageRequest, context: ServerCallContext
    ) -> AsyncGenerator[Event, None]:
        """The same for gRPC and protocol 0.3, where the SDK encodes."""
        async with aclosing(self.follow_message(params, context)) as batches:
            async for updates in batches:
                for update in updates:
                    yield update.event

    async def on_subscribe_to_task(
        self, params: SubscribeToTaskRequest, context: ServerCallContext
    ) -> AsyncGenerator[Event, None]:
        """The same for gRPC and protocol 0.3, where the SDK encodes."""
        async with aclosing(self.follow_task(params, context)) as batches:
            async for updates in batches:
                for update in updates:
                    yield update.event

    async def on_cancel_task(
        self, params: CancelTaskRequest, context: ServerCallContext
    ) -> Task | None:
        """One cancel per task at a time: two at once would wedge it for ever.

        Raises TaskNotCancelableError also where the task's own end won the race; the
        SDK would report that as a success.
        """
        lock = self._cancelling.setdefault(params.id, anyio.Lock())
        async with lock:
            task: Task | None = await super().on_cancel_task(params, context)
        if task is not None and task.status.state != TaskState.TASK_STATE_CANCELED:
            ended = TaskState.Name(task.status.state)
            raise TaskNotCancelableError(f"Task {task.id} had just ended in {ended}")
        return task

    async def sweep(self) -> None:
        """Gives up what nobody answers, forgets what has long been over."""
        for task_id in self._store.overdue():
            await self._executor.give_up(task_id, NOBODY_ANSWERED)
        await self._store.evict()


def check_text(message: Message) -> None:
    """A message must say something that a character can read, and not too much.

    Raises ContentTypeNotSupportedError where nothing in it is text, InvalidParamsError
    where the text is empty or too long.
    """
    kinds = {part.WhichOneof("content") for part in message.parts}
    if None in kinds:
        raise InvalidParamsError("A part of the message is empty; give it a text")
    if "text" not in kinds:
        raise ContentTypeNotSupportedError(
            f"The message has {', '.join(sorted(map(str, kinds)))} and no text; "
            "send what you want as a text part"
        )
    text = get_message_text(message)
    if not text.strip():
        raise InvalidParamsError("The message's text is empty; say what you want")
    if len(text) > MAX_TEXT_CHARS:
        raise InvalidParamsError(
            f"The message's text has {len(text)} characters; at most {MAX_TEXT_CHARS} "
            "are read"
        )


def _shortened(update: Update, wish: SendMessageConfiguration) -> Update:
    """A Task with no more history than the client wants; anything else as it is."""
    if not wish.HasField("history_length") or not isinstance(update.event, Task):
        return update
    return Update(apply_history_length(update.event, wish))

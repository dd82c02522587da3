"""Owns what the SDK's request handler gets wrong, put right in one place.

serve.py routes every request to it; it hands the work to executor.py.
"""

from weakref import WeakValueDictionary

import anyio
from a2a.server.agent_execution import (
    AgentExecutor,
    RequestContext,
    SimpleRequestContextBuilder,
)
from a2a.server.context import ServerCallContext
from a2a.server.request_handlers.default_request_handler_v2 import (
    DefaultRequestHandlerV2,
)
from a2a.server.tasks import TaskStore
from a2a.types.a2a_pb2 import (
    AgentCard,
    CancelTaskRequest,
    SendMessageRequest,
    Task,
    TaskState,
)
from a2a.utils.errors import (
    InvalidParamsError,
    TaskNotCancelableError,
    UnsupportedOperationError,
)

from agents.executor import skill_asked
from agents.steps import Character, UnknownSkill

AT_WORK = (TaskState.TASK_STATE_SUBMITTED, TaskState.TASK_STATE_WORKING)


class ContextBuilder(SimpleRequestContextBuilder):
    """Completes and checks a message before it becomes, or continues, a task."""

    def __init__(self, character: Character, task_store: TaskStore) -> None:
        super().__init__()
        self._character = character
        self._tasks = task_store

    async def build(
        self,
        context: ServerCallContext,
        params: SendMessageRequest | None = None,
        task_id: str | None = None,
        context_id: str | None = None,
        task: Task | None = None,
    ) -> RequestContext:
        """Raises InvalidParamsError for a skill that the character does not have.

        Raises UnsupportedOperationError for a message to a task that is at work: the
        SDK would keep it and take it for the answer to whatever is asked later.
        """
        stored = await self._tasks.get(task_id, context) if task_id else None
        if stored is not None:
            # The spec has the agent infer it; the SDK would make up a new one.
            context_id = context_id or stored.context_id
            if stored.status.state in AT_WORK:
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
    """The SDK's handler with cancels that neither wedge a task nor misreport it."""

    def __init__(
        self,
        character: Character,
        card: AgentCard,
        executor: AgentExecutor,
        task_store: TaskStore,
    ) -> None:
        super().__init__(
            agent_executor=executor,
            task_store=task_store,
            agent_card=card,
            request_context_builder=ContextBuilder(character, task_store),
        )
        self._cancelling: WeakValueDictionary[str, anyio.Lock] = WeakValueDictionary()

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

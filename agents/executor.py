"""Plays a script's steps as the A2A updates of one task; carries replies and cancels.

The SDK stores what is published here and streams it to everyone who subscribed.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Literal

import anyio
from a2a.helpers.proto_helpers import new_data_part, new_text_part
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.agent_execution.active_task import TERMINAL_TASK_STATES
from a2a.server.events import EventQueue
from a2a.server.tasks import TaskUpdater
from a2a.types.a2a_pb2 import Message, Part, Task, TaskState, TaskStatus

from agents import progress
from agents.steps import Ask, Character, Deliver, Fail, Progress, Request, Say, Work

logger = logging.getLogger(__name__)

CANCELLED_BY_USER = "Task cancelled by user request"
# A script that cannot be closed must not hold up the agent.
CLOSE_TIMEOUT_S = 1.0

Sleep = Callable[[float], Awaitable[None]]


class Performance:
    """One task on stage: its script, its updater and how far it has come.

    Everything is published under one lock, and nothing after a terminal state:
    whoever comes second (a cancel racing the end, or the other way round) waits until
    the first one's last word is in the queue, and then finds the task `over`.
    """

    def __init__(self, tracker: str, work: Work, updater: TaskUpdater) -> None:
        self.work = work
        self.updater = updater
        self.question: Ask | None = None
        self.over = False
        self._tracker = tracker
        self._percent: int | None = None
        self._closing_message = "Done."
        self._lock = anyio.Lock()

    async def tell(self, message: str, percent: int | None = None) -> None:
        """The task is working. The percentage never moves back."""
        if percent is not None:
            self._percent = max(percent, self._percent or 0)
        await self._publish(TaskState.TASK_STATE_WORKING, message)

    async def ask(self, question: Ask) -> None:
        """The task waits for an answer; `choices` travel as a data part."""
        self.question = question
        choices = [new_data_part({"choices": list(question.choices)})]
        await self._publish(
            TaskState.TASK_STATE_INPUT_REQUIRED,
            question.question,
            choices if question.choices else [],
        )

    async def deliver(self, step: Deliver) -> None:
        self._closing_message = step.text
        parts = [new_text_part(step.text)]
        if step.data is not None:
            parts.append(new_data_part(dict(step.data)))
        async with self._lock:
            if not self.over:
                await self.updater.add_artifact(parts, name=step.name, last_chunk=True)

    async def complete(self) -> None:
        self._percent = 100
        await self._publish(
            TaskState.TASK_STATE_COMPLETED, self._closing_message, status="completed"
        )

    async def fail(self, reason: str) -> None:
        await self._publish(TaskState.TASK_STATE_FAILED, reason, status="failed")

    async def cancel(self) -> None:
        await self._publish(TaskState.TASK_STATE_CANCELED, CANCELLED_BY_USER)

    async def close(self) -> None:
        """Ends the script, wherever it stands, and lets its clean-up run."""
        with anyio.move_on_after(CLOSE_TIMEOUT_S, shield=True):
            await self.work.aclose()

    async def _publish(
        self,
        state: TaskState,
        text: str,
        more: list[Part] | None = None,
        status: Literal["running", "completed", "failed"] = "running",
    ) -> None:
        async with self._lock:
            if self.over:
                return
            self.over = state in TERMINAL_TASK_STATES
            extra: dict[str, Any] | None = None
            # The draft has no word for a cancelled tracker, so that says nothing.
            if self._percent is not None and state != TaskState.TASK_STATE_CANCELED:
                extra = progress.metadata(self._tracker, self._percent, text, status)
            # A tick without words stays out of the history, which the SDK copies
            # for every update.
            message = self._message(text, more or [], extra) if text else None
            await self.updater.update_status(state, message, metadata=extra)

    def _message(
        self, text: str, more: list[Part], extra: dict[str, Any] | None
    ) -> Message:
        message = self.updater.new_agent_message([new_text_part(text), *more], extra)
        if extra is not None:
            message.extensions.append(progress.URI)
        return message


class ScriptExecutor(AgentExecutor):
    """Plays one character's scripts, any number of tasks at once.

    `step_s` is the length of one beat in seconds; `sleep` is how a beat passes, so
    that a test can play a script in no time.
    """

    def __init__(
        self, character: Character, step_s: float, sleep: Sleep = anyio.sleep
    ) -> None:
        self._character = character
        self._step_s = step_s
        self._sleep = sleep
        self._on_stage: dict[str, Performance] = {}

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        """Plays until the script ends or asks; called again with each reply."""
        task_id = str(context.task_id)
        performance = self._on_stage.get(task_id)
        reply: str | None = None
        if performance is None:
            performance = await self._begin(context, event_queue)
        elif performance.question is not None:
            reply = performance.question.hear(context.get_user_input())
            performance.question = None
            performance.updater.event_queue = event_queue
        try:
            await self._play(performance, reply)
        except Exception as crash:
            logger.exception("event=crash task=%s", task_id)
            await performance.fail(
                f"Something broke inside {self._character.title} "
                f"({type(crash).__name__}: {crash}). Start it again; if it breaks "
                f"again, {self._character.name}'s log says where."
            )
        finally:
            if performance.question is None:
                self._on_stage.pop(task_id, None)
                await performance.close()

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        """Publishes CANCELED, unless the task's own end was there first.

        The SDK stops `execute` only after this returns, so by then the last word,
        whose ever it was, is safely in the queue.
        """
        performance = self._on_stage.get(str(context.task_id))
        if performance is None:
            return
        await performance.cancel()
        if performance.question is not None:
            self._on_stage.pop(str(context.task_id), None)
            await performance.close()

    async def aclose(self) -> None:
        """Closes the scripts that still wait for an answer."""
        while self._on_stage:
            _, performance = self._on_stage.popitem()
            await performance.close()

    async def _begin(
        self, context: RequestContext, event_queue: EventQueue
    ) -> Performance:
        """Enqueues the Task, which the SDK wants to see before anything else."""
        message = context.message
        task_id, context_id = str(context.task_id), str(context.context_id)
        status = TaskStatus(state=TaskState.TASK_STATE_SUBMITTED)
        # Without a timestamp ListTasks cannot find the task by time.
        status.timestamp.GetCurrentTime()
        skill = self._character.choose(context.get_user_input(), skill_asked(message))
        performance = Performance(
            self._character.name,
            skill.work(Request(text=context.get_user_input())),
            TaskUpdater(event_queue, task_id, context_id),
        )
        self._on_stage[task_id] = performance
        history = [message] if message is not None else []
        await event_queue.enqueue_event(
            Task(id=task_id, context_id=context_id, status=status, history=history)
        )
        return performance

    async def _play(self, performance: Performance, reply: str | None) -> None:
        work = performance.work
        try:
            step = await (anext(work) if reply is None else work.asend(reply))
            while not performance.over:
                match step:
                    case Progress(percent, message, beats):
                        await performance.tell(message, percent)
                        await self._sleep(beats * self._step_s)
                    case Say(message, beats):
                        await performance.tell(message)
                        await self._sleep(beats * self._step_s)
                    case Deliver():
                        await performance.deliver(step)
                    case Ask():
                        await performance.ask(step)
                        return
                    case Fail(reason):
                        await performance.fail(reason)
                        return
                step = await work.asend("")
        except StopAsyncIteration:
            await performance.complete()


def skill_asked(message: Message | None) -> str | None:
    """The skill that a message names in its metadata as `skillId`, if it does."""
    if message is None or "skillId" not in message.metadata:
        return None
    return str(message.metadata["skillId"])

"""Plays the scripts of an agent: each step becomes an update of the task.

request_handler.py calls it through the SDK. publisher.py sends the updates.
"""

import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass

import anyio
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.events import EventQueue
from a2a.server.tasks import TaskUpdater
from a2a.types.a2a_pb2 import Message

from . import steps
from .publisher import TaskPublisher
from .steps import AgentSpec, Branch, Script, Step

logger = logging.getLogger(__name__)

CANCELLED_BY_USER = "Task cancelled by user request"
# A script that does not close must not block the agent.
CLOSE_TIMEOUT_S = 1.0

Sleep = Callable[[float], Awaitable[None]]


@dataclass
class RunningScript:
    """The script of one task, its publisher, and the question that it waits for."""

    script: Script
    publisher: TaskPublisher
    question: steps.Ask | None = None

    async def close(self) -> None:
        """Run the clean-up code of the script, wherever it stopped."""
        with anyio.move_on_after(CLOSE_TIMEOUT_S, shield=True):
            await self.script.aclose()


class ScriptExecutor(AgentExecutor):
    """Plays the scripts of one agent, any number of tasks at the same time.

    `step_s` is the length of one beat. `sleep` replaces the clock in tests.
    """

    def __init__(
        self, spec: AgentSpec, step_s: float, sleep: Sleep = anyio.sleep
    ) -> None:
        self._spec = spec
        self._step_s = step_s
        self._sleep = sleep
        self._running: dict[str, RunningScript] = {}

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        """Play until the script ends or asks. Each reply calls this again."""
        task_id = str(context.task_id)
        running = self._running.get(task_id)
        reply: str | None = None
        if running is None:
            if context.current_task is not None:
                return  # The task ended before this reply arrived.
            running = self._running[task_id] = self._start(context, event_queue)
        elif running.question is not None:
            reply = running.question.match_choice(context.get_user_input())
            running.question = None
            running.publisher.use_queue(event_queue)
        try:
            await self._play(running, reply)
        except Exception as error:
            logger.exception("event=crash task=%s", task_id)
            await running.publisher.fail(self._explain_crash(error))
        finally:
            if running.question is None:
                self._running.pop(task_id, None)
                await running.close()

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        """Publish CANCELED, unless the task has just ended.

        The SDK stops `execute` after this returns. The last update is out by then.
        """
        running = self._running.get(str(context.task_id))
        if running is None:
            return
        await running.publisher.cancel(CANCELLED_BY_USER)
        if running.question is not None:
            self._running.pop(str(context.task_id), None)
            await running.close()

    async def give_up(self, task_id: str, reason: str) -> None:
        """Fail the task if it waits for an answer."""
        running = self._running.get(task_id)
        if running is not None and running.question is not None:
            del self._running[task_id]
            await running.publisher.fail(reason)
            await running.close()

    async def aclose(self) -> None:
        """Close the scripts that still wait for an answer."""
        while self._running:
            _, running = self._running.popitem()
            await running.close()

    def _start(self, context: RequestContext, queue: EventQueue) -> RunningScript:
        text = context.get_user_input()
        skill = self._spec.choose_skill(text, read_skill_id(context.message))
        updater = TaskUpdater(queue, str(context.task_id), str(context.context_id))
        publisher = TaskPublisher(self._spec.name, updater, context.message)
        return RunningScript(skill.script(steps.Request(text)), publisher)

    async def _play(self, running: RunningScript, reply: str | None) -> None:
        script = running.script
        try:
            step = await (anext(script) if reply is None else script.asend(reply))
            while not running.publisher.is_over:
                if not await self._play_step(running, step):
                    return
                step = await script.asend("")
        except StopAsyncIteration:
            await running.publisher.complete()

    async def _play_step(self, running: RunningScript, step: Step) -> bool:
        """Publish one step. Return whether the script continues at once."""
        publisher = running.publisher
        match step:
            case steps.Progress(percent, message, beats):
                await publisher.report(message, percent)
                await self._pause(beats)
            case steps.Say(message, beats):
                await publisher.report(message)
                await self._pause(beats)
            case steps.Chunk():
                await publisher.deliver_chunk(step)
                await self._pause(step.beats)
            case steps.Deliver():
                await publisher.deliver(step)
            case steps.Parallel():
                publisher.begin_parallel(step)
                async with anyio.create_task_group() as branches:
                    for name, branch in step.branches.items():
                        branches.start_soon(self._play_branch, publisher, name, branch)
            case steps.Ask():
                running.question = step
                await publisher.ask(step)
                return False
            case steps.Fail(reason):
                await publisher.fail(reason)
                return False
            case steps.Reject(reason):
                await publisher.reject(reason)
                return False
            case steps.Reply(text):
                await publisher.reply(text)
                return False
        return True

    async def _play_branch(
        self, publisher: TaskPublisher, name: str, branch: Branch
    ) -> None:
        async with aclosing(branch):
            async for step in branch:
                match step:
                    case steps.Progress(percent, message, beats):
                        await publisher.report_branch(name, message, percent)
                    case steps.Say(message, beats):
                        await publisher.report_branch(name, message)
                    case steps.Fail(reason):
                        await publisher.report_branch(name, reason, status="failed")
                        return
                await self._pause(beats)
        await publisher.report_branch(name, "", 100, "completed")

    async def _pause(self, beats: float) -> None:
        await self._sleep(beats * self._step_s)

    def _explain_crash(self, error: BaseException) -> str:
        while inner := getattr(error, "exceptions", None):
            error = inner[0]  # A task group wraps the error that ended it.
        return (
            f"Something broke inside {self._spec.title} "
            f"({type(error).__name__}: {error}). Start it again; if it breaks "
            f"again, {self._spec.name}'s log says where."
        )


def read_skill_id(message: Message | None) -> str | None:
    """Return the `skillId` in the message's metadata, if there is one."""
    if message is None or "skillId" not in message.metadata:
        return None
    return str(message.metadata["skillId"])

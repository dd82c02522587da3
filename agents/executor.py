"""Plays a script's steps as one task; carries replies and cancels.

performance.py publishes what is played; handler.py calls this through the SDK.
"""

import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing

import anyio
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.events import EventQueue
from a2a.server.tasks import TaskUpdater
from a2a.types.a2a_pb2 import Message

from agents.performance import Bar, Performance
from agents.steps import (
    Ask,
    Character,
    Chunk,
    Deliver,
    Fail,
    Progress,
    Reject,
    Reply,
    Request,
    Say,
    Step,
    Strand,
    Together,
)

logger = logging.getLogger(__name__)

CANCELLED_BY_USER = "Task cancelled by user request"

Sleep = Callable[[float], Awaitable[None]]


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
            if context.current_task is not None:
                return  # The task ended while this reply to it was on its way.
            performance = self._on_stage[task_id] = self._cast(context, event_queue)
        elif performance.question is not None:
            reply = performance.question.hear(context.get_user_input())
            performance.question = None
            performance.updater.event_queue = event_queue
        try:
            await self._play(performance, reply)
        except Exception as crash:
            logger.exception("event=crash task=%s", task_id)
            await performance.fail(self._apology(crash))
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
        await performance.cancel(CANCELLED_BY_USER)
        if performance.question is not None:
            self._on_stage.pop(str(context.task_id), None)
            await performance.close()

    async def give_up(self, task_id: str, reason: str) -> None:
        """Fails a task that waits for an answer; one that does not is left alone."""
        performance = self._on_stage.get(task_id)
        if performance is not None and performance.question is not None:
            del self._on_stage[task_id]
            await performance.fail(reason)
            await performance.close()

    async def aclose(self) -> None:
        """Closes the scripts that still wait for an answer."""
        while self._on_stage:
            _, performance = self._on_stage.popitem()
            await performance.close()

    def _cast(self, context: RequestContext, event_queue: EventQueue) -> Performance:
        text = context.get_user_input()
        skill = self._character.choose(text, skill_asked(context.message))
        updater = TaskUpdater(
            event_queue, str(context.task_id), str(context.context_id)
        )
        work = skill.work(Request(text))
        return Performance(self._character.name, work, updater, context.message)

    async def _play(self, performance: Performance, reply: str | None) -> None:
        work = performance.work
        try:
            step = await (anext(work) if reply is None else work.asend(reply))
            while not performance.over:
                if not await self._play_step(performance, step):
                    return
                step = await work.asend("")
        except StopAsyncIteration:
            await performance.complete()

    async def _play_step(self, performance: Performance, step: Step) -> bool:
        """Whether the script goes on right after `step`."""
        match step:
            case Progress(percent, message, beats):
                await performance.tell(message, percent)
                await self._pass(beats)
            case Say(message, beats):
                await performance.tell(message)
                await self._pass(beats)
            case Chunk():
                await performance.deliver_chunk(step)
                await self._pass(step.beats)
            case Deliver():
                await performance.deliver(step)
            case Together():
                await self._play_together(performance, step)
            case Ask():
                await performance.ask(step)
                return False
            case Fail(reason):
                await performance.fail(reason)
                return False
            case Reject(reason):
                await performance.reject(reason)
                return False
            case Reply(text):
                await performance.reply(text)
                return False
        return True

    async def _play_together(self, performance: Performance, step: Together) -> None:
        bar = performance.begin_together(step.strands, step.until)
        async with anyio.create_task_group() as strands:
            for name, strand in step.strands.items():
                strands.start_soon(self._play_strand, performance, bar, name, strand)

    async def _play_strand(
        self, performance: Performance, bar: Bar, name: str, strand: Strand
    ) -> None:
        async with aclosing(strand):
            async for step in strand:
                match step:
                    case Progress(percent, message, beats):
                        await performance.tell_strand(bar, name, message, percent)
                    case Say(message, beats):
                        await performance.tell_strand(bar, name, message)
                    case Fail(reason):
                        await performance.tell_strand(bar, name, reason, 0, "failed")
                        return
                await self._pass(beats)
        await performance.tell_strand(bar, name, "", 100, "completed")

    async def _pass(self, beats: float) -> None:
        await self._sleep(beats * self._step_s)

    def _apology(self, crash: BaseException) -> str:
        # A task group says little of its own; what broke in it is inside.
        while inner := getattr(crash, "exceptions", None):
            crash = inner[0]
        return (
            f"Something broke inside {self._character.title} "
            f"({type(crash).__name__}: {crash}). Start it again; if it breaks "
            f"again, {self._character.name}'s log says where."
        )


def skill_asked(message: Message | None) -> str | None:
    """The skill that a message names in its metadata as `skillId`, if it does."""
    if message is None or "skillId" not in message.metadata:
        return None
    return str(message.metadata["skillId"])

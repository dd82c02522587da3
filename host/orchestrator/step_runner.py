"""Runs one step of a plan: its attempts, its questions, and its failures."""

from __future__ import annotations

import asyncio
import logging
import random
from contextlib import aclosing
from typing import Any
from uuid import uuid4

import anyio
from a2a.utils.errors import A2AError, TaskNotFoundError

from ..clients.bindings.types import Update
from ..errors import AgentUnreachable, CourtsideError, UnknownAgent
from ..following.collector import Collector
from ..model.event import WAITING, TaskEvent
from ..observability.logfmt import Line
from ..protocol.a2a_objects import join_text
from ..protocol.messages import build_message
from . import child_task
from .agents import Agents, AttemptFailed
from .pausable_timeout import PausableTimeout
from .questions import Question
from .reporter import Reporter
from .run_state import StepState
from .step_result import read_result

logger = logging.getLogger("courtside.orchestrator")

BACKOFF_S = 0.5
CHOICES = ("retry", "skip", "fail")
Json = dict[str, Any]


class StepFailed(CourtsideError):
    """The step failed, and so does the plan."""


class StepRunner:
    """`run` returns when the step is completed or skipped."""

    def __init__(self, state: StepState, agents: Agents, reporter: Reporter) -> None:
        self.state = state
        self._agents = agents
        self._reporter = reporter
        self._timeout = PausableTimeout(state.step.timeout_s)
        self._row: TaskEvent | None = None
        self._answered: tuple[str | None, str] | None = None
        self._choice: asyncio.Future[str] | None = None
        # Before a restart, the step may have sent its message.
        self._is_resumed = state.stage in ("sending", "running")

    async def run(self, text: str) -> None:
        """Send `text` to an agent, as often as the plan allows. Raises StepFailed."""
        state, step = self.state, self.state.step
        why = state.message if state.stage == "asking" else await self._try(text)
        while why is not None:
            is_asked = step.on_failure == "ask"
            choice = await self._ask_choice(why) if is_asked else step.on_failure
            logger.info(Line(step=step.key, state="failed", cause=why, then=choice))
            if choice == "fail":
                raise StepFailed(f"{state.name} failed: {why}")
            if choice == "skip":
                state.stage, state.message = "skipped", why
                break
            state.attempt, state.stage = 0, "pending"
            why = await self._try(text)
        self._reporter.notify()

    async def reply(self, text: str, message: Json) -> None:
        """Take a person's answer: `message` is the A2A message with `text` in it.

        Raises AgentUnreachable and A2AError if the child task did not get it. Then the
        question stays open.
        """
        row = self._row
        if self._choice is not None or row is None:
            self._take_choice(text)
            return
        self.state.question, self._answered = None, _question_id(row)
        self._timeout.resume()
        ids = {"taskId": row.task_id, "contextId": row.context_id}
        try:
            collector = self._agents.roster.collector(row.agent)
            await collector.send(child_task.build_request(message | ids))
        except Exception:
            if self._row is row:
                self._answered = None
                self._take_row(row)
            raise

    def _take_choice(self, text: str) -> None:
        choice = text.strip(" .!").casefold()
        if self._choice is None or self._choice.done():
            return
        if choice in CHOICES:
            self.state.question = None
            self._choice.set_result(choice)
        else:
            self._ask("Please say retry, skip or fail.")

    async def _ask_choice(self, why: str) -> str:
        """Ask a person what to do about a failure. Return one of CHOICES."""
        self.state.stage, self.state.message = "asking", why
        self._choice = asyncio.get_running_loop().create_future()
        self._ask(f"{why}: retry, skip or fail?")
        choice = await self._choice
        self._choice = None
        return choice

    def _ask(self, text: str, *, is_auth: bool = False) -> None:
        key, agent = self.state.step.key, self.state.agent
        self.state.question = Question(key, agent or key, text, is_auth)
        self._reporter.notify()

    async def _try(self, text: str) -> str | None:
        """Make attempts until one succeeds. Return why the last one failed, if so."""
        state = self.state
        while True:
            try:
                await self._attempt(text)
                return None
            except AttemptFailed as failure:
                state.question = None
                if failure.is_final or state.attempt >= state.step.retries:
                    return str(failure)
                logger.info(Line(step=state.step.key, state="retrying", cause=failure))
                state.message = f"{failure}; trying again"
            backoff_s = BACKOFF_S * 2**state.attempt * random.uniform(0.7, 1.3)  # noqa: S311
            state.attempt, state.stage = state.attempt + 1, "pending"
            self._reporter.notify()
            await anyio.sleep(backoff_s)

    async def _attempt(self, text: str) -> None:
        timeout_s = self.state.step.timeout_s
        self._timeout = PausableTimeout(timeout_s)
        self._timeout.resume()
        with self._timeout.scope:
            try:
                return await self._send_and_follow(text)
            except (A2AError, AgentUnreachable, UnknownAgent) as error:
                raise AttemptFailed(str(error)) from error
        await self.cancel_child()
        raise AttemptFailed(f"took longer than {timeout_s:g} s")

    async def cancel_child(self) -> str | None:
        """Cancel the child task if it is open. Return why this failed, if so."""
        state = self.state
        if state.stage != "running" or not state.agent or not state.task_id:
            return None
        row = self._agents.feed.board.task(state.agent, state.task_id)
        if row and not row.is_open:
            return None
        try:
            collector = await self._agents.wait_for(state.agent)
        except (UnknownAgent, AgentUnreachable) as error:
            return str(error)
        return await child_task.cancel_child(collector, state.task_id)

    async def _send_and_follow(self, text: str) -> None:
        state = self.state
        if self._is_resumed and state.agent and state.message_id:
            self._is_resumed = False
            collector = self._agents.roster.collector(state.agent)
            await self._find_child(collector)
        else:
            state.agent = state.step.agent or self._agents.find_by_skill(
                state.step.skill or ""
            )
            collector = await self._agents.wait_for(state.agent)
            state.message_id, state.task_id = str(uuid4()), None
            state.progress, state.message = 0, ""
        if state.task_id is None:
            await self._send(collector, text)
        if state.task_id is not None:
            await self._follow(collector.name, state.task_id)

    async def _find_child(self, collector: Collector) -> None:
        """Find the child task that the step had before a restart, if it had one."""
        state, feed = self.state, self._agents.feed
        if state.task_id and feed.board.task(collector.name, state.task_id):
            return
        await self._agents.wait_for(collector.name)
        log, steps = self._reporter.log, self._reporter.steps
        if state.task_id:
            try:
                await collector.connection.get_task(state.task_id)
            except TaskNotFoundError as error:
                why = f"{collector.name} no longer has the task"
                raise AttemptFailed(why) from error
        else:
            state.task_id = await child_task.find_child(
                collector,
                feed,
                log.context_id,
                state.message_id or "",
                others={step.task_id for step in steps.values() if step.task_id},
            )
        if state.task_id:
            collector.follow(state.task_id, log.task_id)

    async def _send(self, collector: Collector, text: str) -> None:
        """Send the message. Before that, log that it may have been sent."""
        state = self.state
        state.stage = "sending"
        await self._reporter.save()
        skill = state.step.skill
        message = build_message(
            "ROLE_USER",
            text,
            message_id=state.message_id,
            contextId=self._reporter.log.context_id,
            metadata={"skillId": skill} if skill else None,
        )
        answer: asyncio.Future[Update] = asyncio.get_running_loop().create_future()
        self._agents.background.start_soon(self._deliver, collector, message, answer)
        response = (await answer).response
        if response.message is not None:
            state.result = state.message = join_text(response.message.parts)
            state.stage, state.progress = "completed", 100
            return
        state.task_id, state.stage = response.task_id, "running"
        self._reporter.notify()

    async def _deliver(
        self, collector: Collector, message: Json, answer: asyncio.Future[Update]
    ) -> None:
        """Send the message. Cancel its task if the step has ended meanwhile."""
        try:
            request = child_task.build_request(message)
            reply = await collector.send(request, self._reporter.log.task_id)
            update = await reply.settle()
        except Exception as error:
            if not answer.done():
                answer.set_exception(error)
            return
        if not answer.done():
            answer.set_result(update)
        elif update.response.task_id:
            await child_task.cancel_child(collector, update.response.task_id)

    async def _follow(self, agent: str, task_id: str) -> None:
        """Follow the child task, and the tasks that continue it, to the end."""
        after: str | None = task_id
        while after:
            self.state.task_id, self.state.stage = after, "running"
            after = await self._follow_one(agent, after)

    async def _follow_one(self, agent: str, task_id: str) -> str | None:
        """Return the task that continues this one, None if it is completed."""
        state = self.state
        rows = child_task.watch_rows(self._agents.feed, agent, task_id)
        async with aclosing(rows):
            async for row in rows:
                if row.continued_by:
                    self._take_continued()
                    return row.continued_by
                self._take_row(row)
                if row.status == "completed":
                    state.result = await read_result(self._agents.feed, row)
                    state.stage = "completed"
                    return None
                if not row.is_open:
                    is_cancelled = row.status == "cancelled"
                    why = "its task was cancelled" if is_cancelled else row.message
                    raise AttemptFailed(why or row.status, is_final=is_cancelled)
        # The feed is closed: the host stops.
        await anyio.sleep_forever()
        return None

    def _take_continued(self) -> None:
        """Close the question: another task has its answer."""
        self.state.question = None
        self._timeout.resume()
        self._reporter.notify()

    def _take_row(self, row: TaskEvent) -> None:
        state = self.state
        self._row = row
        state.message = row.message or ""
        state.progress = row.progress or state.progress
        if row.status not in WAITING:
            state.question = None
            self._timeout.resume()
            self._reporter.notify()
        elif _question_id(row) != self._answered:
            self._timeout.pause()
            self._ask(row.message or "?", is_auth=row.status == "auth-required")


def _question_id(row: TaskEvent) -> tuple[str | None, str]:
    """Return what distinguishes one question from the next, even with equal texts."""
    return row.message_id, row.at or row.received_at

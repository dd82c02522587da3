"""Owns one step while its plan runs: its attempts, its questions, what if it fails.

A run starts one for each step that can begin; children are followed in `child`.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Collection
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import anyio
from a2a.utils.errors import A2AError
from anyio.abc import TaskGroup

from ..clients.bindings.types import Update
from ..errors import AgentUnreachable, CourtsideError, UnknownAgent
from ..feed.feed import Feed
from ..following.collector import Collector
from ..following.roster import Roster
from ..model.event import WAITING, TaskEvent
from ..observability.logfmt import Line
from ..protocol.a2a_objects import join_text
from ..protocol.messages import build_message
from . import child_task
from .child_task import AttemptFailed, Patience
from .questions import Question
from .run_state import StepState

logger = logging.getLogger("courtside.orchestrator")

BACKOFF_S = 0.5
CHOICES = ("retry", "skip", "fail")
Json = dict[str, Any]


class StepFailed(CourtsideError):
    """The plan fails with the step."""


@dataclass(frozen=True)
class Scene:
    """What the steps of one run share. `late` outlives the run: a message that is on
    its way when a step ends is still to be answered."""

    task_id: str
    context_id: str
    roster: Roster
    feed: Feed
    late: TaskGroup
    resumed: bool
    changed: Callable[[], None]
    record: Callable[[], Awaitable[None]]
    """Returns when the log has where every step is."""
    children: Callable[[], Collection[str]]


class Performer:
    """`perform` returns when the step is completed or skipped.

    `question` is what it asks a person meanwhile.
    """

    def __init__(self, state: StepState, scene: Scene) -> None:
        self.question: Question | None = None
        self._state = state
        self._scene = scene
        self._patience = Patience(0)
        self._row: TaskEvent | None = None
        self._answered: tuple[str | None, str] | None = None
        self._choice: asyncio.Future[str] | None = None
        # Told by the log of a host that was killed: the step may be under way.
        self._is_under_way = state.stage in ("sending", "running")

    async def perform(self, text: str) -> None:
        """Asks an agent for `text`, as often as the plan allows. Raises StepFailed."""
        state, step = self._state, self._state.step
        why = state.says if state.stage == "asking" else await self._try(text)
        while why is not None:
            asks = step.on_failure == "ask"
            choice = await self._ask(why) if asks else step.on_failure
            logger.info(Line(step=step.key, state="failed", cause=why, then=choice))
            if choice == "fail":
                raise StepFailed(f"{state.name} failed: {why}")
            if choice == "skip":
                state.stage, state.says = "skipped", why
                break
            state.attempt, state.stage = 0, "pending"
            why = await self._try(text)
        self._scene.changed()

    async def answer(self, text: str, message: Json) -> None:
        """Takes a person's word: `message` is the A2A message, with `text` in it.

        Raises AgentUnreachable and A2AError where the child did not get it; then the
        question stands as it was.
        """
        asked = self._row
        if self._choice is not None or asked is None:
            self._choose(text)
            return
        self.question, self._answered = None, _key(asked)
        self._patience.go()
        ids = {"taskId": asked.task_id, "contextId": asked.context_id}
        try:
            collector = self._scene.roster.collector(asked.agent)
            await collector.send(child_task.request_of(message | ids))
        except Exception:
            if self._row is asked:
                self._answered = None
                self._take(asked)
            raise

    def _choose(self, text: str) -> None:
        choice = text.strip(" .!").casefold()
        if self._choice is None or self._choice.done():
            return
        if choice in CHOICES:
            self.question = None
            self._choice.set_result(choice)
        else:
            self._put("Please say retry, skip or fail.")

    async def _ask(self, why: str) -> str:
        """What a person wants now: one of CHOICES."""
        self._state.stage, self._state.says = "asking", why
        self._choice = asyncio.get_running_loop().create_future()
        self._put(f"{why}: retry, skip or fail?")
        choice = await self._choice
        self._choice = None
        return choice

    def _put(self, text: str, *, is_auth: bool = False) -> None:
        state = self._state
        self.question = Question(
            state.step.key, state.agent or state.step.key, text, is_auth
        )
        self._scene.changed()

    async def _try(self, text: str) -> str | None:
        """None when it is done, else why it could not be done."""
        state = self._state
        while True:
            try:
                await self._attempt(text)
                return None
            except AttemptFailed as failed:
                self.question = None
                if failed.final or state.attempt >= state.step.retries:
                    return str(failed)
                logger.info(Line(step=state.step.key, state="retrying", cause=failed))
                state.says = f"{failed}; trying again"
            backoff_s = BACKOFF_S * 2**state.attempt * random.uniform(0.7, 1.3)  # noqa: S311
            state.attempt, state.stage = state.attempt + 1, "pending"
            self._scene.changed()
            await anyio.sleep(backoff_s)

    async def _attempt(self, text: str) -> None:
        timeout_s = self._state.step.timeout_s
        self._patience = Patience(timeout_s)
        self._patience.go()
        with self._patience.scope:
            try:
                return await self._do(text)
            except (A2AError, AgentUnreachable, UnknownAgent) as error:
                raise AttemptFailed(str(error)) from error
        await self.cancel_child()
        raise AttemptFailed(f"took longer than {timeout_s:g} s")

    async def cancel_child(self) -> str | None:
        """Why a child that is still open could not be cancelled, if so."""
        state = self._state
        if state.stage != "running" or not state.agent or not state.task_id:
            return None
        row = self._scene.feed.board.task(state.agent, state.task_id)
        if row and not row.is_open:
            return None
        try:
            collector = self._scene.roster.collector(state.agent)
            await child_task.reached(
                collector, self._scene.feed, patient=self._scene.resumed
            )
        except (UnknownAgent, AgentUnreachable) as error:
            return str(error)
        return await child_task.cancel(collector, state.task_id)

    async def _do(self, text: str) -> None:
        state, scene = self._state, self._scene
        if self._is_under_way and state.agent and state.message_id:
            self._is_under_way = False
            collector = scene.roster.collector(state.agent)
            await self._take_up(collector)
        else:
            skill = state.step.skill or ""
            state.agent = state.step.agent or child_task.agent_with(
                skill, scene.roster, scene.feed
            )
            collector = scene.roster.collector(state.agent)
            await child_task.reached(collector, scene.feed, patient=scene.resumed)
            state.message_id, state.task_id = str(uuid4()), None
            state.progress, state.says = 0, ""
        if state.task_id is None:
            await self._send(collector, text)
        if state.task_id is not None:
            await self._follow(state.agent, state.task_id)

    async def _take_up(self, collector: Collector) -> None:
        """Finds what the step was doing when the host was killed."""
        state, feed = self._state, self._scene.feed
        if state.task_id and feed.board.task(collector.name, state.task_id):
            return
        await child_task.reached(collector, feed, patient=True)
        if state.task_id is None:
            state.task_id = await child_task.find_child(
                collector,
                feed,
                self._scene.context_id,
                state.message_id or "",
                self._scene.children(),
            )
            if state.task_id:
                collector.follow(state.task_id, self._scene.task_id)
        elif not await child_task.is_known(collector, feed, state.task_id):
            raise AttemptFailed(f"{collector.name} no longer knows its task")

    async def _send(self, collector: Collector, text: str) -> None:
        """Durable first: a host that is killed must know what it may have sent."""
        state = self._state
        state.stage = "sending"
        await self._scene.record()
        skill = state.step.skill
        request = build_message(
            "ROLE_USER",
            text,
            message_id=state.message_id,
            contextId=self._scene.context_id,
            metadata={"skillId": skill} if skill else None,
        )
        answer: asyncio.Future[Update] = asyncio.get_running_loop().create_future()
        self._scene.late.start_soon(self._deliver, collector, request, answer)
        response = (await answer).response
        if response.message is not None:
            state.result = state.says = join_text(response.message.parts)
            state.stage, state.progress = "completed", 100
            return
        state.task_id, state.stage = response.task_id, "running"
        self._scene.changed()

    async def _deliver(
        self, collector: Collector, request: Json, answer: asyncio.Future[Update]
    ) -> None:
        try:
            message = child_task.request_of(request)
            update = await collector.send(message, self._scene.task_id)
        except Exception as error:
            if not answer.done():
                answer.set_exception(error)
            return
        if answer.done():
            await child_task.cancel_what_comes(collector, update)
        else:
            answer.set_result(update)

    async def _follow(self, agent: str, task_id: str) -> None:
        state = self._state
        state.stage = "running"
        async with aclosing(
            child_task.rows_of(self._scene.feed, agent, task_id)
        ) as rows:
            async for row in rows:
                self._take(row)
                if row.status == "completed":
                    state.result, state.stage = row.result or "", "completed"
                    return
                if not row.is_open:
                    was_cancelled = row.status == "cancelled"
                    why = "its task was cancelled" if was_cancelled else row.message
                    raise AttemptFailed(why or row.status, final=was_cancelled)
        await anyio.sleep_forever()  # The feed has closed: the host ends.

    def _take(self, row: TaskEvent) -> None:
        state = self._state
        self._row = row
        state.says = row.message or ""
        state.progress = row.progress or state.progress
        if row.status not in WAITING:
            self.question = None
            self._patience.go()
            self._scene.changed()
        elif _key(row) != self._answered:
            self._patience.stop()
            self._put(row.message or "?", is_auth=row.status == "auth-required")


def _key(row: TaskEvent) -> tuple[str | None, str]:
    """What tells one question from the next, though it has the same words."""
    return row.message_id, row.at or row.received_at

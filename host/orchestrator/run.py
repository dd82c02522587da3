"""Owns one run of a plan: one task of the host's own, and the steps under it.

The orchestrator starts it; its performers have the agents work, its journal tells.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from graphlib import TopologicalSorter
from typing import Any

import anyio
import anyio.lowlevel
from a2a.utils.errors import InvalidParamsError, UnsupportedOperationError
from anyio.abc import TaskGroup

from ..feed.feed import Feed
from ..following.roster import Roster
from ..model.event import WAITING
from ..observability.logfmt import Line
from ..plans.plan import Plan
from ..plans.planners import PlannerFailed, ensure_steps
from .questions import STEP, NotAsked, Question, Unclear, addressed, wording
from .recovery import last_row
from .run_state import (
    PLAN,
    StepState,
    at_work,
    metadata_of,
    percent_of,
    states_of,
    summary_of,
)
from .step_runner import Performer, Scene, StepFailed
from .task_log import Journal

logger = logging.getLogger("courtside.orchestrator")

# Children may say much; their own events tell all of it.
PACE_S = 0.05
SETTLE_S = 5.0  # Until what was asked before a restart is asked again.
WORKING = "TASK_STATE_WORKING"

Json = dict[str, Any]


class Run:
    """`run` returns when the task has ended. Killed, it is taken up with what the
    log has: `steps`, and whether it was being cancelled."""

    def __init__(
        self,
        plan: Plan,
        request: str,
        journal: Journal,
        roster: Roster,
        feed: Feed,
        late: TaskGroup,
        *,
        resumed: bool = False,
        steps: Mapping[str, Any] | None = None,
        cancelling: bool = False,
    ) -> None:
        self.ended = anyio.Event()
        self.journal = journal
        self._plan = plan
        self._request = request
        self._steps = steps or {}
        self._cancelling = cancelling
        self._states: dict[str, StepState] = {}
        self._performers: dict[str, Performer] = {}
        self._percent = (journal.row.progress if journal.row else None) or 0.0
        self._unclear = ""
        self._failure = ""
        self._news = anyio.Event()
        self._told = anyio.Event()
        self._recording: anyio.Event | None = None
        self._scope = anyio.CancelScope()
        self._scene = Scene(
            journal.task_id,
            journal.context_id,
            roster,
            feed,
            late,
            resumed,
            lambda: self._news.set(),
            self._record,
            lambda: {s.task_id for s in self._states.values() if s.task_id},
        )

    async def run(self, cards: Callable[[], Mapping[str, Json]]) -> None:
        """`cards` are those of the agents, for a planner."""
        try:
            await self._run(cards)
        except Exception as error:
            logger.exception(Line(task=f"host/{self.journal.task_id}", run="failed"))
            await self._end("TASK_STATE_FAILED", f"the host failed to run it: {error}")
        finally:
            self.ended.set()

    async def cancel(self) -> None:
        """Returns when the task has ended, and its children were told."""
        if not self._cancelling:
            self._cancelling = True
            await self.tell()
            self._scope.cancel()
        await self.ended.wait()

    async def reply(self, message: Json, text: str) -> None:
        """A person's answer, in A2A's JSON, and the text in it.

        Raises UnsupportedOperationError where nothing is asked, InvalidParamsError
        where the step named asks nothing, and what the agent raises that is answered.
        """
        with anyio.move_on_after(SETTLE_S):
            while not self._questions() and self._is_waiting:
                await self._told.wait()
        questions = self._questions()
        if not questions:
            raise UnsupportedOperationError("this task asks nothing now")
        metadata = dict(message.get("metadata", {}))
        step = metadata.pop(STEP, None)
        try:
            question, words = addressed(questions, text, step)
        except NotAsked as error:
            raise InvalidParamsError(str(error)) from error
        except Unclear as error:
            self._unclear = str(error)
        else:
            self._unclear = ""
            others = [part for part in message["parts"] if "text" not in part]
            said = {"parts": [{"text": words}, *others], "metadata": metadata}
            await self._performers[question.step].answer(words, message | said)
        await self.tell(heard=message)

    @property
    def _is_waiting(self) -> bool:
        row = self.journal.row
        return row is not None and row.status in WAITING

    async def tell(self, **more: Any) -> None:
        """Appends where the plan stands now."""
        states = self._states
        self._percent = max(self._percent, percent_of(states.values()))
        metadata = metadata_of(states, self._percent)
        metadata[PLAN] |= more
        if self._cancelling:
            metadata[PLAN]["cancelling"] = True
        await self.journal.tell(*self._words(), metadata)
        self._note_told()

    def _note_told(self) -> None:
        self._told.set()
        self._told = anyio.Event()

    async def _record(self) -> None:
        """Tells where the plan stands; of steps that begin at once, once."""
        if self._recording is not None:
            await self._recording.wait()
            return
        self._recording = recording = anyio.Event()
        try:
            await anyio.lowlevel.checkpoint()
            self._recording = None  # What begins from here on is not in it.
            await self.tell()
        finally:
            if self._recording is recording:
                self._recording = None
            recording.set()

    def _words(self) -> tuple[str, str]:
        questions = self._questions()
        if self._cancelling:
            return WORKING, "Cancelling…"
        if not questions:
            return WORKING, at_work(self._states.values())
        if len(questions) == 1:
            self._unclear = ""
        all_auth = all(question.is_auth for question in questions)
        state = "TASK_STATE_AUTH_REQUIRED" if all_auth else "TASK_STATE_INPUT_REQUIRED"
        return state, f"{self._unclear}\n{wording(questions)}".lstrip("\n")

    def _questions(self) -> list[Question]:
        return [p.question for p in self._performers.values() if p.question]

    async def _run(self, cards: Callable[[], Mapping[str, Json]]) -> None:
        with self._scope:
            if not self._cancelling:
                await self._make(cards)
            self._states = states_of(self._plan, self._steps)
            self._performers = {
                key: Performer(state, self._scene)
                for key, state in self._states.items()
            }
            await self._recall()
            if not self._cancelling and not self._failure:
                await self._perform()
        if self._cancelling:
            left = await self._cancel_children()
            await self._end("TASK_STATE_CANCELED", f"Cancelled.{left}")
        elif self._failure:
            left = await self._cancel_children()
            await self._end("TASK_STATE_FAILED", f"{self._failure}{left}")
        else:
            await self.journal.deliver("summary", summary_of(self._states.values()))
            await self._end("TASK_STATE_COMPLETED", self._last_words())

    async def _make(self, cards: Callable[[], Mapping[str, Json]]) -> None:
        """Has the planner make the steps, where the plan has one."""
        if self._plan.steps:
            return
        try:
            self._plan = await ensure_steps(self._plan, self._request, cards())
        except PlannerFailed as error:
            self._failure = str(error)
        else:
            # Durable before the first step: it is not to be made again.
            await self.tell(plan=self._plan.to_table())

    async def _perform(self) -> None:
        self._order: TopologicalSorter[str] = self._plan.order()
        self._order.prepare()
        async with anyio.create_task_group() as self._group:
            self._group.start_soon(self._tell_changes)
            self._start_ready()

    def _start_ready(self) -> None:
        while ready := self._order.get_ready():
            for key in ready:
                if self._states[key].is_over:
                    self._order.done(key)
                else:
                    self._group.start_soon(self._perform_step, key)
        if not self._order.is_active():
            self._group.cancel_scope.cancel()

    async def _recall(self) -> None:
        """What the steps found before the host was killed."""
        for state in self._states.values():
            if state.stage == "completed" and state.task_id and state.agent:
                row = await last_row(self._scene.feed, state.agent, state.task_id)
                if row is None or not isinstance(row.result, str):
                    self._failure = (
                        f"The host was restarted, and what {state.name} found is no "
                        "longer in its log: start it again."
                    )
                    return
                state.result, state.says = row.result, row.message or ""

    async def _perform_step(self, key: str) -> None:
        step = self._plan.steps[key]
        results = {need: self._states[need].result for need in step.needs}
        try:
            await self._performers[key].perform(step.render(self._request, results))
        except StepFailed as error:
            self._failure = self._failure or str(error)
            self._group.cancel_scope.cancel()
            return
        self._order.done(key)
        self._start_ready()

    async def _tell_changes(self) -> None:
        while True:
            await self._news.wait()
            self._news = anyio.Event()
            row = self.journal.row
            # What is asked ends the stream of a client: that is not to be said again.
            if row and self._is_waiting and row.message == self._words()[1]:
                self._note_told()
            else:
                await self.tell()
            await anyio.sleep(PACE_S)

    async def _cancel_children(self) -> str:
        """What could not be cancelled, to be added to the last words."""
        failed: list[str] = []

        async def cancel(key: str, performer: Performer) -> None:
            why = await performer.cancel_child()
            if why:
                failed.append(f" {self._states[key].name} could not be stopped: {why}")

        async with anyio.create_task_group() as group:
            for key, performer in self._performers.items():
                group.start_soon(cancel, key, performer)
        return "".join(failed)

    def _last_words(self) -> str:
        skipped = [key for key, s in self._states.items() if s.stage == "skipped"]
        without = f", without {', '.join(skipped)}" if skipped else ""
        return f"{self._plan.name}: done{without}."

    async def _end(self, state: str, text: str) -> None:
        percent = 100 if state == "TASK_STATE_COMPLETED" else self._percent
        await self.journal.tell(state, text, metadata_of(self._states, percent))

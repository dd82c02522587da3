"""Runs a plan: one task of the host, and a step runner for each step."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from graphlib import TopologicalSorter
from typing import Any

import anyio
from a2a.utils.errors import UnsupportedOperationError

from ..observability.logfmt import Line
from ..plans.plan import Plan
from ..plans.planners import PlannerFailed, ensure_steps
from .agents import POLL_S, Agents
from .questions import STEP_KEY, AmbiguousReply, match_reply
from .reporter import Reporter
from .run_state import restore_steps
from .step_result import read_result
from .step_runner import StepFailed, StepRunner
from .task_log import TaskLog, find_row

logger = logging.getLogger("courtside.orchestrator")

# After a restart, the questions of the child tasks appear again within this time.
QUESTION_TIMEOUT_S = 5.0

Json = dict[str, Any]


class Run:
    """`run` returns when the task has ended.

    After a restart, `saved` is the value at PLAN_URI in the task's metadata in the log.
    """

    def __init__(
        self,
        plan: Plan,
        request: str,
        log: TaskLog,
        agents: Agents,
        saved: Mapping[str, Any] | None = None,
    ) -> None:
        saved = saved or {}
        self.ended = anyio.Event()
        self.log = log
        self._plan = plan
        self._request = request
        self._agents = agents
        self._saved_steps: Json = saved.get("steps", {})
        self._reporter = Reporter(log, is_cancelling=bool(saved.get("cancelling")))
        self._runners: dict[str, StepRunner] = {}
        self._failure = ""
        self._scope = anyio.CancelScope()

    async def run(self) -> None:
        try:
            await self._run()
        except Exception as error:
            logger.exception(Line(task=f"host/{self.log.task_id}", run="failed"))
            await self._reporter.write_end(
                "TASK_STATE_FAILED", f"the host failed to run the plan: {error}"
            )
        finally:
            self.ended.set()

    async def cancel(self) -> None:
        """Cancel the child tasks, and return when the task has ended."""
        if not self._reporter.is_cancelling:
            self._reporter.is_cancelling = True
            await self._reporter.write()
            self._scope.cancel()
        await self.ended.wait()

    async def reply(self, message: Json, text: str) -> None:
        """Pass on a person's reply: an A2A message as JSON, and its text.

        Raises UnsupportedOperationError if there is no question, InvalidParamsError if
        the named step has none, and the errors of the agent that gets the answer.
        """
        reporter = self._reporter
        with anyio.move_on_after(QUESTION_TIMEOUT_S):
            while self.log.record.needs_input and not reporter.questions:  # noqa: ASYNC110
                await anyio.sleep(POLL_S)
        if not reporter.questions:
            raise UnsupportedOperationError("this task has no open question")
        metadata = dict(message.get("metadata", {}))
        step = metadata.pop(STEP_KEY, None)
        try:
            question, answer = match_reply(reporter.questions, text, step)
        except AmbiguousReply as error:
            reporter.hint = str(error)
        else:
            reporter.hint = ""
            others = [part for part in message["parts"] if "text" not in part]
            fields = {"parts": [{"text": answer}, *others], "metadata": metadata}
            await self._runners[question.step].reply(answer, message | fields)
        await reporter.write(heard=message)

    async def _run(self) -> None:
        reporter = self._reporter
        with self._scope:
            if not reporter.is_cancelling:
                await self._ensure_steps()
            reporter.steps = restore_steps(self._plan, self._saved_steps)
            self._runners = {
                key: StepRunner(state, self._agents, reporter)
                for key, state in reporter.steps.items()
            }
            await self._load_results()
            if not reporter.is_cancelling and not self._failure:
                await self._run_steps()
        if reporter.is_cancelling:
            errors = await self._cancel_children()
            await reporter.write_end("TASK_STATE_CANCELED", f"Cancelled.{errors}")
        elif self._failure:
            errors = await self._cancel_children()
            await reporter.write_end("TASK_STATE_FAILED", f"{self._failure}{errors}")
        else:
            await reporter.write_summary()
            await reporter.write_end("TASK_STATE_COMPLETED", self._closing_text())

    async def _ensure_steps(self) -> None:
        try:
            plan = await ensure_steps(
                self._plan, self._request, self._agents.get_cards()
            )
        except PlannerFailed as error:
            self._failure = str(error)
            return
        if plan is not self._plan:
            self._plan = plan
            # Durable before the first step, so that the planner is not called again.
            await self._reporter.write(plan=plan.to_table())

    async def _load_results(self) -> None:
        """Load the results of the steps that completed before a restart."""
        for state in self._reporter.steps.values():
            if state.stage == "completed" and state.task_id and state.agent:
                row = await find_row(self._agents.feed, state.agent, state.task_id)
                if row is None or not isinstance(row.result, str):
                    self._failure = (
                        f"The host was restarted, and the result of {state.name} is no "
                        "longer in its log: start the plan again."
                    )
                    return
                state.result = await read_result(self._agents.feed, row)
                state.message = row.message or ""

    async def _run_steps(self) -> None:
        self._order: TopologicalSorter[str] = self._plan.order()
        self._order.prepare()
        async with anyio.create_task_group() as self._group:
            self._group.start_soon(self._reporter.run)
            self._start_ready_steps()

    def _start_ready_steps(self) -> None:
        while ready := self._order.get_ready():
            for key in ready:
                if self._reporter.steps[key].has_ended:
                    self._order.done(key)
                else:
                    self._group.start_soon(self._run_step, key)
        if not self._order.is_active():
            self._group.cancel_scope.cancel()

    async def _run_step(self, key: str) -> None:
        step = self._plan.steps[key]
        results = {need: self._reporter.steps[need].result for need in step.needs}
        try:
            await self._runners[key].run(step.render(self._request, results))
        except StepFailed as error:
            self._failure = self._failure or str(error)
            self._group.cancel_scope.cancel()
            return
        self._order.done(key)
        self._start_ready_steps()

    async def _cancel_children(self) -> str:
        """Cancel the open child tasks. Return a sentence for each that failed."""
        errors: list[str] = []

        async def cancel(runner: StepRunner) -> None:
            if why := await runner.cancel_child():
                errors.append(f" {runner.state.name} could not be stopped: {why}")

        async with anyio.create_task_group() as group:
            for runner in self._runners.values():
                group.start_soon(cancel, runner)
        return "".join(errors)

    def _closing_text(self) -> str:
        steps = self._reporter.steps
        skipped = [key for key, step in steps.items() if step.stage == "skipped"]
        without = f", without {', '.join(skipped)}" if skipped else ""
        return f"{self._plan.name}: done{without}."

"""Reports the state of a run as updates of the host's task."""

from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel

from .questions import Question, format_questions
from .run_state import (
    PLAN_URI,
    StepState,
    build_metadata,
    build_summary,
    describe_running,
    mean_progress,
)
from .task_log import TaskLog

# The events of the child tasks have every detail. The host's task reports less often.
INTERVAL_S = 0.05
WORKING = "TASK_STATE_WORKING"


class Reporter:
    """Writes `steps` into the task: soon after `notify`, or at once with `save`.

    `hint` is shown above the questions, after a reply that matched none of them.
    """

    def __init__(self, log: TaskLog, *, is_cancelling: bool) -> None:
        self.log = log
        self.steps: dict[str, StepState] = {}
        self.is_cancelling = is_cancelling
        self.hint = ""
        row = log.record.row
        self._percent = (row.progress if row else None) or 0.0
        self._notified = anyio.Event()
        self._lock = anyio.Lock()
        self._wanted = self._saved = 0

    @property
    def questions(self) -> list[Question]:
        return [step.question for step in self.steps.values() if step.question]

    def notify(self) -> None:
        """Say that a step has changed."""
        self._notified.set()

    async def run(self) -> None:
        """Write an update after each change, until cancelled."""
        while True:
            await self._notified.wait()
            self._notified = anyio.Event()
            # A question ends the client's stream, so it is not written twice.
            last = self.log.record.message if self.log.record.needs_input else None
            if not (last and last.equals(self._status()[1])):
                await self.write()
            await anyio.sleep(INTERVAL_S)

    async def save(self) -> None:
        """Return when the log has the current state. Steps that start together share
        one update."""
        self._wanted += 1
        wanted = self._wanted
        await anyio.lowlevel.checkpoint()
        async with self._lock:
            if self._saved < wanted:
                wanted = self._wanted
                await self.write()
                self._saved = wanted

    async def write(self, **plan_fields: Any) -> None:
        """Write an update with the current state, and these fields at PLAN_URI."""
        self._percent = max(self._percent, mean_progress(self.steps))
        metadata = build_metadata(self.steps, self._percent)
        metadata[PLAN_URI] |= plan_fields
        if self.is_cancelling:
            metadata[PLAN_URI]["cancelling"] = True
        await self.log.add_status(*self._status(), metadata)

    async def write_summary(self) -> None:
        await self.log.add_artifact("summary", build_summary(self.steps.values()))

    async def write_end(self, state: str, text: str) -> None:
        """Write the last update of the task."""
        percent = 100 if state == "TASK_STATE_COMPLETED" else self._percent
        await self.log.add_status(state, text, build_metadata(self.steps, percent))

    def _status(self) -> tuple[str, str]:
        """Return the A2A state of the task, and its message."""
        questions = self.questions
        if self.is_cancelling:
            return WORKING, "Cancelling…"
        if not questions:
            return WORKING, describe_running(self.steps.values())
        if len(questions) == 1:
            self.hint = ""
        all_auth = all(question.is_auth for question in questions)
        state = "TASK_STATE_AUTH_REQUIRED" if all_auth else "TASK_STATE_INPUT_REQUIRED"
        return state, f"{self.hint}\n{format_questions(questions)}".lstrip("\n")

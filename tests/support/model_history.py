"""Plays a history: a model agent works, connections break, and both sides restart.

The host is a real Collector with a real Feed, in the loop of the test.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Literal, NamedTuple

import anyio

from host.model.event import WAITING, TaskEvent
from tests.support.model_agent import ModelAgent
from tests.support.model_check import TaskOutcome, find_violations
from tests.support.model_host import ModelHost, until
from tests.support.model_task import ASKS, END, WORKS, ModelTask
from tests.support.model_wire import AgentKind, Cut

Json = dict[str, Any]
Action = Literal[
    "say",
    "status",
    "chunk a",
    "chunk b",
    "message",
    "ask",
    "cut",
    "restart host",
    "restart agent",
    "lose store",
]
Pace = Literal["burst", "go", "wait"]
End = Literal["empty", "text", "artifact after", "artifact later"]
SEEN_S = 0.5  # A history with "wait" goes on after this time at the latest.


class Step(NamedTuple):
    """One step. `size` is for a cut the number of bytes, for a host's restart the
    number of updates that it misses, else milliseconds.

    The next step of the task comes in the same write (burst), or after `size` ms (go),
    or when the feed has this one (wait).
    """

    action: Action
    pace: Pace = "go"
    size: int = 0
    task: int = 0


class History(NamedTuple):
    """`are_direct`: for each task whether it starts at the agent, not by the host."""

    kind: AgentKind
    steps: tuple[Step, ...]
    end: End = "empty"
    are_direct: tuple[bool, bool] = (False, False)


class _Run:
    def __init__(self, history: History) -> None:
        self._history = history
        self._agent = ModelAgent(history.kind)
        self._host = ModelHost(self._agent)
        self._tasks: dict[int, ModelTask] = {}
        self._outcomes: dict[int, TaskOutcome] = {}
        self._held: list[Json] = []
        self._holder = 0
        self._cut: Cut | None = None
        self._count = 0
        self._missed = 0  # Updates until a killed host starts again.
        self._is_disturbed = False

    async def play(self) -> list[str]:
        async with self._agent.serving():
            await self._host.start()
            try:
                for step in self._history.steps:
                    await self._take(step)
                await self._finish()
            except TimeoutError as error:
                return [str(error)]
            finally:
                await self._host.kill()
        violations = list(self._agent.errors)
        for outcome in self._outcomes.values():
            violations += find_violations(outcome, self._history.kind)
        return violations

    async def _take(self, step: Step) -> None:
        if step.task != self._holder:
            self._flush()
            self._holder = step.task
        if step.action == "cut":
            self._is_disturbed = True
            self._cut = Cut(step.size, is_clean=step.pace == "burst")
        elif step.action == "restart host":
            self._flush()
            self._is_disturbed = True
            if self._host.is_running:
                await self._host.kill()
            self._missed = step.size % 4
            await self._start_host()
        elif step.action in ("restart agent", "lose store"):
            self._flush()
            self._is_disturbed = True
            keeps_store = step.action == "restart agent"
            away_s = step.size % 50 / 1_000
            await self._agent.restart(away_s, keeps_store=keeps_store)
        else:
            await self._work(step)

    async def _start_host(self) -> None:
        if not self._missed and not self._host.is_running:
            await self._host.start()

    async def _work(self, step: Step) -> None:
        task = await self._open(step.task)
        if task is None or task.is_lost:
            return
        self._held.append(self._update(task, step.action))
        if len(await self._host.events(task.id)) < 2:
            self._outcomes[step.task].unseen = len(task.sent)
        if step.action == "ask":
            await self._reply(task, step)
            return
        if step.pace == "burst":
            return
        self._flush()
        self._missed = max(0, self._missed - 1)
        await self._start_host()
        if step.pace == "go":
            await asyncio.sleep(step.size % 5 / 1_000)
        elif self._host.is_running:
            with anyio.move_on_after(SEEN_S):
                await self._wait_until_seen(task)

    def _update(self, task: ModelTask, action: Action) -> Json:
        self._count += 1
        if action == "say":
            return task.set_status(WORKS, f"say{self._count}")
        if action == "ask":
            return task.set_status(ASKS, f"ask{self._count}")
        if action == "message":
            return task.send_message(f"message{self._count}")
        if action == "status":
            return task.set_status(WORKS)
        return task.add_chunk(action[-1], f"chunk{self._count}")

    async def _open(self, number: int) -> ModelTask | None:
        """Start the task if it has not started. None: its host will never know it."""
        if number in self._outcomes:
            return self._tasks.get(number)
        task_id = f"t{number}"
        is_direct = self._history.are_direct[number] and self._history.kind.can_list
        if is_direct:
            task = self._agent.add_task(task_id)
        else:
            self._missed = 0
            await self._start_host()
            await self._host.send(task_id)
            task = self._agent.tasks[task_id]
        self._tasks[number] = task
        self._outcomes[number] = TaskOutcome(task, is_direct)
        if not is_direct and not self._history.kind.can_list:
            with anyio.move_on_after(SEEN_S):
                await self._wait_until_seen(task)
            if not await self._host.events(task_id):
                del self._tasks[number], self._outcomes[number]
                self._outcomes[number] = TaskOutcome(task, is_direct, is_unknown=True)
                return None
        return task

    def _flush(self, *, goes_on: bool = False) -> None:
        task = self._tasks.get(self._holder)
        if task and self._held:
            self._agent.publish(task, self._held, cut=self._cut, goes_on=goes_on)
            self._cut, self._held = None, []

    async def _reply(self, task: ModelTask, step: Step) -> None:
        self._flush()
        self._missed = 0
        await self._start_host()
        question = task.sent[-1].text

        async def is_asked() -> bool:
            rows = await self._rows(task)
            return any(row.message == question or not row.is_open for row in rows)

        await until(is_asked, f"the question {question} of {task.id}")
        text = f"reply{self._count}"
        await self._host.reply(text, task.id)
        self._held.append(task.set_status(WORKS))
        if step.pace != "burst":
            self._flush()

    async def _finish(self) -> None:
        self._flush()
        for number, task in self._tasks.items():
            self._holder = number
            if not task.is_lost:
                await self._end(number, task)
        self._missed = 0
        await self._start_host()
        for outcome in self._outcomes.values():
            if not outcome.is_unknown:
                await self._wait_for_end(outcome)

    async def _end(self, number: int, task: ModelTask) -> None:
        end = self._history.end
        text = "done" if end == "text" else ""
        self._held.append(task.set_status(END, text and f"{text}{number}"))
        if end.startswith("artifact"):
            if end == "artifact later":
                streams = self._agent.open_streams.get(task.id, ())
                has_stream = not all(stream.is_ending for stream in streams)
                self._outcomes[number].has_late = has_stream and not self._cut
                self._flush(goes_on=True)
                await asyncio.sleep(0.01)
            elif self._cut and self._cut.is_clean:
                self._outcomes[number].has_late = False
            self._held.append(task.add_chunk("late", f"late{number}"))
        self._flush()

    async def _wait_for_end(self, outcome: TaskOutcome) -> None:
        task = outcome.task

        async def has_ended() -> bool:
            rows = await self._rows(task)
            if task.is_lost and (not rows or rows[-1].status in WAITING):
                return True  # Some agents with an open question keep no tasks.
            return bool(rows) and not rows[-1].is_open

        await until(has_ended, f"the end of {task.id}")
        outcome.events = await self._host.events(task.id)
        outcome.is_disturbed = self._is_disturbed

    async def _wait_until_seen(self, task: ModelTask) -> None:
        async def is_seen() -> bool:
            events = await self._host.events(task.id)
            last = task.sent[-1].text if task.sent else ""
            return any(last in str(event) for event in events)

        await until(is_seen, "the last update")

    async def _rows(self, task: ModelTask) -> list[TaskEvent]:
        events = await self._host.events(task.id)
        return [event for event in events if isinstance(event, TaskEvent)]


class _Tracebacks(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self.found.append(f"traceback: {record.getMessage()}: {record.exc_info}")


def play(history: History) -> list[str]:
    """Play the history, and return what the feed has wrong."""
    tracebacks = _Tracebacks()
    logger = logging.getLogger("courtside")
    logger.addHandler(tracebacks)
    try:
        return asyncio.run(_Run(history).play()) + tracebacks.found
    finally:
        logger.removeHandler(tracebacks)

"""Owns one task on stage: its script, how far it has come, what it says next.

executor.py plays the script; what is published here goes into the SDK's queue, from
there into store.py and to everyone who subscribed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import anyio
from a2a.helpers.proto_helpers import (
    new_data_part,
    new_text_message,
    new_text_part,
)
from a2a.server.agent_execution.active_task import TERMINAL_TASK_STATES
from a2a.server.tasks import TaskUpdater
from a2a.types.a2a_pb2 import Message, Part, Task, TaskState, TaskStatus
from google.protobuf.struct_pb2 import Struct

from agents import progress
from agents.progress import Tracker
from agents.steps import Ask, Chunk, Deliver, NeedAuth, Work

# A script that cannot be closed must not hold up the agent.
CLOSE_TIMEOUT_S = 1.0


class Performance:
    """One task on stage: its script, its updater and how far it has come.

    Everything is published under one lock, and nothing after a terminal state:
    whoever comes second (a cancel racing the end, or the other way round) waits until
    the first one's last word is in the queue, and then finds the task `over`.
    """

    def __init__(
        self, name: str, work: Work, updater: TaskUpdater, request: Message | None
    ) -> None:
        self.work = work
        self.updater = updater
        self.question: Ask | None = None
        self.over = False
        self._name = name
        self._strands: dict[str, Tracker] = {}
        self._percent: int | None = None
        self._artifacts: dict[str, str] = {}
        self._closing_message = "Done."
        # Fast, or each update would wait for one more turn of the event loop.
        self._lock = anyio.Lock(fast_acquire=True)
        self._task: Task | None = _submitted(updater, request)

    async def reply(self, text: str) -> None:
        """Answers without a task. Raises RuntimeError when there is one already."""
        if self._task is None:
            raise RuntimeError("Reply is no longer possible: there is a task already")
        answer = new_text_message(text, context_id=self.updater.context_id)
        await self.updater.event_queue.enqueue_event(answer)

    async def tell(self, message: str, percent: int | None = None) -> None:
        """The task is working. The percentage never moves back."""
        if percent is not None:
            self._percent = max(percent, self._percent or 0)
        await self._publish(TaskState.TASK_STATE_WORKING, message)

    def begin_together(self, names: Iterable[str], until: int) -> Bar:
        """Gives each strand a tracker; a name that failed before starts again."""
        bar = Bar(tuple(names), self._percent or 0, until)
        for name in bar.names:
            before = self._strands.get(name, Tracker(name))
            self._strands[name] = replace(before, message="", status="running")
        return bar

    async def tell_strand(
        self,
        bar: Bar,
        name: str,
        message: str,
        percent: int = 0,
        status: progress.Status = "running",
    ) -> None:
        """One strand has news; the task's percentage follows its strands' mean."""
        before = self._strands[name]
        self._strands[name] = Tracker(
            name, max(percent, before.percent), message or before.message, status
        )
        moved = [self._strands[each].percent for each in bar.names]
        await self.tell(message, bar.at(sum(moved) / len(moved)))

    async def ask(self, question: Ask) -> None:
        """The task waits for an answer; `choices` travel as a data part."""
        self.question = question
        choices = [new_data_part({"choices": list(question.choices)})]
        await self._publish(
            TaskState.TASK_STATE_AUTH_REQUIRED
            if isinstance(question, NeedAuth)
            else TaskState.TASK_STATE_INPUT_REQUIRED,
            question.question,
            choices if question.choices else [],
        )

    async def deliver(self, step: Deliver) -> None:
        self._closing_message = step.text or self._closing_message
        parts = _parts(step)
        if step.file is not None:
            parts.append(
                Part(
                    raw=step.file.content,
                    filename=step.file.name,
                    media_type=step.file.media_type,
                )
            )
        await self._add_artifact(parts, name=step.name, last_chunk=True)

    async def deliver_chunk(self, step: Chunk) -> None:
        known = self._artifacts.get(step.name)
        artifact_id = known or f"{step.name}-{len(self._artifacts) + 1}"
        self._artifacts[step.name] = artifact_id
        await self._add_artifact(
            _parts(step),
            artifact_id=artifact_id,
            name=step.name,
            append=known is not None,
            last_chunk=step.last,
        )

    async def complete(self) -> None:
        self._percent = 100
        await self._publish(
            TaskState.TASK_STATE_COMPLETED, self._closing_message, status="completed"
        )

    async def fail(self, reason: str) -> None:
        await self._publish(TaskState.TASK_STATE_FAILED, reason, status="failed")

    async def reject(self, reason: str) -> None:
        await self._publish(TaskState.TASK_STATE_REJECTED, reason, status="failed")

    async def cancel(self, reason: str) -> None:
        await self._publish(TaskState.TASK_STATE_CANCELED, reason)

    async def close(self) -> None:
        """Ends the script, wherever it stands, and lets its clean-up run."""
        with anyio.move_on_after(CLOSE_TIMEOUT_S, shield=True):
            await self.work.aclose()

    async def _add_artifact(self, parts: list[Part], **facts: Any) -> None:
        async with self._lock:
            if not self.over:
                await self._begin()
                await self.updater.add_artifact(parts, **facts)

    async def _publish(
        self,
        state: TaskState,
        text: str,
        more: Iterable[Part] = (),
        status: progress.Status = "running",
    ) -> None:
        async with self._lock:
            if self.over:
                return
            await self._begin()
            self.over = state in TERMINAL_TASK_STATES
            extra: Any = None
            # The draft has no word for a cancelled tracker, so that says nothing.
            if self._percent is not None and state != TaskState.TASK_STATE_CANCELED:
                extra = self._progress(text, status)
            # A tick without words stays out of the history, which the SDK copies
            # for every update.
            message = self._message(text, more, extra) if text else None
            await self.updater.update_status(state, message, metadata=extra)

    async def _begin(self) -> None:
        """Enqueues the Task, which the SDK wants to see before anything else."""
        if self._task is not None:
            task, self._task = self._task, None
            await self.updater.event_queue.enqueue_event(task)

    def _progress(self, text: str, status: progress.Status) -> Struct:
        """For the update and its message: made once, as that takes a while."""
        metadata = Struct()
        metadata.update(self._progress_json(text, status))
        return metadata

    def _progress_json(self, text: str, status: progress.Status) -> dict[str, Any]:
        percent = self._percent or 0
        if not self._strands:
            own = Tracker(self._name, percent, text, status)
            return progress.metadata(percent, [own])
        for name, strand in self._strands.items():
            if strand.status == "running":
                reached = 100 if status == "completed" else strand.percent
                self._strands[name] = replace(strand, percent=reached, status=status)
        return progress.metadata(percent, self._strands.values())

    def _message(self, text: str, more: Iterable[Part], extra: Any) -> Message:
        message = self.updater.new_agent_message([new_text_part(text), *more], extra)
        if extra is not None:
            message.extensions.append(progress.URI)
        return message


class Bar:
    """Where a Together takes the task's percentage: from `start` to `until`."""

    def __init__(self, names: tuple[str, ...], start: int, until: int) -> None:
        self.names = names
        self._start = start
        self._way = max(until - start, 0)

    def at(self, percent: float) -> int:
        """The task's percentage when its strands have come `percent` of their way."""
        return self._start + round(self._way * percent / 100)


def _submitted(updater: TaskUpdater, request: Message | None) -> Task:
    status = TaskStatus(state=TaskState.TASK_STATE_SUBMITTED)
    # Without a timestamp ListTasks cannot find the task by time.
    status.timestamp.GetCurrentTime()
    return Task(
        id=updater.task_id,
        context_id=updater.context_id,
        status=status,
        history=[] if request is None else [request],
    )


def _parts(step: Deliver | Chunk) -> list[Part]:
    parts = [new_text_part(step.text)] if step.text else []
    if step.data is not None:
        parts.append(new_data_part(dict(step.data)))
    return parts

"""Publishes the updates of one task: states, messages, progress and artifacts.

executor.py calls this module for each step of a script. The SDK stores the updates in
task_store.py.
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
from a2a.server.events import EventQueue
from a2a.server.tasks import TaskUpdater
from a2a.types.a2a_pb2 import Message, Part, Task, TaskState, TaskStatus
from google.protobuf.struct_pb2 import Struct

from . import progress
from .progress import Tracker
from .steps import Ask, Chunk, Deliver, NeedAuth, Parallel


class TaskPublisher:
    """Sends the updates of one task to the SDK, and nothing after a terminal state.

    It sends one update at a time. If a cancel and the end of the script come together,
    the second one waits for the first, finds `is_over`, and does nothing.
    """

    def __init__(
        self, agent_name: str, updater: TaskUpdater, request: Message | None
    ) -> None:
        self.is_over = False
        self._agent_name = agent_name
        self._updater = updater
        self._percent: int | None = None
        self._trackers: dict[str, Tracker] = {}
        self._parallel = Parallel({})
        self._parallel_start = 0
        self._artifact_ids: dict[str, str] = {}
        self._final_message = "Done."
        # Without fast_acquire, each update waits one more iteration of the event loop.
        self._lock = anyio.Lock(fast_acquire=True)
        self._new_task: Task | None = _build_task(updater, request)

    def use_queue(self, queue: EventQueue) -> None:
        self._updater.event_queue = queue

    async def reply(self, text: str) -> None:
        """Answer with a message. Raises RuntimeError if the task already exists."""
        if self._new_task is None:
            raise RuntimeError("cannot reply with a message: the task already exists")
        answer = new_text_message(text, context_id=self._updater.context_id)
        await self._updater.event_queue.enqueue_event(answer)

    async def report(self, message: str, percent: int | None = None) -> None:
        """Publish the state `working` with a message. Progress never decreases."""
        if percent is not None:
            self._percent = max(percent, self._percent or 0)
        await self._publish(TaskState.TASK_STATE_WORKING, message)

    def begin_parallel(self, step: Parallel) -> None:
        """Create a tracker for each branch. A tracker that had failed runs again."""
        self._parallel, self._parallel_start = step, self._percent or 0
        for name in step.branches:
            before = self._trackers.get(name, Tracker(name))
            self._trackers[name] = replace(before, message="", status="running")

    async def report_branch(
        self,
        name: str,
        message: str,
        percent: int = 0,
        status: progress.Status = "running",
    ) -> None:
        """Publish progress of one branch. The task gets the mean of all branches."""
        before = self._trackers[name]
        self._trackers[name] = Tracker(
            name, max(percent, before.percent), message or before.message, status
        )
        percents = [self._trackers[each].percent for each in self._parallel.branches]
        mean = sum(percents) / len(percents)
        span = max(self._parallel.until - self._parallel_start, 0)
        await self.report(message, self._parallel_start + round(span * mean / 100))

    async def ask(self, question: Ask) -> None:
        """Publish that the task waits for an answer. The choices are in a data part."""
        choices = [new_data_part({"choices": list(question.choices)})]
        await self._publish(
            TaskState.TASK_STATE_AUTH_REQUIRED
            if isinstance(question, NeedAuth)
            else TaskState.TASK_STATE_INPUT_REQUIRED,
            question.question,
            choices if question.choices else [],
        )

    async def deliver(self, step: Deliver) -> None:
        self._final_message = step.text or self._final_message
        parts = _build_parts(step)
        if (file := step.file) is not None:
            part = Part(
                raw=file.content, filename=file.name, media_type=file.media_type
            )
            parts.append(part)
        await self._add_artifact(parts, name=step.name, last_chunk=True)

    async def deliver_chunk(self, step: Chunk) -> None:
        has_chunks = step.name in self._artifact_ids
        new_id = f"{step.name}-{len(self._artifact_ids) + 1}"
        await self._add_artifact(
            _build_parts(step),
            artifact_id=self._artifact_ids.setdefault(step.name, new_id),
            name=step.name,
            append=has_chunks,
            last_chunk=step.last,
        )

    async def complete(self) -> None:
        self._percent = 100
        await self._publish(
            TaskState.TASK_STATE_COMPLETED, self._final_message, status="completed"
        )

    async def fail(self, reason: str) -> None:
        await self._publish(TaskState.TASK_STATE_FAILED, reason, status="failed")

    async def reject(self, reason: str) -> None:
        await self._publish(TaskState.TASK_STATE_REJECTED, reason, status="failed")

    async def cancel(self, reason: str) -> None:
        await self._publish(TaskState.TASK_STATE_CANCELED, reason)

    async def _add_artifact(self, parts: list[Part], **fields: Any) -> None:
        async with self._lock:
            if not self.is_over:
                await self._publish_task()
                await self._updater.add_artifact(parts, **fields)

    async def _publish(
        self,
        state: TaskState,
        text: str,
        more_parts: Iterable[Part] = (),
        status: progress.Status = "running",
    ) -> None:
        async with self._lock:
            if self.is_over:
                return
            await self._publish_task()
            self.is_over = state in TERMINAL_TASK_STATES
            metadata: Any = None
            # The task-progress draft has no status for a cancelled tracker.
            if self._percent is not None and state != TaskState.TASK_STATE_CANCELED:
                metadata = self._build_metadata(text, status)
            # Without text, send no message: the SDK copies the history with every
            # update, so the history must stay short.
            message = None
            if text:
                parts = [new_text_part(text), *more_parts]
                message = self._updater.new_agent_message(parts, metadata)
                if metadata is not None:
                    message.extensions.append(progress.URI)
            await self._updater.update_status(state, message, metadata=metadata)

    async def _publish_task(self) -> None:
        """Publish the Task once. The SDK requires it before any other update."""
        if self._new_task is not None:
            task, self._new_task = self._new_task, None
            await self._updater.event_queue.enqueue_event(task)

    def _build_metadata(self, text: str, status: progress.Status) -> Struct:
        percent = self._percent or 0
        for name, tracker in self._trackers.items():
            if tracker.status == "running":
                reached = 100 if status == "completed" else tracker.percent
                self._trackers[name] = replace(tracker, percent=reached, status=status)
        trackers = list(self._trackers.values())
        trackers = trackers or [Tracker(self._agent_name, percent, text, status)]
        # Converted once, for the update and for its message.
        metadata = Struct()
        metadata.update(progress.build_metadata(percent, trackers))
        return metadata


def _build_task(updater: TaskUpdater, request: Message | None) -> Task:
    status = TaskStatus(state=TaskState.TASK_STATE_SUBMITTED)
    # Without a timestamp ListTasks cannot find the task by time.
    status.timestamp.GetCurrentTime()
    return Task(
        id=updater.task_id,
        context_id=updater.context_id,
        status=status,
        history=[] if request is None else [request],
    )


def _build_parts(step: Deliver | Chunk) -> list[Part]:
    parts = [new_text_part(step.text)] if step.text else []
    if step.data is not None:
        parts.append(new_data_part(dict(step.data)))
    return parts

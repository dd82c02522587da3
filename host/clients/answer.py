"""An agent's answer to one message, which grows while the response arrives."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import anyio

from .bindings.types import Update

# How long after a Message a task may still follow.
QUIET_S = 2.0
# Of an endless response, a client that asks late gets only so much. The feed has all.
MAX_MESSAGES = 1_000
MAX_BYTES = 8 * 1024 * 1024


class Answer:
    """Messages outside any task, and then the first update of a task if there is one.

    A Message in the stream of a task is an update of the task. `task_id` is "" without
    a task. `size` is the size of the messages in bytes.
    """

    def __init__(self) -> None:
        self.messages: list[Update] = []
        self.task: Update | None = None
        self.task_id = ""
        self.size = 0
        self.is_complete = False
        self._error: Exception | None = None
        self._changed = anyio.Event()

    @staticmethod
    def of(update: Update) -> Answer:
        """Return the complete answer that consists of one update."""
        answer = Answer()
        if update.response.message is not None:
            answer.add_message(update)
        else:
            answer.add_task(update, update.response.task_id or "")
        answer.end()
        return answer

    @property
    def has_begun(self) -> bool:
        return bool(self.messages or self.task_id)

    def add_message(self, update: Update) -> None:
        if len(self.messages) < MAX_MESSAGES and self.size < MAX_BYTES:
            self.messages.append(update)
            self.size += len(update.raw)
        self._notify()

    def add_task(self, update: Update, task_id: str) -> None:
        """Add the first update of the task. All others are in the feed."""
        self.task, self.task_id = update, task_id
        self.end()

    def end(self, error: Exception | None = None) -> None:
        """Say that nothing more comes here. An answer that has begun has no error."""
        if not self.is_complete:
            self.is_complete = True
            self._error = None if self.has_begun else error
            self._notify()

    async def begin(self) -> None:
        """Return when the agent has answered. Raises the error if it has not."""
        while not self.has_begun:
            if self._error:
                raise self._error
            await self._changed.wait()

    async def read_messages(self) -> AsyncGenerator[Update]:
        """Yield each message as it arrives, until the answer is complete."""
        position = 0
        while True:
            changed = self._changed
            while position < len(self.messages):
                yield self.messages[position]
                position += 1
            if self.is_complete:
                return
            await changed.wait()

    async def complete(self) -> None:
        """Return when the answer is complete."""
        while not self.is_complete:
            await self._changed.wait()

    async def wait_until_quiet(self) -> None:
        """Return when the answer is complete, or nothing has come for QUIET_S."""
        while not self.is_complete:
            changed = self._changed
            with anyio.move_on_after(QUIET_S) as waiting:
                await changed.wait()
            if waiting.cancelled_caught:
                return

    async def settle(self) -> Update:
        """Wait until it is quiet. Return the task's first update, or the last Message.

        The answer must have begun.
        """
        await self.wait_until_quiet()
        return self.task or self.messages[-1]

    def without_task(self) -> Answer:
        """Return a complete answer without the update of the task, which may be large.

        A Message that names a task stays.
        """
        kept = Answer()
        kept.messages, kept.size = self.messages, self.size
        kept.task_id = self.task_id
        if self.task and self.task.response.message is not None:
            kept.task = self.task
        kept.end()
        return kept

    def _notify(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

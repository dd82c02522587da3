"""TaskManager: starts tasks of A2A agents, and streams their updates."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Mapping
from contextlib import aclosing
from types import TracebackType

import anyio
import msgspec
from anyio.abc import TaskGroup

from ..api.request_limits import MAX_BODY_BYTES
from ..errors import AgentUnreachable, CourtsideError
from ..model.event import TERMINAL
from ..observability.logfmt import Line
from ..protocol.messages import build_message
from ..protocol.task_status import status_of
from .errors import ManagerClosed, NotAsking, Refused, UnknownTask
from .name_lookup import NameQuery, Target, choose_message, resolve
from .pending_start import PendingStart, PendingStarts
from .task_table import Key, StartedTask, TaskTable, Update
from .transport import create_transport

logger = logging.getLogger("courtside.tasks")

CONNECT_S = 10.0  # For an agent to connect.
SETTLE_S = 3.0  # For connecting agents that may have the same skill.
LEAVE_S = 5.0


class TaskManager:
    """Starts tasks of A2A agents, and gives all their updates as one stream.

        async with TaskManager() as manager:
            await manager.start_task("calendar_check")
            async for update in manager.stream_all():
                print(json.dumps(update))

    It talks to `agents` directly (names and URLs; by default the agents that
    `courtside` would follow in this folder). With `host`, the URL of a running host, it
    uses the agents of that host; `token` is the host's token (by default
    COURTSIDE_TOKEN). An update is a dict, an event of the feed (docs/task-manager.md).

    At the end of the block, the manager asks the agents to cancel all open tasks, and
    waits up to 5 s. With `leave_running` they continue. Every error is a
    CourtsideError; the constructor raises ConfigError.
    """

    def __init__(
        self,
        agents: Mapping[str, str] | None = None,
        *,
        host: str | None = None,
        token: str | None = None,
        leave_running: bool = False,
    ) -> None:
        self._transport = create_transport(agents, host, token)
        self._leave_running = leave_running
        self._table = TaskTable()
        self._starts = PendingStarts()
        self._group: TaskGroup | None = None
        self._serving: asyncio.Task[None] | None = None
        self._is_leaving = False
        self._has_failed = False

    async def __aenter__(self) -> TaskManager:
        """Raises HostUnreachable."""
        if self._serving:
            raise ManagerClosed("a TaskManager can be used once: create another one")
        # Its own task, not in a group of the caller: if the caller is cancelled, there
        # must still be time to cancel the tasks at the agents.
        self._serving = asyncio.create_task(self._serve(), name="TaskManager")
        try:
            while not self._table.is_ready:
                if self._table.failure:
                    raise self._table.failure
                await self._table.changed.wait()
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_leaving, self._has_failed = True, error is not None
        self._table.notify()
        try:
            with anyio.move_on_after(LEAVE_S, shield=True):
                await self._finish_tasks()
        finally:
            await self._close()
        if error is None:
            self._starts.raise_unseen_error()

    def start_task(
        self,
        name: str | None = None,
        *,
        agent: str | None = None,
        skill: str | None = None,
        message: str | None = None,
    ) -> Awaitable[str]:
        """Start a task. Awaiting it returns the task's id when the agent has accepted.

        `name` is an agent's name, a skill's id, or both: "carly/calendar_check".
        `message` goes to the agent; by default the skill's first example, else its
        name. If the agent answers with a Message only, the id is the Message's.

        The task starts even if you do not await it. Then `stream_all`, or else the end
        of the block, raises its error. Raises UnknownName, UnknownAgent,
        AgentUnreachable after 10 s, HostUnreachable and Refused.
        """
        group = self._open_group()
        start = self._starts.add()
        self._table.pending_starts += 1
        group.start_soon(self._start, start, NameQuery(name, agent, skill), message)
        return start

    def stream_all(self) -> AsyncGenerator[Update]:
        """Yield the updates of all tasks from the first, in the feed's order.

        Ends when every task has ended, including those started meanwhile; at once if
        none was started. Raises HostUnreachable, and ManagerClosed if the block ends
        before a task does.
        """
        self._open_group()
        return self._stream_all()

    def stream(
        self, task_id: str, *, agent: str | None = None
    ) -> AsyncGenerator[Update]:
        """Yield the updates of one task, as `stream_all` does.

        Raises UnknownTask at once. `agent` is needed only if two agents have a task
        with this id.
        """
        self._open_group()
        return self._table.stream(self._table.find(task_id, agent).key)

    async def cancel_task(self, task_id: str, *, agent: str | None = None) -> str:
        """Ask the agent to cancel a task. Return the task's status after that.

        Raises UnknownTask, AgentUnreachable, HostUnreachable, and Refused, for example
        if the task has ended.
        """
        self._open_group()
        task = self._table.find_newest(task_id, agent)
        if task.is_message:
            raise UnknownTask(f"{task_id} is a message, which cannot be cancelled")
        return await self._cancel(task)

    async def reply(self, task_id: str, text: str, *, agent: str | None = None) -> None:
        """Reply to a task that asks: its last status ends in "-required".

        If the agent answers with a new task, `stream`, `reply` and `cancel_task` follow
        it under the id of the old one. Raises UnknownTask, NotAsking,
        AgentUnreachable, HostUnreachable and Refused.
        """
        self._open_group()
        task = self._table.find_newest(task_id, agent)
        if not task.asks:
            raise NotAsking(
                f"task {task.key.id} of {task.key.agent} does not wait for a reply: it "
                f"is {task.status or 'not started'}; nothing was sent"
            )
        task.asks = False
        ids = {"taskId": task.key.id, "contextId": task.context_id}
        try:
            await self._send(task.key.agent, build_message("ROLE_USER", text, **ids))
        except BaseException:
            task.asks = task.is_waiting
            raise

    async def _serve(self) -> None:
        async with anyio.create_task_group() as self._group:
            try:
                await self._transport.run(self._table)
            except CourtsideError as error:
                self._table.fail(error)
            except Exception as error:
                logger.exception(Line(manager="failed"))
                self._table.fail(
                    CourtsideError(f"no more updates: TaskManager failed: {error!r}")
                )
            await anyio.sleep_forever()

    async def _start(
        self, start: PendingStart, query: NameQuery, text: str | None
    ) -> None:
        try:
            target = await self._resolve(query)
            if text is None:
                text = choose_message(target, self._table.agents[target.agent])
            metadata = {"skillId": target.skill} if target.skill else None
            message = build_message("ROLE_USER", text, metadata=metadata)
            start.task_id = (await self._send(target.agent, message)).key.id
        except CourtsideError as error:
            start.error = error
        except Exception as error:
            logger.exception(Line(start="failed", query=query))
            start.error = CourtsideError(f"could not start {query}: {error!r}")
        finally:
            if not start.task_id and not start.error:
                start.error = ManagerClosed("the block ended before the task started")
            start.done.set()
            self._table.pending_starts -= 1
            self._table.notify()

    async def _resolve(self, query: NameQuery) -> Target:
        """Wait until the agent is connected, and no other one may be meant."""
        begun_at = anyio.current_time()
        while True:
            changed = self._table.changed
            waited_s = anyio.current_time() - begun_at
            settled = waited_s >= SETTLE_S
            # When the block ends, only wait until a wrong name is known to be wrong.
            is_ending = self._is_leaving and not self._leave_running
            timeout_s = SETTLE_S if is_ending else CONNECT_S
            try:
                return resolve(query, self._table.agents, settled=settled)
            except AgentUnreachable as error:
                failure = self._table.failure
                if is_ending and self._has_failed:
                    why = "the block failed before the task started"
                    raise ManagerClosed(why) from None
                if failure or waited_s >= timeout_s:
                    raise failure or error from None
            until_s = timeout_s if settled else min(SETTLE_S, timeout_s)
            with anyio.move_on_after(until_s - waited_s):
                await changed.wait()

    async def _send(self, agent: str, message: Update) -> StartedTask:
        """Send a message; the agent responds before the work is done."""
        body = {"message": message, "configuration": {"returnImmediately": True}}
        if len(msgspec.json.encode(body)) > MAX_BODY_BYTES:
            raise Refused(
                f"the message is over {MAX_BODY_BYTES} bytes: nothing was sent",
                "BODY_TOO_LARGE",
            )
        with self._table.expect_response(agent):
            response = await self._transport.send(agent, body)
            answer = response.message
            own_id = answer.message_id if answer else response.task_id
            if not own_id:
                raise AgentUnreachable(f"bad response: {agent} returned no task id")
            is_message = answer is not None
            return self._table.add_task(Key(agent, own_id), is_message=is_message)

    async def _cancel(self, task: StartedTask) -> str:
        return status_of(await self._transport.cancel(task.key.agent, task.key.id))

    async def _stream_all(self) -> AsyncGenerator[Update]:
        async with aclosing(self._table.stream()) as updates:
            async for update in updates:
                yield update
        self._starts.raise_unseen_error()

    def _open_group(self) -> TaskGroup:
        if self._group is None:
            raise ManagerClosed("use TaskManager in a block: async with TaskManager()")
        if self._is_leaving:
            raise ManagerClosed("the block of this TaskManager has ended")
        return self._group

    async def _finish_tasks(self) -> None:
        """Wait for pending starts, then cancel the open tasks."""
        while self._table.pending_starts:
            await self._table.changed.wait()
        if not self._leave_running:
            async with anyio.create_task_group() as group:
                for task in self._table.open_tasks():
                    if not task.is_message:
                        group.start_soon(self._cancel_and_log, task)

    async def _cancel_and_log(self, task: StartedTask) -> None:
        try:
            status = await self._cancel(task)
            # Other readers still get the last update.
            while status in TERMINAL and not task.has_ended:
                await self._table.changed.wait()
        except Refused as error:
            # Most likely it has just ended.
            logger.info(Line(task="/".join(task.key), cancel="refused", cause=error))
        except Exception as error:
            logger.warning(Line(task="/".join(task.key), cancel="failed", cause=error))

    async def _close(self) -> None:
        self._is_leaving = True
        self._table.fail(ManagerClosed("the block of this TaskManager has ended"))
        if self._serving:
            self._serving.cancel()
            with anyio.CancelScope(shield=True):
                await asyncio.wait([self._serving])

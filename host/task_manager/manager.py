"""Owns TaskManager: the tasks that a script starts, from their start to their end.

The script calls it; requests go down one of the two ways, and what comes up is read
from the ledger.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Mapping
from contextlib import aclosing
from types import TracebackType

import anyio
import msgspec
from anyio.abc import TaskGroup

from ..api.responses import MAX_BODY_BYTES
from ..errors import AgentUnreachable, CourtsideError
from ..model.event import TERMINAL
from ..observability.logfmt import Line
from ..protocol.task_status import status_of
from .errors import ManagerClosed, NotAsking, Refused, UnknownTask
from .name_lookup import Target, Wanted, message_for, resolve
from .pending_start import Start
from .task_table import Key, Ledger, Own, Update
from .transport import request, way_to

logger = logging.getLogger("courtside.tasks")

REACH_S = 10.0  # For an agent to be connected.
SETTLE_S = 3.0  # For those that are still connecting and may have the same skill.
LEAVE_S = 5.0


class TaskManager:
    """Starts tasks of A2A agents and gives all their updates as one stream.

        async with TaskManager() as manager:
            await manager.start_task("calendar_check")
            async for update in manager.stream_all():
                print(json.dumps(update))

    Straight to `agents` (names and URLs; without them, those that `courtside` would
    follow if it were started here), or over the `host` that runs at that URL, with its
    `token` where it has one (else that of COURTSIDE_TOKEN). An update is a dict, an
    event of the feed as docs/task-manager.md shows it.

    Leaving the block asks the agents to cancel what has not ended, for at most 5 s,
    unless `leave_running`. Every error is a CourtsideError; the constructor raises
    ConfigError for settings that cannot be used.
    """

    def __init__(
        self,
        agents: Mapping[str, str] | None = None,
        *,
        host: str | None = None,
        token: str | None = None,
        leave_running: bool = False,
    ) -> None:
        self._way = way_to(agents, host, token)
        self._leave_running = leave_running
        self._ledger = Ledger()
        self._starts: list[Start] = []
        self._group: TaskGroup | None = None
        self._serving: asyncio.Task[None] | None = None
        self._leaving = False

    async def __aenter__(self) -> TaskManager:
        """Raises HostUnreachable where there is a `host` that does not answer."""
        if self._serving:
            raise ManagerClosed("a TaskManager is used once: make another one")
        # No group of the caller's: what cancels the caller must leave this the time
        # to cancel at the agents.
        self._serving = asyncio.create_task(self._serve(), name="TaskManager")
        try:
            while not self._ledger.is_ready:
                if self._ledger.failure:
                    raise self._ledger.failure
                await self._ledger.changed.wait()
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
        self._leaving = True
        self._ledger.change()
        try:
            with anyio.move_on_after(LEAVE_S, shield=True):
                await self._leave()
        finally:
            await self._close()
        if error is None:
            self._raise_unseen()

    def start_task(
        self,
        name: str | None = None,
        *,
        agent: str | None = None,
        skill: str | None = None,
        message: str | None = None,
    ) -> Awaitable[str]:
        """Starts a task; awaited, gives its id when the agent has taken it.

        `name` is an agent's name, else a skill's id, or both: "carly/calendar_check".
        `message` is what the agent is told; else the skill's first example, or its
        name. An agent that answers with a message alone gives that message's id.

        The task begins whether this is awaited or not; what goes wrong is raised here,
        else at the end of `stream_all` or of the block. Raises UnknownName,
        UnknownAgent, AgentUnreachable after 10 s, HostUnreachable and Refused.
        """
        group = self._open_group()
        start = Start()
        self._starts.append(start)
        self._ledger.starting += 1
        group.start_soon(self._start, start, Wanted(name, agent, skill), message)
        return start

    def stream_all(self) -> AsyncGenerator[Update]:
        """The updates of all tasks, in the feed's order, each from its first.

        Ends when every task that was started has ended, also while it runs; at once
        where none was. Raises HostUnreachable where nothing more can come, and
        ManagerClosed where the block was left and a task did not end.
        """
        self._open_group()
        return self._stream_all()

    def stream(
        self, task_id: str, *, agent: str | None = None
    ) -> AsyncGenerator[Update]:
        """The updates of one task, from the first to the last; as `stream_all`.

        Raises UnknownTask at once. `agent` is needed only where two agents gave the
        same id.
        """
        self._open_group()
        return self._ledger.follow(self._own(task_id, agent).key)

    async def cancel_task(self, task_id: str, *, agent: str | None = None) -> str:
        """The status in which the agent leaves the task: it need not be "cancelled".

        Raises UnknownTask, AgentUnreachable, HostUnreachable, and Refused, for
        example because the task has ended.
        """
        self._open_group()
        own = self._own(task_id, agent)
        if own.is_message:
            raise UnknownTask(f"{task_id} is a message: there is no task to cancel")
        return await self._cancel(own)

    async def reply(self, task_id: str, text: str, *, agent: str | None = None) -> None:
        """Answers a task that asks: its last status ends in "-required".

        Raises UnknownTask, NotAsking, AgentUnreachable, HostUnreachable and Refused.
        """
        self._open_group()
        own = self._own(task_id, agent)
        if not own.asks:
            raise NotAsking(
                f"task {task_id} of {own.key.agent} asks nothing now: it is "
                f"{own.status or 'not begun'}; nothing was sent"
            )
        own.asks = False
        ids = {"taskId": own.key.id}
        if own.context_id:
            ids["contextId"] = own.context_id
        try:
            await self._send(own.key.agent, request(text, ids))
        except BaseException:
            own.asks = own.is_waiting
            raise

    async def _serve(self) -> None:
        async with anyio.create_task_group() as self._group:
            try:
                await self._way.run(self._ledger)
            except CourtsideError as error:
                self._ledger.fail(error)
            except Exception as error:
                logger.exception(Line(manager="failed"))
                self._ledger.fail(
                    CourtsideError(f"no more updates can come: {error!r}")
                )
            await anyio.sleep_forever()

    async def _start(self, start: Start, wanted: Wanted, message: str | None) -> None:
        try:
            target = await self._find(wanted)
            text = message
            if text is None:
                text = message_for(target, self._ledger.agents[target.agent])
            told = {"metadata": {"skillId": target.skill}} if target.skill else {}
            own = await self._send(target.agent, request(text, told))
            start.task_id = own.key.id
        except CourtsideError as error:
            start.error = error
        except Exception as error:
            logger.exception(Line(start="failed", wanted=wanted))
            start.error = CourtsideError(f"{wanted} could not be started: {error!r}")
        finally:
            if not start.task_id and not start.error:
                start.error = ManagerClosed("the block was left before it had begun")
            start.done.set()
            self._ledger.starting -= 1
            self._ledger.change()

    async def _find(self, wanted: Wanted) -> Target:
        """Waits for the agent to be connected, and for those that could be meant."""
        begun_at = anyio.current_time()
        while True:
            changed = self._ledger.changed
            waited_s = anyio.current_time() - begun_at
            settled = waited_s >= SETTLE_S
            try:
                return resolve(wanted, self._ledger.agents, settled=settled)
            except AgentUnreachable as error:
                failure = self._ledger.failure
                if failure or waited_s >= REACH_S:
                    raise failure or error from None
            if self._leaving and not self._leave_running:
                raise ManagerClosed("the block was left before the task was started")
            until_s = REACH_S if settled else min(SETTLE_S, REACH_S)
            with anyio.move_on_after(until_s - waited_s):
                await changed.wait()

    async def _send(self, agent: str, body: Update) -> Own:
        """What comes of it is ours."""
        if len(msgspec.json.encode(body)) > MAX_BODY_BYTES:
            raise Refused(
                f"the message is over {MAX_BODY_BYTES} bytes: nothing was sent",
                "BODY_TOO_LARGE",
            )
        with self._ledger.asking(agent):
            answer = await self._way.send(agent, body)
            is_message = answer.message is not None
            own_id = answer.message.message_id if answer.message else answer.task_id
            if not own_id:
                raise AgentUnreachable(f"bad response: {agent} gives it no id")
            return self._ledger.claim(Key(agent, own_id), is_message=is_message)

    async def _cancel(self, own: Own) -> str:
        state = await self._way.cancel(own.key.agent, own.key.id)
        return status_of(state)

    def _own(self, task_id: str, agent: str | None) -> Own:
        having = [
            own
            for key, own in self._ledger.own.items()
            if key.id == task_id and agent in (None, key.agent)
        ]
        if len(having) == 1:
            return having[0]
        if having:
            names = " or ".join(f"agent={own.key.agent!r}" for own in having)
            raise UnknownTask(f"two agents have a task {task_id!r}: say {names}")
        known = ", ".join(key.id for key in self._ledger.own) or "none"
        raise UnknownTask(f"no task {task_id!r} was started here; there are: {known}")

    async def _stream_all(self) -> AsyncGenerator[Update]:
        async with aclosing(self._ledger.follow()) as updates:
            async for update in updates:
                yield update
        self._raise_unseen()

    def _open_group(self) -> TaskGroup:
        if self._group is None:
            raise ManagerClosed(
                "use it in a block: async with TaskManager() as manager"
            )
        if self._leaving:
            raise ManagerClosed("the block of this TaskManager was left")
        return self._group

    def _raise_unseen(self) -> None:
        """What failed while nobody awaited it."""
        for start in self._starts:
            given_up = isinstance(start.error, ManagerClosed)
            if given_up and not self._leave_running:
                continue
            if start.error and not start.is_awaited:
                start.is_awaited = True
                raise start.error

    async def _leave(self) -> None:
        """Until nothing is on its way down any more, and nothing that is open."""
        while self._ledger.starting:
            await self._ledger.changed.wait()
        if not self._leave_running:
            async with anyio.create_task_group() as group:
                for own in self._ledger.open():
                    if not own.is_message:
                        group.start_soon(self._cancel_quietly, own)

    async def _cancel_quietly(self, own: Own) -> None:
        try:
            status = await self._cancel(own)
            # Whoever still reads is told that, too.
            while status in TERMINAL and not own.is_over:
                await self._ledger.changed.wait()
        except Refused as error:
            # Most likely it has just ended.
            logger.info(Line(task="/".join(own.key), cancel="refused", cause=error))
        except Exception as error:
            logger.warning(Line(task="/".join(own.key), cancel="failed", cause=error))

    async def _close(self) -> None:
        self._leaving = True
        self._ledger.fail(ManagerClosed("the block of this TaskManager was left"))
        if self._serving:
            self._serving.cancel()
            with anyio.CancelScope(shield=True):
                await asyncio.wait([self._serving])

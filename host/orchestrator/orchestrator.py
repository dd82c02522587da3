"""The host as an A2A agent: starts, resumes, answers and cancels runs of plans."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar
from uuid import uuid4

import anyio
import msgspec
from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import (
    A2AError,
    InvalidParamsError,
    TaskNotCancelableError,
    TaskNotFoundError,
    UnsupportedOperationError,
)
from anyio.abc import TaskGroup, TaskStatus
from google.protobuf.json_format import MessageToDict

from ..clients.answer import Answer
from ..clients.bindings.types import Update
from ..config.agent_settings import HOST_NAME
from ..errors import ConfigError
from ..feed.feed import Feed
from ..following.roster import Roster
from ..merging.agent_row import AgentRow, build_skills
from ..model.event import AgentEvent, TaskEvent
from ..model.timestamps import now
from ..observability.logfmt import Line
from ..plans.parser import parse_plan
from ..plans.plan import Plan
from ..plans.selection import UnknownPlan, choose_plan
from ..protocol.a2a_parser import parse_response
from .agents import Agents
from .card import build_host_card
from .run import Run
from .run_state import PLAN_URI
from .task_log import TaskLog, find_row, read_task

logger = logging.getLogger("courtside.orchestrator")

Json = dict[str, Any]
T = TypeVar("T")


class Orchestrator:
    """The agent "host", which the gateway serves at `url`. `run` runs its plans."""

    name = HOST_NAME

    def __init__(
        self, plans: Mapping[str, Plan], roster: Roster, feed: Feed, url: str
    ) -> None:
        self._plans = plans
        self._roster = roster
        self._feed = feed
        self._url = url
        self._runs: dict[str, Run] = {}
        self._group: TaskGroup

    async def run(
        self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        """Resume the open tasks in the log, then run plans until cancelled."""
        async with anyio.create_task_group() as self._group:
            await self._write_agent_row()
            for row in self._feed.board.open_tasks(HOST_NAME):
                await self._resume(row)
            task_status.started()
            await anyio.sleep_forever()

    @property
    def card(self) -> pb.AgentCard:
        return build_host_card(self._plans)

    async def send(self, request: pb.SendMessageRequest) -> Answer:
        """Start a plan, or pass on the reply to a question. The answer is the task.

        Raises InvalidParamsError, TaskNotFoundError, UnsupportedOperationError, and
        the errors of the agent that gets the reply.
        """
        message: Json = MessageToDict(request.message)
        text = "\n".join(part.text for part in request.message.parts if part.text)
        if not text.strip():
            raise InvalidParamsError("the message has no text: add a text part")
        is_reply = bool(request.message.task_id)
        work = self._reply(message, text) if is_reply else self._start(message, text)
        return Answer.of(await self._finish(work))

    async def get_task(self, task_id: str) -> Update:
        """Raises TaskNotFoundError."""
        saved = await read_task(self._feed, await self._find_row(task_id))
        raw = msgspec.json.encode({"task": saved.task})
        return Update(parse_response(raw), raw)

    async def cancel(self, task_id: str) -> Update:
        """Cancel a task and its child tasks. Return the task when it has ended.

        Raises TaskNotFoundError and TaskNotCancelableError.
        """
        run = await self._get_run(
            task_id, TaskNotCancelableError("the task has already ended")
        )
        await self._finish(run.cancel())
        return await self.get_task(task_id)

    async def _start(self, message: Json, text: str) -> Update:
        key = message.get("metadata", {}).get("skillId")
        try:
            plan = choose_plan(self._plans, text, None if key is None else str(key))
        except UnknownPlan as error:
            if self._plans:
                raise InvalidParamsError(str(error)) from error
            raise UnsupportedOperationError(str(error)) from error
        task_id = str(uuid4())
        context_id = message.get("contextId") or str(uuid4())
        log = TaskLog(task_id, context_id, self._feed)
        saved: Json = {"key": plan.key, "request": text}
        if plan.steps:
            saved["plan"] = plan.to_table()
        message |= {"taskId": task_id, "contextId": context_id}
        raw = await log.create(message, {PLAN_URI: saved})
        logger.info(Line(task=f"host/{task_id}", run="started", plan=plan.key))
        agents = Agents(self._roster, self._feed, self._group)
        self._start_run(Run(plan, text, log, agents))
        return Update(parse_response(raw), raw)

    async def _reply(self, message: Json, text: str) -> Update:
        task_id = message["taskId"]
        run = await self._get_run(
            task_id, UnsupportedOperationError("the task has ended: start a new one")
        )
        context_id = run.log.context_id
        if message.get("contextId", context_id) != context_id:
            raise InvalidParamsError(
                f"the task is in the context {context_id!r}, not in "
                f"{message['contextId'][:100]!r}"
            )
        await run.reply(message, text)
        return await self.get_task(task_id)

    async def _get_run(self, task_id: str, ended: A2AError) -> Run:
        """Raises TaskNotFoundError, or `ended` if the task has ended."""
        if task_id not in self._runs:
            await self._find_row(task_id)
            raise ended
        return self._runs[task_id]

    async def _find_row(self, task_id: str) -> TaskEvent:
        row = await find_row(self._feed, HOST_NAME, task_id)
        if row is None:
            raise TaskNotFoundError(f"the host has no task {task_id[:100]!r}")
        return row

    def _start_run(self, run: Run) -> None:
        self._runs[run.log.task_id] = run
        self._group.start_soon(self._run, run)

    async def _run(self, run: Run) -> None:
        try:
            await run.run()
        finally:
            del self._runs[run.log.task_id]

    async def _resume(self, row: TaskEvent) -> None:
        """Resume a task from the log. If that is impossible, end it with the reason."""
        log = TaskLog(row.task_id, row.context_id or "", self._feed)
        await log.load()
        saved = (await read_task(self._feed, row)).plan
        try:
            plan = self._restore_plan(saved)
        except ConfigError as error:
            why = f"The host was restarted and cannot continue: {error}"
            await log.add_status("TASK_STATE_FAILED", why, {PLAN_URI: saved})
            logger.info(Line(task=f"host/{row.task_id}", run="given up", cause=why))
            return
        agents = Agents(self._roster, self._feed, self._group, is_restarted=True)
        logger.info(Line(task=f"host/{row.task_id}", run="resumed", plan=plan.key))
        self._start_run(Run(plan, str(saved.get("request", "")), log, agents, saved))

    def _restore_plan(self, saved: Json) -> Plan:
        """Return the plan that the run started with, even if the settings changed."""
        key = saved.get("key")
        if key is None:
            raise ConfigError("the task's request is no longer in the log")
        if "plan" in saved:
            return parse_plan(key, saved["plan"])
        if key not in self._plans:
            raise ConfigError(f"the plan {key!r} is no longer in courtside.toml")
        return self._plans[key]

    async def _write_agent_row(self) -> None:
        """Show the host among the agents if it has plans, and otherwise remove it."""
        before = self._feed.board.agents.get(HOST_NAME)
        if not self._plans and before is None:
            return
        card = self.card
        row = AgentEvent(
            agent=HOST_NAME,
            url=self._url,
            connection="connected" if self._plans else "removed",
            title=card.name,
            description=card.description,
            version=card.version,
            skills=build_skills(card),
            received_at=before.received_at if before else "",
        )
        if row != before:
            row = msgspec.structs.replace(row, received_at=now())
            await AgentRow(HOST_NAME, self._url, self._feed).append(row)

    async def _finish(self, work: Awaitable[T]) -> T:
        """Finish the work even if the caller is cancelled, as when a client leaves."""
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        async def run() -> None:
            try:
                result = await work
            except Exception as error:
                if not done.done():
                    done.set_exception(error)
            else:
                if not done.done():
                    done.set_result(result)

        self._group.start_soon(run)
        return await done

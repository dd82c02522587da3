"""Owns the host as an agent: which plan a request means, and the runs that are open.

The gateway asks it as it asks any agent; a run tells the feed what comes of it.
"""

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
    InvalidParamsError,
    TaskNotCancelableError,
    TaskNotFoundError,
    UnsupportedOperationError,
)
from anyio.abc import TaskGroup, TaskStatus
from google.protobuf.json_format import MessageToDict
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..api.sessions import is_locked
from ..clients.bindings.types import Update
from ..config.agent_settings import HOST_NAME
from ..errors import AgentUnreachable, ConfigError
from ..feed.feed import Feed
from ..following.roster import Roster
from ..gateway.card import build_card
from ..gateway.requests import find_public_url
from ..log.contract import Entry
from ..model.event import AgentEvent, TaskEvent
from ..model.timestamps import now
from ..observability.logfmt import Line
from ..plans.parser import parse_plan
from ..plans.plan import Plan
from ..plans.selection import UnknownPlan, choose_plan
from ..protocol.a2a_parser import parse_response
from .card import card_of, skills_of
from .recovery import last_row, told
from .run import Run
from .run_state import PLAN
from .task_log import Journal

logger = logging.getLogger("courtside.orchestrator")

Json = dict[str, Any]
T = TypeVar("T")


class Orchestrator:
    """Runs plans while `run` runs. `url` is where the gateway serves it."""

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
        """Takes up what was open when the host ended, then whatever comes."""
        async with anyio.create_task_group() as self._group:
            await self._announce()
            for row in self._feed.board.open_tasks(HOST_NAME):
                await self._take_up(row)
            task_status.started()
            await anyio.sleep_forever()

    def routes(self) -> list[Route]:
        """The host's card where a client looks first that knows only its address."""
        return [Route("/.well-known/agent-card.json", self._root_card)]

    async def _root_card(self, request: Request) -> Response:
        url = f"{find_public_url(request)}/a2a/{HOST_NAME}"
        card = build_card(self.card, url, locked=is_locked(request.scope))
        return Response(
            card, media_type="application/json", headers={"cache-control": "no-cache"}
        )

    @property
    def card(self) -> pb.AgentCard:
        """Its skills are the plans."""
        return card_of(self._plans, self._url)

    async def send(self, request: pb.SendMessageRequest) -> Update:
        """Starts a plan, or takes the reply to what one asks; the task as it is then.

        Raises InvalidParamsError, TaskNotFoundError and UnsupportedOperationError,
        and what an agent raises that a reply is for.
        """
        message: Json = MessageToDict(request.message)
        text = "\n".join(part.text for part in request.message.parts if part.text)
        if not text.strip():
            raise InvalidParamsError("the message has no text: say what is wanted")
        if request.message.task_id:
            # Whoever asked may go away: what they said is passed on all the same.
            return await self._in_group(self._reply(message, text))
        return await self._start(message, text)

    async def get_task(self, task_id: str) -> Update:
        """Raises TaskNotFoundError."""
        row = await last_row(self._feed, HOST_NAME, task_id)
        if row is None:
            raise TaskNotFoundError(f"the host has no task {task_id[:100]!r}")
        raw = msgspec.json.encode({"task": (await told(self._feed, row)).task})
        return Update(parse_response(raw), raw)

    async def cancel(self, task_id: str) -> Update:
        """The task when it has ended and its children were told.

        Raises TaskNotFoundError and TaskNotCancelableError.
        """
        run = await self._open_run(task_id)
        if run is None:
            raise TaskNotCancelableError("the task has ended")
        await self._in_group(run.cancel())
        return await self.get_task(task_id)

    async def _start(self, message: Json, text: str) -> Update:
        skill = message.get("metadata", {}).get("skillId")
        try:
            plan = choose_plan(self._plans, text, None if skill is None else str(skill))
        except UnknownPlan as error:
            if self._plans:
                raise InvalidParamsError(str(error)) from error
            raise UnsupportedOperationError(str(error)) from error
        task_id = str(uuid4())
        context_id = message.get("contextId") or str(uuid4())
        journal = Journal(task_id, context_id, self._feed)
        about: Json = {"key": plan.key, "request": text}
        if plan.steps:
            about["plan"] = plan.to_table()
        ids = {"taskId": task_id, "contextId": context_id}
        run = Run(plan, text, journal, self._roster, self._feed, self._group)

        async def begin() -> bytes:
            raw = await journal.begin(message | ids, {PLAN: about})
            logger.info(Line(task=f"host/{task_id}", run="started", plan=plan.key))
            self._begin(run)
            return raw

        raw = await self._in_group(begin())
        return Update(parse_response(raw), raw)

    async def _reply(self, message: Json, text: str) -> Update:
        task_id = message["taskId"]
        run = await self._open_run(task_id)
        if run is None:
            raise UnsupportedOperationError("the task has ended: start another")
        if message.get("contextId", run.journal.context_id) != run.journal.context_id:
            raise InvalidParamsError(
                f"the task is in the context {run.journal.context_id!r}, not in "
                f"{message['contextId'][:100]!r}"
            )
        await run.reply(message, text)
        return await self.get_task(task_id)

    async def _open_run(self, task_id: str) -> Run | None:
        """None where the task has ended. Raises TaskNotFoundError."""
        run = self._runs.get(task_id)
        if run is None and await last_row(self._feed, HOST_NAME, task_id) is None:
            raise TaskNotFoundError(f"the host has no task {task_id[:100]!r}")
        return run

    def _begin(self, run: Run) -> None:
        self._runs[run.journal.task_id] = run
        self._group.start_soon(self._run, run)

    async def _run(self, run: Run) -> None:
        try:
            await run.run(self._cards)
        finally:
            del self._runs[run.journal.task_id]

    def _cards(self) -> dict[str, Json]:
        """As A2A writes them in JSON, of the agents that are connected."""
        cards = {}
        for name in self._roster.names():
            try:
                cards[name] = MessageToDict(
                    self._roster.collector(name).connection.card
                )
            except AgentUnreachable:
                continue
        return cards

    async def _take_up(self, row: TaskEvent) -> None:
        """Goes on with what the log has of a task, or ends it and says why not."""
        journal = Journal(row.task_id, row.context_id or "", self._feed)
        await journal.recall()
        about = (await told(self._feed, row)).plan
        try:
            plan = self._plan_of(about)
        except ConfigError as error:
            why = f"The host was restarted and cannot go on: {error}"
            await journal.tell("TASK_STATE_FAILED", why, {PLAN: about})
            logger.info(Line(task=f"host/{row.task_id}", run="given up", cause=why))
            return
        run = Run(
            *(plan, str(about.get("request", "")), journal),
            *(self._roster, self._feed, self._group),
            resumed=True,
            steps=about.get("steps"),
            cancelling=bool(about.get("cancelling")),
        )
        logger.info(Line(task=f"host/{row.task_id}", run="resumed", plan=plan.key))
        self._begin(run)

    def _plan_of(self, about: Json) -> Plan:
        """The plan that it began with, whatever courtside.toml says by now."""
        key = about.get("key")
        if key is None:
            raise ConfigError("what it was asked is no longer in the log")
        if "plan" in about:
            return parse_plan(key, about["plan"])
        if key not in self._plans:
            raise ConfigError(f"the plan {key!r} is no longer in courtside.toml")
        return self._plans[key]

    async def _announce(self) -> None:
        """Puts the host among the agents on the page, while it has plans."""
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
            skills=skills_of(card),
            received_at=now(),
        )
        if (
            before
            and msgspec.structs.replace(before, received_at=row.received_at) == row
        ):
            return
        version = await self._feed.high_water(HOST_NAME) + 1
        await self._feed.append([Entry.of(HOST_NAME, version, row)])

    async def _in_group(self, work: Awaitable[T]) -> T:
        """`work` to its end, though whoever waits for it may go away."""
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

"""Fake agents whose tasks a test controls, and an orchestrator that uses them.

A fake agent also replaces its collector: it writes its tasks' rows into the feed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

import anyio
from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import TaskNotFoundError
from google.protobuf.json_format import MessageToDict, ParseDict
from msgspec import UNSET, json

from host.clients.answer import Answer
from host.clients.bindings.types import Update
from host.errors import AgentUnreachable, UnknownAgent
from host.feed.feed import Feed
from host.following.roster import Roster
from host.log.contract import Entry, Log
from host.model.event import AgentEvent, Event, Skill, TaskEvent, decode
from host.model.filter import Filter
from host.model.timestamps import now
from host.orchestrator.orchestrator import Orchestrator
from host.orchestrator.run_state import PLAN_URI
from host.plans.plan import Plan
from host.protocol.a2a_parser import parse_response
from host.protocol.messages import build_message
from host.protocol.task_status import STATUS_OF_STATE
from tests.support.waiting import TIMEOUT_S, WaitTimeout, wait_until

Json = dict[str, Any]
STATES = {word: state for state, word in STATUS_OF_STATE.items()}


class FakeTask:
    """One task of a fake agent."""

    def __init__(self, agent: FakeAgent, request: Json, parent: str | None) -> None:
        self.message = request["message"]
        self.task_id = f"{agent.name}-{len(agent.tasks) + 1}"
        self.context_id: str = self.message["contextId"]
        self.parent = parent
        self.replies: list[Json] = []
        self.was_cancelled = False
        self._agent = agent
        self._version = 0

    @property
    def text(self) -> str:
        return str(self.message["parts"][0]["text"])

    async def set_status(
        self, status: str, message: str = "", progress: float | None = None
    ) -> None:
        """Write a row of the task. If it is completed, the message is its result."""
        self._version += 1
        row = TaskEvent(
            agent=self._agent.name,
            task_id=self.task_id,
            context_id=self.context_id,
            parent_task_id=self.parent or UNSET,
            status=status,
            state=STATES[status],
            progress=progress,
            message=message or None,
            result=message if status == "completed" else UNSET,
            message_id=f"m{self._version}",
            at=now(),
            received_at=now(),
        )
        source = f"{self._agent.name}/{self.task_id}"
        await self._agent.feed.append([Entry.of(source, self._version, row)])

    def update(self, state: str = "TASK_STATE_SUBMITTED") -> Update:
        task = {
            "id": self.task_id,
            "contextId": self.context_id,
            "status": {"state": state},
            "history": [self.message],
        }
        return _update({"task": task})


class FakeAgent:
    """An agent and its collector.

    With `error`, each request raises it. With `answer`, the agent answers without a
    task. With `is_silent`, new tasks have no row. With `ignores_cancel`, cancel hangs.
    """

    card = pb.AgentCard(name="Fake", description="A fake agent.")

    def __init__(self, name: str) -> None:
        self.name = name
        self.feed: Feed
        self.tasks: list[FakeTask] = []
        self.error: Exception | None = None
        self.lost: str | None = None
        self.is_silent = self.ignores_cancel = False
        self._held: anyio.Event | None = None
        self.answer: str | None = None
        self.can_list = True

    @property
    def connection(self) -> FakeAgent:
        if self.lost:
            raise AgentUnreachable(f"{self.name} cannot be reached: {self.lost}")
        return self

    async def send(
        self, request: pb.SendMessageRequest, parent_task_id: str | None = None
    ) -> Answer:
        _ = self.connection
        if self.error:
            raise self.error
        if request.message.task_id:
            task = self._find(request.message.task_id)
            task.replies.append(MessageToDict(request.message))
            return Answer.of(task.update())
        task = FakeTask(self, MessageToDict(request), parent_task_id)
        self.tasks.append(task)
        if self._held:
            await self._held.wait()
        if self.answer is not None:
            text = {"parts": [{"text": self.answer}]}
            message = text | {"messageId": "a", "role": "ROLE_AGENT"}
            return Answer.of(_update({"message": message}))
        if not self.is_silent:
            await task.set_status("submitted")
        return Answer.of(task.update())

    def hold(self) -> None:
        """Delay answers until `release`."""
        self._held = anyio.Event()

    def release(self) -> None:
        if self._held:
            self._held.set()
            self._held = None

    async def get_task(self, task_id: str) -> Update:
        return self._find(task_id).update()

    async def cancel(self, task_id: str) -> Update:
        _ = self.connection
        if self.error:
            raise self.error
        task = self._find(task_id)
        if self.ignores_cancel:
            await anyio.sleep_forever()
        task.was_cancelled = True
        await task.set_status("cancelled")
        return task.update("TASK_STATE_CANCELED")

    def follow(self, task_id: str, parent_task_id: str | None = None) -> None:
        self._find(task_id).parent = parent_task_id or self._find(task_id).parent

    async def wait_for_task(self, number: int = 1) -> FakeTask:
        """Wait until the task of that number is started."""
        await wait_until(lambda: len(self.tasks) >= number, f"a task of {self.name}")
        return self.tasks[number - 1]

    def _find(self, task_id: str) -> FakeTask:
        for task in self.tasks:
            if task.task_id == task_id:
                return task
        raise TaskNotFoundError


class FakeAgents:
    """The fake agents by name, in the place of a roster."""

    def __init__(self, *names: str) -> None:
        self.by_name = {name: FakeAgent(name) for name in names}

    def __getitem__(self, name: str) -> FakeAgent:
        return self.by_name[name]

    def names(self) -> list[str]:
        return list(self.by_name)

    def collector(self, name: str) -> FakeAgent:
        if name not in self.by_name:
            raise UnknownAgent(f"no agent {name!r} is followed here")
        return self.by_name[name]

    async def connect(self, feed: Feed) -> None:
        """Write the row of each agent: connected, with a skill of its own name."""
        for name, agent in self.by_name.items():
            agent.feed = feed
            row = AgentEvent(
                agent=name,
                url=f"http://{name}",
                connection="connected",
                skills=[Skill(name, name, "", [])],
                received_at=now(),
            )
            version = await feed.high_water(name) + 1
            await feed.append([Entry.of(name, version, row)])


class PlanClient:
    """Starts plans, replies to questions, and reads the host's tasks in the feed."""

    def __init__(self, feed: Feed, orchestrator: Orchestrator) -> None:
        self.feed = feed
        self.orchestrator = orchestrator

    async def start(self, text: str = "please", **message: Any) -> str:
        """Start a plan. Return the id of its task."""
        return (await self.orchestrator.send(request(text, **message))).task_id

    async def reply(self, task_id: str, text: str, **message: Any) -> Update:
        sent = request(text, taskId=task_id, **message)
        return await (await self.orchestrator.send(sent)).settle()

    async def events(self, task_id: str) -> list[Event]:
        where = Filter(task=frozenset([task_id]))
        return [decode(r.body) for r in await self.feed.history(0, None, 10_000, where)]

    async def rows(self, task_id: str) -> list[TaskEvent]:
        return [e for e in await self.events(task_id) if isinstance(e, TaskEvent)]

    def row(self, task_id: str) -> TaskEvent:
        """Return the current row of a task of the host."""
        row = self.feed.board.task("host", task_id)
        assert row
        return row

    async def row_with(
        self, task_id: str, status: str, message: str | None = None
    ) -> TaskEvent:
        """Wait until the task has this status and message. Return its row."""

        def found() -> TaskEvent | None:
            row = self.row(task_id)
            is_found = row.status == status and message in (None, row.message)
            return row if is_found else None

        what = f"{task_id} to be {status} {message or ''}"
        try:
            row = await wait_until(found, what)
        except WaitTimeout as error:
            raise WaitTimeout(what, TIMEOUT_S, self.row(task_id)) from error
        assert row
        return row

    async def task(self, task_id: str) -> Json:
        task: Json = json.decode((await self.orchestrator.get_task(task_id)).raw)[
            "task"
        ]
        return task

    async def steps(self, task_id: str) -> Json:
        steps: Json = (await self.task(task_id))["metadata"][PLAN_URI]["steps"]
        return steps


@asynccontextmanager
async def run_orchestrator(
    agents: FakeAgents, plans: Mapping[str, Plan], log: Log
) -> AsyncIterator[PlanClient]:
    """Run an orchestrator. Runs that are open at the end are killed, as with a host."""
    feed = Feed(log)
    await feed.open()
    async with anyio.create_task_group() as group:
        group.start_soon(feed.write)
        await agents.connect(feed)
        orchestrator = Orchestrator(
            plans, cast(Roster, agents), feed, "http://host.test/a2a/host"
        )
        await group.start(orchestrator.run)
        yield PlanClient(feed, orchestrator)
        group.cancel_scope.cancel()


def request(text: str, **message: Any) -> pb.SendMessageRequest:
    fields = build_message("ROLE_USER", text, message_id=f"id of {text}")
    return ParseDict({"message": fields | message}, pb.SendMessageRequest())


def _update(body: Json) -> Update:
    raw = json.encode(body)
    return Update(parse_response(raw), raw)

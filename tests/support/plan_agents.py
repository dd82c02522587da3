"""Agents that do what the test says, and a orchestrator that has them do it.

A collector's part is played: what a puppet's task says goes straight into the feed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar, cast

import anyio
from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import TaskNotFoundError
from google.protobuf.json_format import MessageToDict, ParseDict
from msgspec import UNSET, json

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
from host.protocol.task_status import STATUS_OF_STATE

Json = dict[str, Any]
T = TypeVar("T")
STATES = {word: state for state, word in STATUS_OF_STATE.items()}
SOON_S = 10.0


class Part:
    """One task of a puppet."""

    def __init__(self, puppet: Puppet, request: Json, parent: str | None) -> None:
        self.message = request["message"]
        self.task_id = f"{puppet.name}-{len(puppet.parts) + 1}"
        self.context_id: str = self.message["contextId"]
        self.parent = parent
        self.replies: list[Json] = []
        self.was_cancelled = False
        self._puppet = puppet
        self._version = 0

    @property
    def text(self) -> str:
        return str(self.message["parts"][0]["text"])

    async def tell(
        self, status: str, message: str = "", progress: float | None = None
    ) -> None:
        """A row of the task; a completed one has its message as result."""
        self._version += 1
        row = TaskEvent(
            agent=self._puppet.name,
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
        source = f"{self._puppet.name}/{self.task_id}"
        await self._puppet.feed.append([Entry.of(source, self._version, row)])

    def update(self, state: str = "TASK_STATE_SUBMITTED") -> Update:
        task = {
            "id": self.task_id,
            "contextId": self.context_id,
            "status": {"state": state},
            "history": [self.message],
        }
        return _update({"task": task})


class Puppet:
    """A collector and its agent. `refusal` is raised instead of an answer, `answer` is
    one without a task; one that is `quiet` says nothing of new tasks, and one that is
    `deaf` never answers a cancel."""

    card = pb.AgentCard(name="A puppet", description="Does as it is told.")

    def __init__(self, name: str) -> None:
        self.name = name
        self.feed: Feed
        self.parts: list[Part] = []
        self.refusal: Exception | None = None
        self.lost: str | None = None
        self.quiet = self.deaf = False
        self._held: anyio.Event | None = None
        self.answer: str | None = None
        self.can_list = True

    @property
    def connection(self) -> Puppet:
        if self.lost:
            raise AgentUnreachable(f"{self.name} cannot be reached: {self.lost}")
        return self

    async def send(
        self, request: pb.SendMessageRequest, parent_task_id: str | None = None
    ) -> Update:
        _ = self.connection
        if self.refusal:
            raise self.refusal
        if request.message.task_id:
            part = self._part(request.message.task_id)
            part.replies.append(MessageToDict(request.message))
            return part.update()
        part = Part(self, MessageToDict(request), parent_task_id)
        self.parts.append(part)
        if self._held:
            await self._held.wait()
        if self.answer is not None:
            text = {"parts": [{"text": self.answer}]}
            return _update({"message": text | {"messageId": "a", "role": "ROLE_AGENT"}})
        if not self.quiet:
            await part.tell("submitted")
        return part.update()

    def hold(self) -> None:
        """Keeps answers back until `let_go`."""
        self._held = anyio.Event()

    def let_go(self) -> None:
        if self._held:
            self._held.set()
            self._held = None

    async def get_task(self, task_id: str) -> Update:
        return self._part(task_id).update()

    async def cancel(self, task_id: str) -> Update:
        _ = self.connection
        if self.refusal:
            raise self.refusal
        part = self._part(task_id)
        if self.deaf:
            await anyio.sleep_forever()
        part.was_cancelled = True
        await part.tell("cancelled")
        return part.update("TASK_STATE_CANCELED")

    def follow(self, task_id: str, parent_task_id: str | None = None) -> None:
        self._part(task_id).parent = parent_task_id or self._part(task_id).parent

    async def part(self, number: int = 1) -> Part:
        """The task of that number, as soon as somebody has started it."""
        await until(lambda: len(self.parts) >= number, f"{self.name} to be asked")
        return self.parts[number - 1]

    def _part(self, task_id: str) -> Part:
        for part in self.parts:
            if part.task_id == task_id:
                return part
        raise TaskNotFoundError


class Troupe:
    """The puppets by name; it is what a roster is to the orchestrator."""

    def __init__(self, *names: str) -> None:
        self.puppets = {name: Puppet(name) for name in names}

    def __getitem__(self, name: str) -> Puppet:
        return self.puppets[name]

    def names(self) -> list[str]:
        return list(self.puppets)

    def collector(self, name: str) -> Puppet:
        if name not in self.puppets:
            raise UnknownAgent(f"no agent {name!r} is followed here")
        return self.puppets[name]

    async def enter(self, feed: Feed) -> None:
        """As agents that are connected, each with a skill of its own name."""
        for name, puppet in self.puppets.items():
            puppet.feed = feed
            row = AgentEvent(
                agent=name,
                url=f"http://{name}",
                connection="connected",
                skills=[Skill(name, name, "", [])],
                received_at=now(),
            )
            version = await feed.high_water(name) + 1
            await feed.append([Entry.of(name, version, row)])


class Play:
    """A orchestrator at work, and what it says in the feed."""

    def __init__(self, feed: Feed, orchestrator: Orchestrator) -> None:
        self.feed = feed
        self.orchestrator = orchestrator

    async def ask(self, text: str = "please", **message: Any) -> str:
        """Starts a plan; its task's id."""
        update = await self.orchestrator.send(request(text, **message))
        assert update.response.task
        return update.response.task.id

    async def reply(self, task_id: str, text: str, **message: Any) -> Update:
        return await self.orchestrator.send(request(text, taskId=task_id, **message))

    async def events(self, task_id: str) -> list[Event]:
        where = Filter(task=frozenset([task_id]))
        return [decode(r.body) for r in await self.feed.history(0, None, 10_000, where)]

    async def rows(self, task_id: str) -> list[TaskEvent]:
        return [e for e in await self.events(task_id) if isinstance(e, TaskEvent)]

    def row(self, task_id: str) -> TaskEvent:
        """Where a task of the host's stands."""
        row = self.feed.board.task("host", task_id)
        assert row
        return row

    async def row_with(
        self, task_id: str, status: str, message: str | None = None
    ) -> TaskEvent:
        """The task's row, as soon as it stands there, and says that."""
        await until(
            lambda: (
                self.row(task_id).status == status
                and message in (None, self.row(task_id).message)
            ),
            f"{status} {message or ''}",
            lambda: self.row(task_id),
        )
        return self.row(task_id)

    async def task(self, task_id: str) -> Json:
        task: Json = json.decode((await self.orchestrator.get_task(task_id)).raw)[
            "task"
        ]
        return task

    async def steps(self, task_id: str) -> Json:
        steps: Json = (await self.task(task_id))["metadata"][PLAN_URI]["steps"]
        return steps


@asynccontextmanager
async def playing(
    troupe: Troupe, plans: Mapping[str, Plan], log: Log
) -> AsyncIterator[Play]:
    """What is open ends in the middle when the block does, as when a host ends."""
    feed = Feed(log)
    await feed.open()
    async with anyio.create_task_group() as group:
        group.start_soon(feed.write)
        await troupe.enter(feed)
        orchestrator = Orchestrator(
            plans, cast(Roster, troupe), feed, "http://host.test/a2a/host"
        )
        await group.start(orchestrator.run)
        yield Play(feed, orchestrator)
        group.cancel_scope.cancel()


def request(text: str, **message: Any) -> pb.SendMessageRequest:
    said = {"messageId": f"said {text}", "role": "ROLE_USER", "parts": [{"text": text}]}
    return ParseDict({"message": said | message}, pb.SendMessageRequest())


async def until(
    true: Callable[[], bool], what: str, last: Callable[[], object] = lambda: ""
) -> None:
    with anyio.move_on_after(SOON_S):
        while not true():
            await anyio.sleep(0.005)
        return
    raise AssertionError(f"waited {SOON_S} s for {what}; last: {last()}")


async def eventually(get: Callable[[], Awaitable[T | None]], what: str) -> T:
    found: T | None = None
    with anyio.move_on_after(SOON_S):
        while not (found := await get()):
            await anyio.sleep(0.005)
        return found
    raise AssertionError(f"waited {SOON_S} s for {what}")


def _update(body: Json) -> Update:
    raw = json.encode(body)
    return Update(parse_response(raw), raw)

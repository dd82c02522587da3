"""A conversation of a real Collector with a model agent, which a test steers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from host.model.event import ArtifactEvent, Event, GapEvent, TaskEvent
from tests.support.fast_following import fast_following
from tests.support.model_agent import ModelAgent
from tests.support.model_host import ModelHost, until, wait_for
from tests.support.model_task import ASKS, END, Json, ModelTask
from tests.support.model_wire import AgentKind

UNLISTED = AgentKind(can_list=False)


class Conversation:
    """A task that the host has started, with its agent and its feed."""

    def __init__(self, agent: ModelAgent, host: ModelHost) -> None:
        self.agent = agent
        self.host = host
        self.task: ModelTask

    async def start(self) -> None:
        """Start the task, and wait until the feed has it."""
        await self.host.send("t1")
        self.task = self.agent.tasks["t1"]
        await self.until_in_feed("submitted")

    async def ask(self) -> None:
        """Start the task, and let it ask a question."""
        await self.start()
        self.publish(self.task.set_status(ASKS, "Red or blue?"))
        await self.until_in_feed("Red or blue?")

    async def reply(self, text: str) -> None:
        """Reply, and wait until the response to it is open."""
        count = self.stream_count
        await self.host.reply(text, "t1")
        await wait_for(lambda: self.stream_count > count, "a response")

    def publish(self, *updates: Json) -> None:
        self.agent.publish(self.task, updates)

    def say(self, text: str) -> None:
        self.publish(self.task.add_chunk("a", text))

    @property
    def stream_count(self) -> int:
        return len(self.agent.open_streams.get("t1", ()))

    async def end(self) -> list[Event]:
        """End the task. Return its events in the feed."""
        self.publish(self.task.set_status(END))
        return await self.events_at_end()

    async def events_at_end(self, task_id: str = "t1") -> list[Event]:
        async def has_ended() -> bool:
            events = await self.host.events(task_id)
            rows = [event for event in events if isinstance(event, TaskEvent)]
            return bool(rows) and not rows[-1].is_open

        await until(has_ended, f"the end of {task_id}")
        return await self.host.events(task_id)

    async def events(self) -> list[Event]:
        return await self.host.events("t1")

    async def until_in_feed(self, text: str) -> None:
        async def is_found() -> bool:
            return any(text in str(event) for event in await self.events())

        await until(is_found, text)


@asynccontextmanager
async def conversation(kind: AgentKind = UNLISTED) -> AsyncIterator[Conversation]:
    agent = ModelAgent(kind)
    host = ModelHost(agent)
    with fast_following():
        async with agent.serving():
            await host.start()
            try:
                yield Conversation(agent, host)
            finally:
                await host.kill()
    assert agent.errors == []


def text_of(events: list[Event], artifact_id: str = "a") -> str:
    """Return the text of an artifact as a reader of the feed has it."""
    text = ""
    for event in events:
        if isinstance(event, ArtifactEvent) and event.artifact_id == artifact_id:
            parts = "".join(part["text"] for part in event.parts)
            text = text + parts if event.append else parts
    return text


def messages_of(events: list[Event]) -> list[str | None]:
    return [event.message for event in events if isinstance(event, TaskEvent)]


def has_gap(events: list[Event]) -> bool:
    return any(isinstance(event, GapEvent) for event in events)

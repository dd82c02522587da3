"""Several streams of one task over the wire: each update counts once, and none less.

The host is a real Collector with a real Feed, in the loop of the test.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest

from host.model.event import ArtifactEvent, Event, GapEvent, TaskEvent
from tests.support.fast_following import fast_following
from tests.support.model_agent import ModelAgent
from tests.support.model_host import ModelHost, until, wait_for
from tests.support.model_task import ASKS, END, WORKS, Json, ModelTask
from tests.support.model_wire import AgentKind

UNLISTED = AgentKind(can_list=False)


class Conversation:
    """A task that the host has started, with its agent and its feed."""

    def __init__(self, agent: ModelAgent, host: ModelHost) -> None:
        self.agent = agent
        self.host = host
        self.task: ModelTask

    async def ask(self) -> None:
        """Start the task, and let it ask a question."""
        await self.host.send("t1")
        self.task = self.agent.tasks["t1"]
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

    async def events_at_end(self) -> list[Event]:
        async def has_ended() -> bool:
            rows = [e for e in await self.events() if isinstance(e, TaskEvent)]
            return bool(rows) and not rows[-1].is_open

        await until(has_ended, "the end")
        return await self.events()

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


def unmarked(text: str, **more: Json) -> Json:
    """A message without an id, against A2A."""
    return {"role": "ROLE_AGENT", "parts": [{"text": text}], **more}


UNMARKED = {
    "messages": {"message": unmarked("again")},
    "statuses": {
        "statusUpdate": {
            "taskId": "t1",
            "status": {"state": WORKS, "message": unmarked("again")},
        }
    },
}


@pytest.mark.parametrize("update", UNMARKED.values(), ids=list(UNMARKED))
async def test_same_words_twice_in_one_stream_are_two_rows(update: Json) -> None:
    async with conversation() as talk:
        await talk.ask()
        await talk.reply("red")
        talk.publish(update, update)
        events = await talk.end()

    assert messages_of(events).count("again") == 2


@pytest.mark.parametrize("update", UNMARKED.values(), ids=list(UNMARKED))
async def test_same_words_over_two_streams_are_one_row(update: Json) -> None:
    async with conversation() as talk:
        await talk.ask()
        await talk.reply("red")
        await talk.reply("blue")
        talk.publish(update)
        talk.publish(update, talk.task.set_status(WORKS, "last"))
        events = await talk.end()

    assert messages_of(events).count("again") == 2
    assert not has_gap(events)


DELAYS_MS = [(0,), (0, 30), (30, 0), (0, 0, 30), (5, 0, 20, 10)]


@pytest.mark.parametrize("delays_ms", DELAYS_MS)
@pytest.mark.parametrize("ends_at_questions", [True, False])
async def test_equal_chunks_of_two_replies_at_once_are_all_there_at_once(
    delays_ms: tuple[int, ...], ends_at_questions: bool
) -> None:
    """The agent works on the first reply while the second is on its way."""
    kind = UNLISTED._replace(delays_ms=delays_ms, ends_at_questions=ends_at_questions)
    async with conversation(kind) as talk:
        await talk.ask()
        async with anyio.create_task_group() as group:
            group.start_soon(talk.host.reply, "red", "t1")
            group.start_soon(talk.host.reply, "blue", "t1")
            await wait_for(lambda: talk.stream_count > 0, "a response")
            talk.publish(talk.task.set_status(WORKS))
            for _ in range(5):
                talk.say("ha")
                await anyio.sleep(0.01)
        for _ in range(5):
            talk.say("ha")
        talk.publish(talk.task.set_status(WORKS, "mark"))
        await talk.until_in_feed("mark")
        text = text_of(await talk.events())
        events = await talk.end()

    assert text == "ha " * 10
    assert text_of(events) == text
    assert not has_gap(events)

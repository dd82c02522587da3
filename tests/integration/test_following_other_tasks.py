"""A response that shows several tasks: each is followed from its first update on.

The host is a real Collector with a real Feed, in the loop of the test.
"""

from __future__ import annotations

import pytest

from host.following import response_parts
from host.model.event import TaskEvent
from tests.support.conversation import (
    UNLISTED,
    Conversation,
    conversation,
    has_gap,
    messages_of,
    text_of,
)
from tests.support.model_host import wait_for
from tests.support.model_task import END, WORKS, Json, ModelTask
from tests.support.model_wire import Cut

ALONE = UNLISTED._replace(start="refused")
"""Only the response has the updates."""


def add_task(talk: Conversation, task_id: str, *, is_stored: bool = False) -> ModelTask:
    """Add a task of the agent that appears in the response of the first task."""
    task = talk.agent.add_task(task_id)
    if not is_stored:
        del talk.agent.tasks[task_id]
    return task


def first(task: ModelTask) -> Json:
    return {"task": task.read()}


async def test_every_task_of_a_response_is_followed_from_its_first_update() -> None:
    async with conversation(ALONE) as talk:
        await talk.start()
        tasks = [talk.task, *(add_task(talk, name) for name in ("t2", "t3"))]
        talk.publish(first(tasks[1]), tasks[0].add_chunk("a", "one"))
        talk.publish(tasks[1].add_chunk("a", "two"), first(tasks[2]))
        for number in range(20):
            talk.publish(*(task.add_chunk("a", str(number)) for task in tasks))
        for task in reversed(tasks):
            talk.publish(task.set_status(END, f"end of {task.id}"))
        feeds = [await talk.events_at_end(task.id) for task in tasks]

    for task, events in zip(tasks, feeds, strict=True):
        assert text_of(events) == "".join(
            part["text"] for part in task.read()["artifacts"][0]["parts"]
        )
        assert messages_of(events)[-1] == f"end of {task.id}"
        assert not has_gap(events)


async def test_task_after_the_end_of_the_first_is_followed() -> None:
    async with conversation(ALONE) as talk:
        await talk.start()
        last = talk.task.set_status(END)
        talk.agent.publish(talk.task, [last], goes_on=True)
        await talk.events_at_end()
        other = add_task(talk, "t2")
        updates = [first(other), other.add_chunk("a", "two"), other.set_status(END)]
        talk.agent.publish(talk.task, updates)
        events = await talk.events_at_end("t2")

    assert text_of(events) == "two "


async def test_update_that_is_the_first_of_its_task_need_not_be_a_task() -> None:
    async with conversation(ALONE) as talk:
        await talk.start()
        other = add_task(talk, "t2")
        talk.publish(other.add_chunk("a", "one"))
        talk.publish(other.set_status(WORKS, "two"), other.set_status(END))
        await talk.end()
        events = await talk.events_at_end("t2")

    assert text_of(events) == "one "
    assert "two" in messages_of(events)


async def test_both_tasks_of_a_reply_go_on() -> None:
    async with conversation(ALONE) as talk:
        await talk.ask()
        await talk.reply("red")
        other = add_task(talk, "t2")
        talk.publish(talk.task.set_status(WORKS, "on it"))
        await talk.until_in_feed("on it")
        talk.publish(first(other), talk.task.add_chunk("a", "one"))
        talk.publish(other.add_chunk("a", "two"), talk.task.add_chunk("a", "three"))
        talk.publish(other.set_status(END))
        events = await talk.end()
        others = await talk.events_at_end("t2")

    assert text_of(events) == "one three "
    assert text_of(others) == "two "
    rows = [event for event in others if isinstance(event, TaskEvent)]
    assert rows[-1].continues == "t1"


async def test_every_task_is_repaired_after_the_response_breaks() -> None:
    async with conversation() as talk:
        await talk.start()
        other = add_task(talk, "t2", is_stored=True)
        talk.publish(first(other), other.add_chunk("a", "one"))
        lost = [other.add_chunk("a", "two"), talk.task.add_chunk("a", "three")]
        talk.agent.publish(talk.task, lost, cut=Cut(3, is_clean=False))
        await wait_for(lambda: bool(talk.agent.open_streams.get("t2")), "a stream")
        talk.agent.publish(other, [other.set_status(END)])
        events = await talk.end()
        others = await talk.events_at_end("t2")

    assert text_of(events) == "three "
    assert text_of(others) == "one two "


async def test_response_without_end_is_closed_after_its_tasks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(response_parts, "LINGER_S", 0.1)
    async with conversation(ALONE) as talk:
        await talk.start()
        other = add_task(talk, "t2")
        last = [first(other), other.set_status(END), talk.task.set_status(END)]
        talk.agent.publish(talk.task, last, goes_on=True)
        await talk.events_at_end()
        await talk.events_at_end("t2")
        await wait_for(lambda: talk.stream_count == 0, "the response to be closed")

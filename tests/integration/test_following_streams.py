"""Several streams of one task over the wire: each update counts once, and none less.

The host is a real Collector with a real Feed, in the loop of the test.
"""

from __future__ import annotations

import anyio
import pytest

from tests.support.conversation import (
    UNLISTED,
    conversation,
    has_gap,
    messages_of,
    text_of,
)
from tests.support.model_host import wait_for
from tests.support.model_task import WORKS, Json


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


@pytest.mark.parametrize("delays_ms", [(30, 0), (0, 30)])
async def test_chunk_that_cannot_be_checked_is_not_lost(
    delays_ms: tuple[int, ...],
) -> None:
    """The response begins with a Task, and its next chunk equals the last of it."""
    kind = UNLISTED._replace(can_get=False, delays_ms=delays_ms)
    async with conversation(kind) as talk:
        await talk.ask()
        talk.say("ha")
        await talk.until_in_feed("ha ")
        await talk.reply("red")
        talk.say("ha")
        talk.say("end")
        await talk.until_in_feed("end ")
        events = await talk.end()

    assert text_of(events) == "ha ha end "

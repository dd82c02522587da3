"""An Answer grows while the response arrives, and ends with a task or without one."""

from __future__ import annotations

import json

import anyio
import pytest

from host.clients import answer as module
from host.clients.answer import Answer
from host.clients.bindings.types import Update
from host.errors import AgentUnreachable
from host.protocol.a2a_parser import parse_response


def build(body: dict[str, object]) -> Update:
    raw = json.dumps(body).encode()
    return Update(parse_response(raw), raw)


def message(text: str) -> Update:
    parts = [{"text": text}]
    fields = {"messageId": text, "role": "ROLE_AGENT", "parts": parts}
    return build({"message": fields})


TASK = build({"task": {"id": "t1", "status": {"state": "TASK_STATE_WORKING"}}})


async def read(answer: Answer) -> list[str]:
    messages = [update.response.message async for update in answer.read_messages()]
    return [one.message_id for one in messages if one]


async def test_messages_are_read_while_they_arrive() -> None:
    answer, seen = Answer(), list[str]()

    async def read_all() -> None:
        seen.extend(await read(answer))

    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            group.start_soon(read_all)
            for text in ("one", "two"):
                await anyio.wait_all_tasks_blocked()
                answer.add_message(message(text))
            await anyio.wait_all_tasks_blocked()
            answer.add_task(TASK, "t1")

    assert seen == await read(answer) == ["one", "two"]
    assert await answer.settle() is TASK


async def test_answer_without_a_task_settles_on_its_last_message() -> None:
    answer = Answer()
    answer.add_message(message("one"))
    answer.add_message(message("two"))
    answer.end()

    assert (await answer.settle()).response.message == message("two").response.message


async def test_answer_that_never_ends_settles_when_it_is_quiet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "QUIET_S", 0.01)
    answer = Answer()
    answer.add_message(message("one"))

    with anyio.fail_after(30):
        assert (await answer.settle()).raw == message("one").raw
    assert not answer.is_complete


async def test_first_error_counts_unless_the_answer_has_begun() -> None:
    refused, begun = Answer(), Answer()
    begun.add_message(message("one"))
    for answer in (refused, begun):
        answer.end(AgentUnreachable("it broke"))
        answer.end(AgentUnreachable("another"))

    await begun.begin()
    with pytest.raises(AgentUnreachable, match="it broke"):
        await refused.begin()


async def test_kept_answer_has_the_messages_and_only_the_id_of_the_task() -> None:
    answer = Answer()
    answer.add_message(message("one"))
    answer.add_task(TASK, "t1")

    kept = answer.without_task()

    assert await read(kept) == ["one"]
    assert (kept.task, kept.task_id, kept.size) == (None, "t1", answer.size)


def test_endless_messages_do_not_fill_the_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MAX_MESSAGES", 3)
    answer = Answer()
    for number in range(10):
        answer.add_message(message(str(number)))

    assert len(answer.messages) == 3

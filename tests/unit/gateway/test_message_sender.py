"""MessageSender sends each message once, even if clients disconnect or repeat it."""

from __future__ import annotations

import anyio
import pytest
from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import InvalidParamsError

from host.clients.answer import Answer
from host.clients.bindings.types import Update
from host.errors import AgentUnreachable
from host.feed.feed import Feed
from host.gateway import message_sender
from host.gateway.message_sender import MessageSender
from host.log.memory_log import MemoryLog
from host.protocol.a2a_objects import Message, Part, StreamResponse, Task


class Agent:
    """Records the messages, and answers after `may_answer` is set."""

    name = "carly"
    card = pb.AgentCard()

    def __init__(self) -> None:
        self.received: list[str] = []
        self.fails = False
        self.says: str | None = None
        self.may_answer = anyio.Event()

    async def send(self, request: pb.SendMessageRequest) -> Answer:
        self.received.append(request.message.message_id)
        await self.may_answer.wait()
        if self.fails:
            raise AgentUnreachable("carly cannot be reached")
        if self.says is not None:
            message = Message("answer", parts=[Part(self.says)])
            raw = self.says.encode()
            return Answer.of(Update(StreamResponse(message=message), raw))
        task = Task(id=f"task of {request.message.message_id}")
        return Answer.of(Update(StreamResponse(task=task), b""))

    async def get_task(self, task_id: str) -> Update:
        raise NotImplementedError

    async def cancel(self, task_id: str) -> Update:
        raise NotImplementedError


def send_request(message_id: str = "m1", text: str = "hello") -> pb.SendMessageRequest:
    message = pb.Message(message_id=message_id, parts=[pb.Part(text=text)])
    return pb.SendMessageRequest(message=message)


class SenderRun:
    """A running MessageSender and one agent."""

    def __init__(self) -> None:
        self.agent = Agent()
        self._feed = Feed(MemoryLog())
        self.sender = MessageSender(self._feed)

    async def __aenter__(self) -> SenderRun:
        await self._feed.open()
        self._group = anyio.create_task_group()
        await self._group.__aenter__()
        self._group.start_soon(self.sender.run)
        await anyio.wait_all_tasks_blocked()
        return self

    async def __aexit__(self, *failure: object) -> None:
        self._group.cancel_scope.cancel()
        await self._group.__aexit__(None, None, None)

    async def send(self, request: pb.SendMessageRequest | None = None) -> str:
        _, answer = await self.sender.send(self.agent, request or send_request())
        return answer.task_id


async def test_repeats_during_the_first_send_get_the_same_answer() -> None:
    async with SenderRun() as run:
        seen: list[str] = []

        async def ask() -> None:
            seen.append(await run.send())

        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(ask)
            await anyio.wait_all_tasks_blocked()
            run.agent.may_answer.set()

    assert seen == ["task of m1"] * 3
    assert run.agent.received == ["m1"]


async def test_send_continues_after_its_client_disconnects() -> None:
    async with SenderRun() as run:
        async with anyio.create_task_group() as group:
            group.start_soon(run.send)
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()
        run.agent.may_answer.set()

        assert await run.send() == "task of m1"
        assert await run.send() == "task of m1"
    assert run.agent.received == ["m1"]


async def test_failed_message_can_be_sent_again() -> None:
    async with SenderRun() as run:
        run.agent.may_answer.set()
        run.agent.fails = True
        for _ in range(2):
            with pytest.raises(AgentUnreachable):
                await run.send()
        run.agent.fails = False

        assert await run.send() == "task of m1"
    assert run.agent.received == ["m1"] * 3


async def test_repeat_gets_the_stored_message_of_an_agent_without_tasks() -> None:
    async with SenderRun() as run:
        run.agent.may_answer.set()
        run.agent.says = "Hello."
        _, first = await run.sender.send(run.agent, send_request())
        run.agent.says = "Hello again."
        _, again = await run.sender.send(run.agent, send_request())

    assert first.messages == again.messages != []
    assert run.agent.received == ["m1"]


async def test_different_message_with_a_used_id_is_refused() -> None:
    async with SenderRun() as run:
        run.agent.may_answer.set()
        await run.send()

        with pytest.raises(
            InvalidParamsError, match="'m1' was used for another message"
        ):
            await run.send(send_request(text="something else"))
    assert run.agent.received == ["m1"]


async def test_two_agents_can_get_messages_with_the_same_id() -> None:
    async with SenderRun() as run:
        run.agent.may_answer.set()
        await run.send()
        run.agent.name = "walter"
        await run.send()
    assert run.agent.received == ["m1", "m1"]


async def test_oldest_messages_are_forgotten_at_the_limits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(message_sender, "MAX_MESSAGES", 3)
    monkeypatch.setattr(message_sender, "MAX_BYTES", 10)
    async with SenderRun() as run:
        run.agent.may_answer.set()
        for name in "abcd":
            await run.send(send_request(name))
        known = [run.sender.is_known("carly", send_request(n).message) for n in "abcd"]
        assert known == [False, True, True, True]

        run.agent.says = "seven.."
        for name in "ef":
            await run.sender.send(run.agent, send_request(name))
        known = [run.sender.is_known("carly", send_request(n).message) for n in "def"]
        assert known == [False, False, True]

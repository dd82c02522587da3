"""A message goes down once, whoever goes away or asks again."""

from __future__ import annotations

import anyio
import pytest
from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import InvalidParamsError

from host.clients.bindings.types import Update
from host.errors import AgentUnreachable
from host.feed.feed import Feed
from host.gateway import sends
from host.gateway.sends import Sends
from host.log.memory import MemoryLog
from host.protocol import a2a


class Agent:
    """Answers when it is let; counts what it was sent."""

    name = "carly"
    card = pb.AgentCard()

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.fails = False
        self.says: str | None = None
        self.may_answer = anyio.Event()

    async def send(self, request: pb.SendMessageRequest) -> Update:
        self.asked.append(request.message.message_id)
        await self.may_answer.wait()
        if self.fails:
            raise AgentUnreachable("carly cannot be reached")
        if self.says is not None:
            message = a2a.Message("answer", parts=[a2a.Part(self.says)])
            return Update(a2a.StreamResponse(message=message), self.says.encode())
        task = a2a.Task(id=f"task of {request.message.message_id}")
        return Update(a2a.StreamResponse(task=task), b"")

    async def get_task(self, task_id: str) -> Update:
        raise NotImplementedError

    async def cancel(self, task_id: str) -> Update:
        raise NotImplementedError


def asked(message_id: str = "m1", text: str = "hello") -> pb.SendMessageRequest:
    message = pb.Message(message_id=message_id, parts=[pb.Part(text=text)])
    return pb.SendMessageRequest(message=message)


class Scene:
    """Sends that run, and one agent behind them."""

    def __init__(self) -> None:
        self.agent = Agent()
        self._feed = Feed(MemoryLog())
        self.sends = Sends(self._feed)

    async def __aenter__(self) -> Scene:
        await self._feed.open()
        self._group = anyio.create_task_group()
        await self._group.__aenter__()
        self._group.start_soon(self.sends.run)
        await anyio.wait_all_tasks_blocked()
        return self

    async def __aexit__(self, *failure: object) -> None:
        self._group.cancel_scope.cancel()
        await self._group.__aexit__(None, None, None)

    async def send(self, request: pb.SendMessageRequest | None = None) -> str:
        sent, _ = await self.sends.send(self.agent, request or asked())
        return sent.task_id


async def test_a_repeat_while_the_first_is_under_way_gets_the_same_answer() -> None:
    async with Scene() as scene:
        seen: list[str] = []

        async def ask() -> None:
            seen.append(await scene.send())

        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(ask)
            await anyio.wait_all_tasks_blocked()
            scene.agent.may_answer.set()

    assert seen == ["task of m1"] * 3
    assert scene.agent.asked == ["m1"]


async def test_what_was_given_up_goes_on_and_is_not_sent_again() -> None:
    async with Scene() as scene:
        async with anyio.create_task_group() as group:
            group.start_soon(scene.send)
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()
        scene.agent.may_answer.set()

        assert await scene.send() == "task of m1"
        assert await scene.send() == "task of m1"
    assert scene.agent.asked == ["m1"]


async def test_a_failed_one_may_be_sent_again() -> None:
    async with Scene() as scene:
        scene.agent.may_answer.set()
        scene.agent.fails = True
        for _ in range(2):
            with pytest.raises(AgentUnreachable):
                await scene.send()
        scene.agent.fails = False

        assert await scene.send() == "task of m1"
    assert scene.agent.asked == ["m1"] * 3


async def test_an_answer_without_a_task_is_kept_itself() -> None:
    async with Scene() as scene:
        scene.agent.may_answer.set()
        scene.agent.says = "Hello."
        first, _ = await scene.sends.send(scene.agent, asked())
        scene.agent.says = "Hello again."
        again, _ = await scene.sends.send(scene.agent, asked())

    assert first.message == again.message != None  # noqa: E711
    assert scene.agent.asked == ["m1"]


async def test_another_message_of_the_same_id_is_refused() -> None:
    async with Scene() as scene:
        scene.agent.may_answer.set()
        await scene.send()

        with pytest.raises(InvalidParamsError, match="'m1' is that of another message"):
            await scene.send(asked(text="something else"))
    assert scene.agent.asked == ["m1"]


async def test_the_same_id_may_be_used_at_another_agent() -> None:
    async with Scene() as scene:
        scene.agent.may_answer.set()
        await scene.send()
        scene.agent.name = "walter"
        await scene.send()
    assert scene.agent.asked == ["m1", "m1"]


async def test_so_many_are_remembered_and_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sends, "MAX_KEPT", 3)
    monkeypatch.setattr(sends, "MAX_KEPT_BYTES", 10)
    async with Scene() as scene:
        scene.agent.may_answer.set()
        for name in "abcd":
            await scene.send(asked(name))
        known = [scene.sends.is_known("carly", asked(n).message) for n in "abcd"]
        assert known == [False, True, True, True]

        scene.agent.says = "seven.."
        for name in "ef":
            await scene.sends.send(scene.agent, asked(name))
        known = [scene.sends.is_known("carly", asked(n).message) for n in "def"]
        assert known == [False, False, True]

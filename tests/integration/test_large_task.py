"""A Task that is too large to read ends by its state, or stays open with one gap.

A real collector follows an agent without ListTasks on real sockets, in the test's
process.
"""

from __future__ import annotations

import anyio
import pytest

from host.merging import follower_states
from host.model.event import AgentEvent, GapEvent
from tests.support.ending_agent import EndingAgent, FollowedAgent, follow_agent
from tests.support.raw_agent import Exchange, Json, message_of
from tests.support.waiting import wait_until

LARGE = "z" * 9 * 1024 * 1024
FIRST = ("id", "contextId", "status", "artifacts", "history")
LAST = ("artifacts", "history", "id", "contextId", "status")


class LargeAgent(EndingAgent):
    """Its Task has 9 MB from the end of the response on.

    `order` is that of the members of the Task. `part` is the large one.
    """

    def __init__(
        self,
        order: tuple[str, ...] = FIRST,
        *,
        part: str = "artifacts",
        state: str = "COMPLETED",
        is_subscribable: bool = False,
    ) -> None:
        super().__init__()
        self.order, self.part, self.state = order, part, state
        self.scripts = {
            "SendStreamingMessage": self.answer,
            "SendMessage": self.answer_once,
        }
        if is_subscribable:
            self.scripts["SubscribeToTask"] = self.start

    async def answer(self, exchange: Exchange) -> None:
        await self.start(exchange)
        self.grow()

    async def answer_once(self, exchange: Exchange) -> None:
        await exchange.result({"task": self.task})
        self.grow()

    def grow(self) -> None:
        self.set_state(self.state, message_of("Over.", "m1"))
        large: Json = {"artifactId": "a", "parts": [{"text": LARGE}]}
        if self.part == "history":
            large = message_of(LARGE, "m2")
        whole = {"artifacts": [], "history": [], **self.task, self.part: [large]}
        self.task = {name: whole[name] for name in self.order}


@pytest.mark.parametrize("part", ["artifacts", "history"])
@pytest.mark.parametrize("is_streaming", [True, False])
@pytest.mark.parametrize("is_subscribable", [True, False])
async def test_too_large_task_ends_with_its_state_after_a_gap(
    part: str, is_streaming: bool, is_subscribable: bool
) -> None:
    agent = LargeAgent(part=part, is_subscribable=is_subscribable)
    agent.is_streaming = is_streaming

    async with follow_agent(agent.handle) as followed:
        await followed.start()
        row = await followed.wait_for_end()
        gaps = await read_gaps(followed)

    assert (row.status, row.message) == ("completed", "Over.")
    assert [gap for gap in gaps if "too large: over 8 MiB" in gap.message][-1:]
    assert agent.calls["GetTask"] <= 2


@pytest.mark.parametrize(
    ("order", "state"),
    [(LAST, "COMPLETED"), (FIRST, "WORKING")],
)
@pytest.mark.parametrize("is_subscribable", [True, False])
async def test_too_large_task_that_stays_open_has_one_gap_and_few_retries(
    order: tuple[str, ...],
    state: str,
    is_subscribable: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(follower_states, "RETRY_S", (0.0, 0.01))
    agent = LargeAgent(order, state=state, is_subscribable=is_subscribable)

    async with follow_agent(agent.handle) as followed:
        await followed.start()
        await wait_until(lambda: agent.calls["SubscribeToTask"] >= 3, "retries", 60)
        trouble = await wait_for_trouble(followed)
        with anyio.move_on_after(1):
            while agent.calls["SubscribeToTask"] < 9:
                await anyio.sleep(0.01)
        rows = await followed.rows()
        gaps = await read_gaps(followed)

    assert rows[-1].is_open
    assert "too large: over 8 MiB" in trouble
    assert sum("GetTask" in gap.message for gap in gaps) == 1
    assert len(gaps) <= 1 + is_subscribable
    assert agent.calls["SubscribeToTask"] < 9
    assert agent.calls["GetTask"] <= 2


async def read_gaps(followed: FollowedAgent) -> list[GapEvent]:
    return [e for e in await followed.events() if isinstance(e, GapEvent)]


async def wait_for_trouble(followed: FollowedAgent) -> str:
    async def trouble() -> str | None:
        rows = [e for e in await followed.agent_events() if isinstance(e, AgentEvent)]
        return rows[-1].trouble

    found = await wait_until(trouble, "trouble", 60)
    assert found
    return found

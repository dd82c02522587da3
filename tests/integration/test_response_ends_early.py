"""The response to a message ends, and the task goes on.

A clean end is no interruption. There is a gap only where updates may be missing. A real
collector follows an agent on real sockets, in the test's process.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from host.model.event import ArtifactEvent, Event, GapEvent, TaskEvent
from host.protocol.gaps import STREAM_BROKE, STREAM_ENDED
from tests.support.ending_agent import TASK, EndingAgent, follow_agent
from tests.support.raw_agent import SSE, Exchange, Json

WORKED = {"messageId": "m1", "role": "ROLE_AGENT", "parts": [{"text": "The answer"}]}
CHUNKED = "Transfer-Encoding: chunked\r\n"
HEADERS = {"eof": "", "chunked": CHUNKED, "broken": CHUNKED}


class LeavingAgent(EndingAgent):
    """Its response has a message and ends. Then `work` changes the task.

    `framing` says how the response ends, or that it breaks.
    """

    def __init__(self, framing: str) -> None:
        super().__init__()
        self.framing = framing
        self.work: Callable[[], object] = lambda: None
        self.scripts = {
            "SendStreamingMessage": self.answer,
            "SubscribeToTask": self.subscribe,
        }

    async def answer(self, exchange: Exchange) -> None:
        await exchange.head(SSE, headers=HEADERS[self.framing])
        first = {"task": self.task}
        self.task = {**self.task, "history": [WORKED]}
        for update in (first, {"message": {**WORKED, "taskId": TASK}}):
            event = exchange.event(json.dumps(update).encode())
            if self.framing != "eof":
                event = b"%x\r\n%b\r\n" % (len(event), event)
            await exchange.send(event)
        self.work()
        if self.framing == "chunked":
            await exchange.send(b"0\r\n\r\n")

    async def subscribe(self, exchange: Exchange) -> None:
        if self.task["status"]["state"] == "TASK_STATE_COMPLETED":
            await exchange.refuse(-32004, "the task has ended")
            return
        await self.start(exchange)
        await self.send(exchange, self.set_state("WORKING", message("Nearly")))
        self.task["history"] = [WORKED, message("Nearly")]
        await self.send(exchange, self.set_state("COMPLETED", message("Done")))

    def store_chunk(self) -> Json:
        return self.add_artifact("chunk")


def message(text: str) -> Json:
    return {"messageId": text, "role": "ROLE_AGENT", "parts": [{"text": text}]}


async def follow(agent: LeavingAgent) -> list[Event]:
    async with follow_agent(agent.handle) as followed:
        await followed.start()
        await followed.wait_for_end()
        return await followed.events()


def summarize(events: list[Event]) -> list[str]:
    lines = []
    for event in events:
        if isinstance(event, TaskEvent):
            lines.append(f"{event.status} {event.message}")
        elif isinstance(event, ArtifactEvent):
            lines.append("artifact")
        elif isinstance(event, GapEvent):
            lines.append(event.message)
    return lines


@pytest.mark.parametrize("framing", ["eof", "chunked"])
async def test_end_of_a_response_is_no_gap_if_the_task_only_ended(framing: str) -> None:
    agent = LeavingAgent(framing)
    agent.work = lambda: agent.set_state("COMPLETED")

    lines = summarize(await follow(agent))

    assert lines == ["running None", "running The answer", "completed None"]


@pytest.mark.parametrize("framing", ["eof", "chunked"])
async def test_end_of_a_response_is_no_gap_if_the_subscription_goes_on(
    framing: str,
) -> None:
    lines = summarize(await follow(LeavingAgent(framing)))

    assert lines == [
        "running None",
        "running The answer",
        "running Nearly",
        "completed Done",
    ]


@pytest.mark.parametrize("framing", ["eof", "chunked"])
async def test_updates_after_the_end_of_a_response_come_after_a_gap(
    framing: str,
) -> None:
    agent = LeavingAgent(framing)
    agent.work = agent.store_chunk

    lines = summarize(await follow(agent))

    assert lines[1:5] == [
        "running The answer",
        STREAM_ENDED,
        "artifact",
        "running Nearly",
    ]


async def test_end_after_a_broken_response_comes_after_a_gap() -> None:
    """A status without a message may have been lost on the way."""
    agent = LeavingAgent("broken")
    agent.work = lambda: agent.set_state("COMPLETED")

    lines = summarize(await follow(agent))

    assert lines[1:] == ["running The answer", STREAM_BROKE, "completed None"]

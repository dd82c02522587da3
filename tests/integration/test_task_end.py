"""A task keeps the artifacts that come after its end, however the end became known.

A real collector follows an agent on real sockets, in the test's process.
"""

from __future__ import annotations

from collections.abc import Callable

import anyio
import pytest

from host.model.event import GapEvent
from host.model.timestamps import now, subtract_seconds
from tests.support.ending_agent import LATE, EndingAgent, follow_agent
from tests.support.raw_agent import Exchange


def end_in_response(agent: EndingAgent) -> None:
    """The response stays open until the artifact has come."""

    async def answer(exchange: Exchange) -> None:
        await agent.start(exchange)
        await send_end(agent, exchange)

    agent.scripts["SendStreamingMessage"] = answer


def end_on_subscription(agent: EndingAgent) -> None:
    async def subscribe(exchange: Exchange) -> None:
        await exchange.head()
        if not agent.is_numbered:
            await agent.send(exchange, {"task": agent.task})
        await send_end(agent, exchange)

    agent.scripts["SubscribeToTask"] = subscribe


async def send_end(agent: EndingAgent, exchange: Exchange) -> None:
    await agent.send(exchange, agent.set_state("COMPLETED"))
    await anyio.sleep(agent.late_s)
    await agent.send(exchange, agent.add_artifact())


def end_and_close(agent: EndingAgent) -> None:
    """The response ends with the terminal state: only GetTask has the artifact."""

    async def answer(exchange: Exchange) -> None:
        await agent.start(exchange)
        await agent.send(exchange, agent.finish())

    agent.scripts["SendStreamingMessage"] = answer


def end_in_first_task(agent: EndingAgent) -> None:
    """The subscription begins and ends with a Task that has ended."""

    async def subscribe(exchange: Exchange) -> None:
        agent.finish()
        await agent.start(exchange)

    agent.scripts["SubscribeToTask"] = subscribe


def end_in_get_task(agent: EndingAgent) -> None:
    agent.is_streaming = False
    finish_when_read(agent)


def end_in_list_tasks(agent: EndingAgent) -> None:
    """The stream stays open, and brings nothing."""

    async def subscribe(exchange: Exchange) -> None:
        await agent.start(exchange)
        agent.scripts["ListTasks"] = list_end
        finish_when_read(agent)
        await exchange.until_gone(ping_s=5)

    async def list_end(exchange: Exchange) -> None:
        status = {"state": "TASK_STATE_COMPLETED", "timestamp": now()}
        await exchange.result({"tasks": [{**agent.task, "status": status}]})

    agent.scripts |= {"SubscribeToTask": subscribe, "ListTasks": agent.list_task}


def finish_when_read(agent: EndingAgent) -> None:
    async def read(exchange: Exchange) -> None:
        if agent.task["status"]["state"] == "TASK_STATE_WORKING":
            agent.finish()
        await exchange.result(agent.task)

    agent.scripts["GetTask"] = read


WAYS = [
    end_in_response,
    end_on_subscription,
    end_and_close,
    end_in_first_task,
    end_in_get_task,
    end_in_list_tasks,
]
Way = Callable[[EndingAgent], None]


@pytest.mark.parametrize("end", WAYS)
async def test_artifact_after_the_end_is_kept(end: Way) -> None:
    agent = EndingAgent()
    end(agent)

    async with follow_agent(agent.handle) as followed:
        await followed.start()
        row = await followed.wait_for_end()

    assert (row.status, row.result) == ("completed", LATE)


@pytest.mark.parametrize("end", [end_in_response, end_on_subscription])
async def test_numbered_artifact_after_the_end_is_kept(end: Way) -> None:
    agent = EndingAgent(is_numbered=True)
    end(agent)

    async with follow_agent(agent.handle) as followed:
        await followed.start()
        row = await followed.wait_for_end()
        events = await followed.events()

    assert (row.status, row.result, row.sequence) == ("completed", LATE, 3)
    assert not [event for event in events if isinstance(event, GapEvent)]


async def test_task_without_a_result_ends_after_two_more_reads() -> None:
    agent = EndingAgent(late_s=600)
    end_and_close(agent)

    async with follow_agent(agent.handle) as followed:
        await followed.start()
        row = await followed.wait_for_end()

    assert (row.status, row.result) == ("completed", "")
    assert agent.calls["GetTask"] == 2


async def test_task_with_a_result_is_not_read_again() -> None:
    agent = EndingAgent(late_s=0)
    end_in_response(agent)

    async with follow_agent(agent.handle) as followed:
        await followed.start()
        await followed.wait_for_end()

    assert agent.calls["GetTask"] == 0


async def test_task_that_ended_long_ago_is_read_once() -> None:
    agent = EndingAgent()
    agent.is_streaming = False
    agent.set_state("COMPLETED")
    agent.task["status"]["timestamp"] = subtract_seconds(now(), 3_600)
    agent.scripts["ListTasks"] = agent.list_task

    async with follow_agent(agent.handle) as followed:
        await followed.wait_for_end()

    assert agent.calls["GetTask"] == 1
